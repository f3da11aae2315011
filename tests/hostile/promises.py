"""What holds of every call, whoever calls, whatever a CRM says and whatever a tenant configures.

The call is decided and moved once, by a known Redirect to a place of its own tenant's templates. Nothing that
others wrote becomes a header, an action, or the call of a dialplan function, and the decision can be told.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC

from router.ami.outbound import ACTION_NAMES, ActionHeaders, move_actions, set_variable
from router.core.actions import Action, ArmFallback, Claim, Move, Report
from router.core.calls import Call, CallState, Moment
from router.core.decide import Limits, decide, park
from router.core.decisions import Decision
from router.core.destinations import DestinationKind, is_option, parse_place
from router.core.events import CallParked, CallTaken, ClaimAnswered, Event, LookupAnswered
from router.core.explain import Explainer
from router.core.identities import ChannelName, RouterName
from router.core.lookups import Answer, Asked, CacheState
from router.core.plans import TenantPlan
from router.core.rules import Outcome
from router.store.packing import pack, unpack_decision

LIMITS = Limits(hold_seconds=6.0, hold_margin_seconds=0.5, lookup_seconds=2.5, settle_seconds=10.0)
ROUTER = RouterName("router-a")
TEMPLATES = {kind: f"{{tenant}}-{kind.value},{{option}},1" for kind in DestinationKind} | {
    DestinationKind.HANGUP: "route-hangup,s,1"
}
"""Each tenant in contexts of its own, as a provider has it: another tenant's place shows by its name."""
LANDING = frozenset(
    {"ROUTE_TO", "ROUTE_OPTION", "ROUTE_OUTCOME", "ROUTE_THEN", "ROUTE_THEN_OPTION", "QUEUE_PRIO"}
    | {"ROUTE_VALUE", "ROUTE_CONTACT", "ROUTE_LINK"}
)
ASKING = frozenset(f"ROUTE_ASK_{name}" for name in ("SOUND", "MIN", "MAX", "SECONDS", "TRIES", "STOP"))
VARIABLE = re.compile(r"[A-Z_]+")
"""A name with brackets would call a dialplan function."""
READ_BY_THE_DIALPLAN = frozenset('${}[]"\\;,|<>\r\n\0')
BEGUN = Moment(1_000.0, 1_700_000_000.0)
LATER = Moment(1_000.5, 1_700_000_000.5)


def routed(parked: CallParked, plan: TenantPlan, answer: Answer) -> Decision:
    """Take a call to its end, and hold everything on its way to the promises."""
    call, asked = park(parked, plan, BEGUN, LIMITS, ROUTER)
    if call.state is CallState.PARKED:
        call = _follow(call, LookupAnswered(call.parking, Asked(CacheState.MISSING, answer)), asked)
    assert call.state is CallState.CLAIMING, call.state
    assert [type(action) for action in asked].count(Claim) == 1
    call = _follow(call, ClaimAnswered(call.parking, is_won=True), asked)
    call = _follow(call, CallTaken(call.parking, "somewhere/s/1"), asked)
    _require_moved_safely(parked.channel, asked, plan)
    (decision,) = [action.decision for action in asked if isinstance(action, Report)]
    require_told(decision)
    return decision


def _follow(call: Call, event: Event, asked: list[Action]) -> Call:
    after, actions = decide(call, event, LATER, LIMITS)
    asked += actions
    return after


def _require_moved_safely(channel: ChannelName, actions: Sequence[Action], plan: TenantPlan) -> None:
    (move,) = [action for action in actions if isinstance(action, Move)]
    variables = dict(move.variables)
    require_wire(move_actions(channel, move.variables, move.place))
    if move.place.context == "route-ask":
        assert variables.keys() == ASKING
    else:
        assert move.place.context == "route-land"
        assert variables.keys() <= LANDING, variables.keys() - LANDING
        _require_landing(variables, plan)
    for arming in (action for action in actions if isinstance(action, ArmFallback)):
        require_own_place(str(arming.fallback), plan)
        assert not arming.option or is_option(arming.option)
        require_wire([set_variable(channel, "ROUTE_FALLBACK", str(arming.fallback))])


def _require_landing(variables: dict[str, str], plan: TenantPlan) -> None:
    for name in ("ROUTE_TO", "ROUTE_THEN"):
        require_own_place(variables.get(name, ""), plan)
    for name in ("ROUTE_OPTION", "ROUTE_THEN_OPTION"):
        assert not variables.get(name) or is_option(variables[name])
    for name, text in variables.items():
        if name not in ("ROUTE_TO", "ROUTE_THEN"):  # these have the commas of a place, and nothing else
            assert not set(text) & READ_BY_THE_DIALPLAN, (name, text)


def require_own_place(text: str, plan: TenantPlan) -> None:
    """Empty, or a place that this tenant's templates make."""
    place = parse_place(text)
    assert not text or place is not None, text
    if place is not None:
        own = {f"{plan.id}-{kind.value}" for kind in DestinationKind} | {"route-hangup"}
        assert place.context in own, f"{place} is none of {plan.id}'s"


def require_wire(actions: Iterable[ActionHeaders]) -> None:
    """Each is one action of ours, as it goes over the wire: no header and no action more than was meant."""
    for headers in actions:
        wire = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        assert headers["Action"] in ACTION_NAMES
        assert len(wire.splitlines()) == len(headers), wire
        assert b"\0" not in wire
        if headers["Action"] == "Setvar":
            assert VARIABLE.fullmatch(headers["Variable"])
        assert all(len(line) < 1_024 for line in wire.splitlines())


def require_told(decision: Decision) -> None:
    """It can be kept, and told in sentences of one line each."""
    assert pack(unpack_decision(pack(decision))) == pack(decision)
    steps = Explainer(UTC).explain(decision)
    assert steps
    for step in steps:
        assert len(step.text.encode().splitlines()) == 1


NOT_FOUND = Answer(Outcome.NOT_FOUND)
