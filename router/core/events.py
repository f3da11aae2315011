"""News about one call, as the core understands it.

Events come from Asterisk (`router.ami.inbound` parses them), from the look-up store, from timers and from the
answers to our own actions. `parking` is the parking number N: news of an earlier parking is late news.
"""

from enum import StrEnum

from msgspec import Struct

from router.core.call_ends import CallSummary
from router.core.identities import ChannelName, ServerName, TenantId, Uniqueid
from router.core.lookups import Asked


class AskedFor(StrEnum):
    """How `route-ask` ended; empty when it was never entered."""

    NOT_ASKED = ""
    KEYED = "keyed"
    NONE = "none"
    LONG = "long"


class CallParked(Struct, frozen=True):
    """The call waits in `route-hold`."""

    server: ServerName
    channel: ChannelName
    uniqueid: Uniqueid
    linkedid: Uniqueid
    tenant: TenantId
    did: str
    """As the dialplan cleaned it: digits and `+`."""
    entry: str
    """The IVR entry, or empty."""
    caller_number: str
    """As the dialplan cleaned it; empty when there was none."""
    presentation: str
    """Asterisk's number presentation, such as `allowed` or `prohib`."""
    caller_name: str
    parking: int
    hold_seconds: float
    """Until the dialplan leaves by itself, counted from the arrival of this event."""
    digits: str = ""
    asked: AskedFor = AskedFor.NOT_ASKED
    is_resynced: bool = False
    """Found by listing channels, not by its own event."""


class CallAsking(Struct, frozen=True):
    """The call reached `route-ask`."""

    parking: int


class CallTaken(Struct, frozen=True):
    """The call goes to the destination that a router chose."""

    parking: int
    place: str
    """`context/exten/priority`."""


class DefaultedWhy(StrEnum):
    HOLD = "hold"
    GRACE = "grace"
    MISSING = "missing"
    ENDED = "ended"
    ERROR = "error"


class CallDefaulted(Struct, frozen=True):
    """The dialplan sends the call to a default."""

    parking: int
    why: DefaultedWhy
    place: str


class CallerHungUp(Struct, frozen=True):
    """The call is over, wherever it was."""

    parking: int
    summary: CallSummary | None = None
    """None: the dialplan is older than this router, or cannot tell."""


class CallVanished(Struct, frozen=True):
    """Asterisk restarted, or no longer lists the call: its channel's name may be a stranger's."""


class LookupAnswered(Struct, frozen=True):
    """The cache or a worker answered, or said that the answer is on its way."""

    parking: int
    asked: Asked


class LookupUnavailable(Struct, frozen=True):
    """The question could not be put: the job queue is out of reach or refuses more."""

    parking: int
    problem: str
    is_left: bool = False
    """The queue is out of reach of this router, and others may have an answer: the call is left to them."""


class LeaseGained(Struct, frozen=True):
    """This router has got the lease of the call's server: from here on the call is its own to work on."""

    parking: int


class TimerName(StrEnum):
    LOOKUP = "lookup"
    """The look-up's budget is over: the caller waits no longer."""
    SETTLE = "settle"
    """Nothing more will be heard of this parking."""
    ASK = "ask"
    """Whether the question can be put now, for a call that is left to other routers meanwhile."""
    WATCH = "watch"
    """Half of HOLD is over, and the router that should work on the call has not moved it."""


class TimerEnded(Struct, frozen=True):
    parking: int
    timer: TimerName


class ClaimAnswered(Struct, frozen=True):
    parking: int
    is_won: bool
    problem: str = ""
    """Why no claim was had, when Asterisk answered an error or nothing."""


class MoveAnswered(Struct, frozen=True):
    """Asterisk accepted or refused the Redirect. Accepted is not landed: only `CallTaken` is believed."""

    parking: int
    is_accepted: bool
    problem: str = ""


Event = (
    CallParked
    | CallAsking
    | CallTaken
    | CallDefaulted
    | CallerHungUp
    | CallVanished
    | LookupAnswered
    | LookupUnavailable
    | LeaseGained
    | TimerEnded
    | ClaimAnswered
    | MoveAnswered
)
AsteriskEvent = CallParked | CallAsking | CallTaken | CallDefaulted | CallerHungUp
