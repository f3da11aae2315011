"""The variables that go onto a channel with a Redirect, and the place the Redirect names.

A Redirect always names a context of ours (`route-land`, `route-ask`), never a tenant's destination: Asterisk
accepts a Redirect to a missing place and drops the call, so `route-land` asks first whether it exists.
Texts from a CRM are cut to signs that no dialplan expression reads.
"""

import unicodedata
from urllib.parse import quote

from router.core.actions import Move
from router.core.calls import Call
from router.core.destinations import Destination, DestinationKind, Target, is_option
from router.core.display import shown
from router.core.rules import Greeting

LAND = Destination("route-land", "s")
ASK = Destination("route-ask", "s")
_SAFE_SIGNS = frozenset("_ .@+:/?=&%#*'()!-")
_MOST_CHARACTERS = 200
_MOST_BYTES = 600


def channel_text(text: str) -> str:
    """A text that may stand on a channel: one line, no sign that the dialplan reads as more than text.

    Letters and digits of every script stay, with their marks; `$ { } [ ] " \\ ; , | < >`, control signs and
    unpaired surrogates go. At most 200 characters and 600 bytes.
    """
    one_line = " ".join(unicodedata.normalize("NFC", text).split())
    safe = "".join(sign for sign in one_line if _is_safe(sign))[:_MOST_CHARACTERS]
    return safe.encode()[:_MOST_BYTES].decode("utf-8", "ignore").strip()


def _is_safe(sign: str) -> bool:
    # L, M and N are letters, marks and numbers: Hindi and Thai write their vowels as marks.
    return sign in _SAFE_SIGNS or unicodedata.category(sign)[0] in "LMN"


def channel_link(text: str) -> str:
    """A record's address that may stand on a channel: web addresses only, and whole or not at all.

    What `channel_text` would drop is percent-encoded, for an address with signs missing leads elsewhere. A
    script or a file is no address of a record, and the agent's screen may open what stands here.
    """
    if not text.lower().startswith(("https://", "http://")):
        return ""
    link = quote(text, safe="".join(_SAFE_SIGNS - {" "}), errors="ignore").replace("~", "%7E")
    return link if len(link) <= _MOST_BYTES else ""


def channel_option(target: Target) -> str:
    """The target's option, or nothing when it does not fit: a kind whose template needs none may have any."""
    return target.option if is_option(target.option) else ""


def landing_move(call: Call) -> Move:
    """To the chosen destination; with none, to nowhere: `route-land` then takes the dialplan's default."""
    choice = call.choice
    if choice is None or choice.place is None:
        return Move((("ROUTE_TO", ""),), LAND)
    variables = [("ROUTE_TO", str(choice.place)), ("ROUTE_OPTION", channel_option(choice.served))]
    if choice.outcome is not None:
        variables.append(("ROUTE_OUTCOME", choice.outcome.value))
    variables += _continuation(call)
    variables += _contact(call)
    if choice.ruling is not None and choice.ruling.queue_priority is not None:
        variables.append(("QUEUE_PRIO", str(choice.ruling.queue_priority)))
    return Move(tuple(variables), LAND)


def _continuation(call: Call) -> list[tuple[str, str]]:
    """Where a playback goes on to; unset, it goes on to the armed fallback."""
    choice, plan = call.choice, call.rule_plan
    if choice is None or plan is None or choice.served.destination is not DestinationKind.PLAYBACK:
        return []
    then = choice.served.then
    place = plan.place(then) if then else None
    if then is None or place is None:
        return []
    return [("ROUTE_THEN", str(place)), ("ROUTE_THEN_OPTION", channel_option(then))]


def _contact(call: Call) -> list[tuple[str, str]]:
    """What the agent's screen shows of the record."""
    record = call.choice.record if call.choice else None
    if record is None:
        return []
    field = call.rule_plan.rule.field if call.rule_plan and call.rule_plan.rule else ""
    texts = [
        ("ROUTE_VALUE", channel_text(shown(record.values.get(field)) if field else "")),
        ("ROUTE_CONTACT", channel_text(record.name)),
        ("ROUTE_LINK", channel_link(record.link)),
    ]
    return [(name, text) for name, text in texts if text]


def asking_move(greeting: Greeting) -> Move:
    return Move(
        (
            ("ROUTE_ASK_SOUND", greeting.sound),
            ("ROUTE_ASK_MIN", str(greeting.min_digits)),
            ("ROUTE_ASK_MAX", str(greeting.max_digits)),
            ("ROUTE_ASK_SECONDS", str(greeting.digit_seconds)),
            ("ROUTE_ASK_TRIES", str(greeting.tries)),
            ("ROUTE_ASK_STOP", "1" if greeting.ends_with_last_digit else "0"),
        ),
        ASK,
    )
