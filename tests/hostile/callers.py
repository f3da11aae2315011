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


def announced(caller: HostileCaller, **fields: str) -> bytes:
    """The caller's call as Asterisk would announce it if it cleaned nothing: AMI knows no escaping."""
    marked = {"CallerIDName": "<name>", "From": "<number>", "Did": "<did>", "Digits": "<digits>"}
    event = parked_event("pbx-a-1700000000.17", **(marked | fields))
    for mark, text in zip(marked.values(), caller, strict=True):
        event = event.replace(mark.encode(), text.encode("utf-8", "surrogatepass"))
    return event
