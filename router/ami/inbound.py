"""What Asterisk's messages mean to the core: AMI headers in, events out. Pure.

Every field is checked against what `route-hold` can have sent (docs/channel-protocol.md), although the
dialplan cleans them too: a dialplan is edited by hand, and a caller may try to write headers. A message that
does not fit gives an `Unusable` with its reason, and the dialplan takes that call to its default.

A listed channel tells where it is and whose it is; what its call is about stands in its variable ROUTE_STATE,
which is asked for. Asterisk C-escapes `CallerIDName`; other values come as they are.
"""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from router.ami.messages import AmiMessage
from router.core.call_ends import CallStage, CallSummary
from router.core.events import (
    AskedFor,
    AsteriskEvent,
    CallAsking,
    CallDefaulted,
    CallerHungUp,
    CallParked,
    CallTaken,
    DefaultedWhy,
)
from router.core.identities import ChannelName, ServerName, TenantId, Uniqueid

PROTOCOL_VERSION = "1"
HOLDING_CONTEXT = "route-hold"
HOLDING_APPLICATION = "Wait"
"""A call in `route-hold` that is elsewhere than in `Wait` has not been announced yet, or has left."""

PLAUSIBLE_DELAY_SECONDS = 30.0
"""An event older than any HOLD was not delayed: Asterisk's clock was set."""

_NO_NAME = "<unknown>"
_ESCAPE = re.compile(r"\\([abfnrtv\\'\"?])")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_FIELDS = {
    "channel": re.compile(r"[!-~\x80-\U0010ffff][^\r\n\0]{0,149}"),
    "uniqueid": re.compile(r"[!-~]{1,150}"),
    "linkedid": re.compile(r"[!-~]{1,150}"),
    "tenant": re.compile(r"[a-z0-9][a-z0-9-]{0,39}"),
    "did": re.compile(r"[0-9A-Za-z+*#]{0,40}"),
    "entry": re.compile(r"[0-9A-Za-z_.-]{0,64}"),
    "from": re.compile(r"[0-9A-Za-z+*#]{0,40}"),
    "pres": re.compile(r"[a-z_]{0,40}"),
    "n": re.compile(r"[1-9][0-9]{0,4}"),
    "holdms": re.compile(r"[0-9]{1,6}"),
    "deadline": re.compile(r"[0-9]{1,12}"),
    "digits": re.compile(r"[0-9]{0,40}"),
    "asked": re.compile("|".join(kind.value for kind in AskedFor)),
    "why": re.compile("|".join(why.value for why in DefaultedWhy)),
    "to": re.compile(r"[0-9A-Za-z_.@+*#/-]{1,250}"),
    "where": re.compile("|".join(stage.value for stage in CallStage)),
    "secs": re.compile(r"[0-9]{1,6}"),
    "talkms": re.compile(r"[0-9]{1,9}"),
    "moved": re.compile(r"[01]"),
    "caller": re.compile(r"[01]"),
    "dial": re.compile(r"[A-Z]{0,20}"),
    "mail": re.compile(r"[A-Z]{0,20}"),
    "conf": re.compile(r"[A-Z]{0,20}"),
}

# The parts of ROUTE_STATE, in their order. None of their patterns has the sign that joins them.
_STATE_PARTS = ("tenant", "did", "entry", "from", "pres", "n", "deadline", "holdms", "digits", "asked")
_STATE_JOINT = "|"


class Heard(Struct, frozen=True):
    uniqueid: Uniqueid
    event: AsteriskEvent


class Unusable(Struct, frozen=True):
    """A message that looks like ours and does not fit."""

    reason: str


class _Misfit(Exception):
    """A field that cannot have come from our dialplan; becomes an `Unusable`."""


def hear(message: AmiMessage, server: ServerName, asterisk_now: float) -> Heard | Unusable | None:
    """A call's event; None when the message is none of ours.

    `asterisk_now` is the time by Asterisk's clock, in seconds since the epoch: what an event spent on its way
    is no longer left of the call's hold.
    """
    if message.get("event") != "UserEvent":
        return None
    read = _READERS.get(message.get("userevent"))
    if read is None:
        return None
    if message.get("v") != PROTOCOL_VERSION:
        return Unusable(f"V is not {PROTOCOL_VERSION}")
    try:
        return Heard(Uniqueid(_field(message.headers, "uniqueid")), read(message, server, asterisk_now))
    except _Misfit as error:
        return Unusable(str(error))


def waiting_channel(row: AmiMessage) -> ChannelName | Unusable | None:
    """Whom to ask for ROUTE_STATE, by a row of CoreShowChannels; None when it does not wait for us."""
    if row.get("context") != HOLDING_CONTEXT or row.get("application") != HOLDING_APPLICATION:
        return None
    try:
        return ChannelName(_field(row.headers, "channel"))
    except _Misfit as error:
        return Unusable(str(error))


def listed_call(
    row: AmiMessage, state: str, server: ServerName, asterisk_now: float
) -> CallParked | Unusable:
    """A row of CoreShowChannels that waits for us, and its ROUTE_STATE."""
    parts = state.split(_STATE_JOINT)
    if len(parts) != len(_STATE_PARTS):
        return Unusable(f"ROUTE_STATE has {len(parts)} parts instead of {len(_STATE_PARTS)}")
    fields = dict(row.headers) | dict(zip(_STATE_PARTS, parts, strict=True))
    try:
        hold = int(_field(fields, "holdms")) / 1000
        remaining = int(_field(fields, "deadline")) - asterisk_now
        return _parked(fields, server, min(max(remaining, 0.0), hold), is_resynced=True)
    except _Misfit as error:
        return Unusable(str(error))


def unescape(text: str) -> str:
    """Undo Asterisk's ast_escape_c."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _read_parked(message: AmiMessage, server: ServerName, asterisk_now: float) -> CallParked:
    hold = int(_field(message.headers, "holdms")) / 1000
    delay = _delay_seconds(message, asterisk_now)
    return _parked(message.headers, server, max(hold - delay, 0.0), is_resynced=False)


def _read_asking(message: AmiMessage, _server: ServerName, _asterisk_now: float) -> CallAsking:
    return CallAsking(_parking(message))


def _read_taken(message: AmiMessage, _server: ServerName, _asterisk_now: float) -> CallTaken:
    return CallTaken(_parking(message), _field(message.headers, "to"))


def _read_defaulted(message: AmiMessage, _server: ServerName, _asterisk_now: float) -> CallDefaulted:
    why = DefaultedWhy(_field(message.headers, "why"))
    return CallDefaulted(_parking(message), why, _field(message.headers, "to"))


def _read_gone(message: AmiMessage, _server: ServerName, _asterisk_now: float) -> CallerHungUp:
    return CallerHungUp(_parking(message), _summary(message.headers))


def _summary(fields: Mapping[str, str]) -> CallSummary | None:
    """None from a dialplan that does not tell, or tells what cannot be: the call is over all the same."""
    try:
        return CallSummary(
            tenant=TenantId(_field(fields, "tenant")),
            stage=CallStage(_field(fields, "where")),
            seconds=int(_field(fields, "secs")),
            talk_seconds=int(_field(fields, "talkms")) / 1000,
            is_transferred=_field(fields, "moved") == "1",
            is_hung_up=_field(fields, "caller") == "1",
            dial_status=_field(fields, "dial"),
            voicemail_status=_field(fields, "mail"),
            conference_result=_field(fields, "conf"),
        )
    except _Misfit:
        return None


_READERS: dict[str, Callable[[AmiMessage, ServerName, float], AsteriskEvent]] = {
    "RouteParked": _read_parked,
    "RouteAsking": _read_asking,
    "RouteTaken": _read_taken,
    "RouteDefaulted": _read_defaulted,
    "RouteGone": _read_gone,
}


def _parked(
    fields: Mapping[str, str], server: ServerName, hold_seconds: float, *, is_resynced: bool
) -> CallParked:
    return CallParked(
        server=server,
        channel=ChannelName(_field(fields, "channel")),
        uniqueid=Uniqueid(_field(fields, "uniqueid")),
        linkedid=Uniqueid(_field(fields, "linkedid")),
        tenant=TenantId(_field(fields, "tenant")),
        did=_field(fields, "did"),
        entry=_field(fields, "entry"),
        caller_number=_field(fields, "from"),
        presentation=_field(fields, "pres"),
        caller_name=_caller_name(fields.get("calleridname", "")),
        parking=int(_field(fields, "n")),
        hold_seconds=hold_seconds,
        digits=_field(fields, "digits"),
        asked=AskedFor(_field(fields, "asked")),
        is_resynced=is_resynced,
    )


def _caller_name(escaped: str) -> str:
    return "" if escaped == _NO_NAME else unescape(escaped)


def _parking(message: AmiMessage) -> int:
    return int(_field(message.headers, "n"))


def _field(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise _Misfit(f"{name} is missing")
    if not _FIELDS[name].fullmatch(value):
        raise _Misfit(f"{name} is malformed")
    return value


def _delay_seconds(message: AmiMessage, asterisk_now: float) -> float:
    """How long ago Asterisk made this event; 0 without `timestampevents`, or when its clock was set."""
    try:
        delay = asterisk_now - float(message.get("timestamp"))
    except ValueError:
        return 0.0
    return delay if 0 < delay < PLAUSIBLE_DELAY_SECONDS else 0.0
