"""One parked call, and the table of what may follow what.

A call begins when it is parked and ends when it lands somewhere, is defaulted, is abandoned or is lost. The
table lists late news too, as staying put; a pair that is not listed is a mistake of ours.

    WATCHING: another router has the lease of the server and works on the call
       |  half of HOLD is over, or the lease is gained
       v
    PARKED --decided--> CLAIMING --won--> MOVING --RouteTaken--> LANDED
       |                   |                 +--RouteAsking--> ASKING --RouteParked--> PARKED or WATCHING
       |                   +--lost--> YIELDED: somebody else moves it
       |  from any state:
       +-- RouteDefaulted --> DEFAULTED, hung up --> GONE, Asterisk restarted or silent --> LOST
"""

from enum import StrEnum

from msgspec import Struct

from router.core import events
from router.core.destinations import Destination, Target
from router.core.errors import ImpossibleEvent
from router.core.evaluate import CallFacts, Ruling
from router.core.events import CallParked
from router.core.identities import RouterName
from router.core.lookups import Answer, Asked, LookupJob, Record
from router.core.numbers import Caller
from router.core.plans import RulePlan, TenantPlan
from router.core.rules import Outcome


class CallState(StrEnum):
    WATCHING = "watching"
    PARKED = "parked"
    CLAIMING = "claiming"
    MOVING = "moving"
    ASKING = "asking"
    YIELDED = "yielded"
    LANDED = "landed"
    DEFAULTED = "defaulted"
    GONE = "gone"
    LOST = "lost"


ENDED = frozenset({CallState.LANDED, CallState.DEFAULTED, CallState.GONE, CallState.LOST})


class Choice(Struct, frozen=True):
    """What was decided for a call, and on what grounds."""

    target: Target
    place: Destination | None
    """None: no template leads there, nor to a default; the dialplan's own default serves."""
    why: str
    outcome: Outcome | None = None
    ruling: Ruling | None = None
    record: Record | None = None
    record_number: int | None = None
    chosen_why: str = ""
    problem: str = ""
    """Why `target` could not be had, when the default stands in for it."""
    stand_in: Target | None = None
    """The default that `place` leads to instead of `target`."""
    is_greeting: bool = False

    @property
    def served(self) -> Target:
        """The target that `place` leads to."""
        return self.stand_in or self.target


class Moment(Struct, frozen=True):
    """When something happens: `monotonic` measures spans, `epoch` tells the time of day. Seconds."""

    monotonic: float
    epoch: float


class Call(Struct, frozen=True, kw_only=True):
    parked: CallParked
    router: RouterName
    tenant_plan: TenantPlan | None
    rule_plan: RulePlan | None
    caller: Caller
    called: str
    facts: CallFacts
    parked_at: Moment
    waited_seconds: float = 0.0
    """How much of its HOLD was over when this router began to work on it."""
    state: CallState = CallState.PARKED
    job: LookupJob | None = None
    asked: Asked | None = None
    """How the cache met the question."""
    answer: Answer | None = None
    """What came of the question: from the cache, from a worker, or of our own when neither was in time."""
    unasked: str = ""
    """Why the question could not be put, where the call is left to other routers as long as it can wait."""
    problem: str = ""
    """What went wrong on our side of the call."""
    choice: Choice | None = None
    won_claim: bool = False
    steps: tuple[tuple[str, float], ...] = ()
    """Step and monotonic second, in order."""

    @property
    def parking(self) -> int:
        return self.parked.parking

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED


EVENT_TYPES: tuple[type[events.Event], ...] = (
    events.CallParked,
    events.CallAsking,
    events.CallTaken,
    events.CallDefaulted,
    events.CallerHungUp,
    events.CallVanished,
    events.LookupAnswered,
    events.LookupUnavailable,
    events.LeaseGained,
    events.TimerEnded,
    events.ClaimAnswered,
    events.MoveAnswered,
)

_S = CallState
_MOVED_BY_ASTERISK = {
    events.CallParked: frozenset({_S.WATCHING, _S.PARKED, _S.CLAIMING, _S.LOST}),
    events.CallAsking: frozenset({_S.ASKING}),
    events.CallTaken: frozenset({_S.LANDED}),
    events.CallDefaulted: frozenset({_S.DEFAULTED}),
    events.CallerHungUp: frozenset({_S.GONE}),
    events.CallVanished: frozenset({_S.LOST}),
}


_Row = dict[type[events.Event], frozenset[CallState]]


def _rows(state: CallState, own: _Row, impossible: tuple[type[events.Event], ...] = ()) -> _Row:
    stay = frozenset({state})
    rows = {kind: _MOVED_BY_ASTERISK.get(kind, frozenset[CallState]()) | stay for kind in EVENT_TYPES}
    rows |= {kind: nexts | stay for kind, nexts in own.items()}
    return {kind: nexts for kind, nexts in rows.items() if kind not in impossible}


# State, event -> the states that may follow; staying put is late news. What is not listed cannot happen: no
# claim is answered before one was made, and no move before a claim was won.
MAY_FOLLOW: dict[CallState, _Row] = {
    _S.WATCHING: _rows(
        _S.WATCHING,
        {
            events.LeaseGained: frozenset({_S.PARKED, _S.CLAIMING}),
            events.TimerEnded: frozenset({_S.PARKED, _S.CLAIMING}),
        },
        impossible=(events.ClaimAnswered, events.MoveAnswered),
    ),
    _S.PARKED: _rows(
        _S.PARKED,
        {
            events.LookupAnswered: frozenset({_S.CLAIMING}),
            events.LookupUnavailable: frozenset({_S.CLAIMING}),
            events.TimerEnded: frozenset({_S.CLAIMING}),
        },
        impossible=(events.ClaimAnswered, events.MoveAnswered),
    ),
    _S.CLAIMING: _rows(
        _S.CLAIMING,
        {events.ClaimAnswered: frozenset({_S.MOVING, _S.YIELDED}), events.TimerEnded: frozenset({_S.LOST})},
        impossible=(events.MoveAnswered,),
    ),
    _S.MOVING: _rows(
        _S.MOVING,
        {events.MoveAnswered: frozenset({_S.YIELDED}), events.TimerEnded: frozenset({_S.LOST})},
    ),
    _S.ASKING: _rows(_S.ASKING, {events.TimerEnded: frozenset({_S.LOST})}),
    _S.YIELDED: _rows(_S.YIELDED, {events.TimerEnded: frozenset({_S.LOST})}),
    **{ended: {kind: frozenset({ended}) for kind in EVENT_TYPES} for ended in sorted(ENDED)},
}


def check_transition(before: CallState, event: events.Event, after: CallState) -> None:
    """Raise ImpossibleEvent when the table has no such row."""
    if after not in MAY_FOLLOW[before].get(type(event), frozenset()):
        raise ImpossibleEvent(f"{type(event).__name__} cannot take a call from {before} to {after}")
