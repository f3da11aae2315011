"""Five hundred callers and more who mean harm: by their name, their number, or the number they dial."""

from typing import NamedTuple

from tests.ami.scripted_server import parked_event
from tests.hostile.texts import FORGED, TEXTS


class HostileCaller(NamedTuple):
    name: str = "Anna"
    number: str = "0791234567"
    did: str = "0445550001"
    digits: str = ""


CALLERS: tuple[HostileCaller, ...] = (
    *(HostileCaller(name=text) for text in (*TEXTS, *FORGED)),
    *(HostileCaller(number=text) for text in TEXTS),
    *(HostileCaller(did=text) for text in TEXTS),
    *(HostileCaller(digits=text) for text in TEXTS),
    *(HostileCaller(text, text, text, text) for text in FORGED[::7]),
)


def decoded(caller: HostileCaller) -> HostileCaller:
    """The same as the reader has it of Asterisk's bytes: halves of characters are gone."""
    texts = (text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in caller)
    return HostileCaller(*texts)


def announced(caller: HostileCaller, *, is_escaped: bool) -> bytes:
    """The caller's call as Asterisk announces it, which escapes a name alone; or as if it escaped nothing.

    The dialplan cleans numbers and digits before it sets them: here they come as they are.
    """
    marked = {"CallerIDName": "<name>", "From": "<number>", "Did": "<did>", "Digits": "<digits>"}
    event = parked_event("pbx-a-1700000000.17", **marked)
    name = _escaped(caller.name) if is_escaped else caller.name
    for mark, text in zip(marked.values(), caller._replace(name=name), strict=True):
        event = event.replace(mark.encode(), text.encode("utf-8", "surrogatepass"))
    return event


def _escaped(text: str) -> str:
    """As Asterisk's ast_escape_c, which ends a text at a zero."""
    return "".join(ESCAPES.get(sign, sign) for sign in text.partition("\0")[0])


ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", "'": "\\'", '"': '\\"', "?": "\\?",
}  # fmt: skip
