"""Small builders: a tenant with one rule, a parked call, an answer; each test names only what it is about."""

from datetime import tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from router.core.actions import Action
from router.core.calls import Call, Moment
from router.core.decide import Limits, decide, park
from router.core.destinations import DestinationKind, Target
from router.core.events import CallParked, Event
from router.core.identities import (
    ChannelName,
    IntegrationName,
    RouterName,
    RuleName,
    ServerName,
    TenantId,
    Uniqueid,
)
from router.core.leases import Duty
from router.core.lookups import Answer, Record, Value
from router.core.plans import TenantPlan
from router.core.rules import Greeting, Line, Location, Operator, Outcome, Rule, Source
from router.core.tenants import Integration, IvrEntry, Number, Tenant

Asked = TypeVar("Asked")

ACME = TenantId("acme")
ROUTER = RouterName("router-a")
SERVER = ServerName("pbx1")
ZURICH: tzinfo = ZoneInfo("Europe/Zurich")
LIMITS = Limits(hold_seconds=6.0, hold_margin_seconds=0.5, lookup_seconds=2.5, settle_seconds=10.0)
TEMPLATES = {
    kind: f"route-{kind.value},{{option}},1"
    for kind in DestinationKind
    if kind not in (DestinationKind.CONFERENCE, DestinationKind.HANGUP)
} | {DestinationKind.HANGUP: "route-hangup,s,1"}
"""Every kind but the conference."""

CRM = Integration(name=IntegrationName("crm"), settings={"url": "https://crm.example/lookup"})
ASKS_CRM = Source(integration=CRM.name)
GREETING = Greeting(sound="acme/your-number", min_digits=4, max_digits=6)
NOON = 1_700_046_000.0
"""A Wednesday, 2023-11-15, 12:00 in Zurich."""


def at(seconds: float) -> Moment:
    """So many seconds after the call of the test was parked."""
    return Moment(1_000.0 + seconds, NOON + seconds)


def queue(option: str) -> Target:
    return Target(DestinationKind.QUEUE, option)


def line(operator: str, value: Any = None, to: str = "gold", **more: Any) -> Line:
    """A line that sends to the queue `to`, unless `destination` and `option` say otherwise."""
    where = {"destination": DestinationKind.QUEUE, "option": to} | more
    return Line(operator=Operator(operator), value=value, **where)


def rule(**changes: Any) -> Rule:
    """`status = gold` goes to the queue gold, everything else to the queue desk."""
    settings: dict[str, Any] = {
        "name": RuleName("Sales"),
        "field": "status",
        "source": ASKS_CRM,
        "default": queue("desk"),
        "lines": (line("=", "gold"),),
    }
    return Rule(**(settings | changes))


def tenant(*rules: Rule, **changes: Any) -> Tenant:
    """The first rule decides for 044 555 00 01 and for the IVR entry `account`."""
    settings: dict[str, Any] = {
        "id": ACME,
        "country": "CH",
        "zone": "Europe/Zurich",
        "default": queue("reception"),
        "numbers": (Number("0445550001", rules[0].name if rules else None), Number("0445550002")),
        "ivr_entries": tuple(IvrEntry("account", rule.name) for rule in rules[:1]),
        "integrations": (CRM,),
        "rules": rules,
    }
    return Tenant(**(settings | changes))


def plan_of(tenant: Tenant) -> TenantPlan:
    return TenantPlan(tenant, TEMPLATES, ZURICH)


def plan(**rule_changes: Any) -> TenantPlan:
    return plan_of(tenant(rule(**rule_changes)))


def greeting_plan(greeting: Greeting = GREETING, **rule_changes: Any) -> TenantPlan:
    return plan(location=Location.IVR, greeting=greeting, **rule_changes)


def parked(**changes: Any) -> CallParked:
    event = CallParked(
        server=SERVER,
        channel=ChannelName("PJSIP/trunk-00000001"),
        uniqueid=Uniqueid("pbx1-1700046000.1"),
        linkedid=Uniqueid("pbx1-1700046000.1"),
        tenant=ACME,
        did="0445550001",
        entry="",
        caller_number="0791234567",
        presentation="allowed",
        caller_name="Anna",
        parking=1,
        hold_seconds=6.0,
    )
    return replace(event, **changes)


def record(status: Value = "gold", **changes: Any) -> Record:
    return replace(Record({"status": status}, id="7", name="Anna Muster"), **changes)


def found(*records: Record, **changes: Any) -> Answer:
    settings: dict[str, Any] = {
        "request": "GET https://crm.example/lookup?field_name=status",
        "attempts": 1,
        "crm_seconds": 0.1,
    }
    return Answer(Outcome.FOUND, records or (record(),), **(settings | changes))


def begin(
    plan: TenantPlan | None, event: CallParked | None = None, duty: Duty = Duty.WORK
) -> tuple[Call, list[Action]]:
    return park(event or parked(), plan, at(0), LIMITS, ROUTER, duty)


def after(call: Call, *events: Event) -> tuple[Call, list[Action]]:
    """The call after these events, a tenth of a second apart, and all that was asked meanwhile."""
    asked: list[Action] = []
    for number, event in enumerate(events, start=1):
        call, actions = decide(call, event, at(number / 10), LIMITS)
        asked += actions
    return call, asked


def only(kind: type[Asked], actions: list[Action]) -> Asked:
    """The one action of this kind."""
    (action,) = [action for action in actions if isinstance(action, kind)]
    return action
