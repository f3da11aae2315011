"""What the core asks the engine to do. The engine does it and says how it went by events."""

from msgspec import Struct

from router.core.call_ends import CallSummary
from router.core.decisions import Decision
from router.core.destinations import Destination
from router.core.events import TimerName
from router.core.lookups import LookupJob


class ArmFallback(Struct, frozen=True):
    """Put the rule's own default onto the channel: even the dialplan's own time limit then leads there."""

    fallback: Destination
    option: str


class StartLookup(Struct, frozen=True):
    job: LookupJob


class Claim(Struct, frozen=True):
    """Try to become this parking's one winner."""


class Move(Struct, frozen=True):
    """Set the variables and redirect: sent at once after a won claim, on the same connection."""

    variables: tuple[tuple[str, str], ...]
    place: Destination


class StartTimer(Struct, frozen=True):
    timer: TimerName
    seconds: float


class Report(Struct, frozen=True):
    """The call has ended for us: write its decision to the stream."""

    decision: Decision
    delay_seconds: float = 0.0
    """For a router that only watched: the one that worked on the call knows more, and is heard first."""


class CloseCall(Struct, frozen=True):
    """The call is over: what is open of it for the CRM's call log is closed."""

    summary: CallSummary
    delay_seconds: float = 0.0


Action = ArmFallback | StartLookup | Claim | Move | StartTimer | Report | CloseCall
