"""A dry run: the real evaluation of a call that does not exist.

`begin` goes as far as the question to the CRM; the caller of this module asks it, or pretends an answer, and
`finish` gives the decision that a real call would have got, with its trace.
"""

from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from router.core.actions import StartLookup
from router.core.calls import Call, Moment
from router.core.decide import Limits, decide, park
from router.core.decisions import Decision, Ending
from router.core.events import AskedFor, CallParked, Event, LookupAnswered
from router.core.identities import ChannelName, RouterName, ServerName, Uniqueid
from router.core.lookups import Answer, Asked, CacheState, LookupJob, Record, Scalar, Value
from router.core.plans import TenantPlan
from router.core.reports import report
from router.core.rules import Outcome

REHEARSING_ROUTER = RouterName("dry-run")
REHEARSAL_SERVER = ServerName("dry-run")


class Pretended(Struct, frozen=True):
    """An answer that no CRM gave."""

    values: tuple[str, ...] = ()
    """Of the rule's field, one for each record."""
    outcome: Outcome | None = None
    problem: str = "pretended"
    """What the trace tells of it, where the outcome is a failure."""


def pretended_call(
    plan: TenantPlan, did: str, caller: str, entry: str, digits: str | None, name: str
) -> CallParked:
    """A parked call as the dialplan would tell of it. `digits` None: the greeting was not heard yet."""
    return CallParked(
        server=REHEARSAL_SERVER,
        channel=ChannelName("dry-run"),
        uniqueid=Uniqueid(name),
        linkedid=Uniqueid(name),
        tenant=plan.id,
        did=did,
        entry=entry,
        caller_number=caller,
        presentation="allowed" if caller else "prohib",
        caller_name="",
        parking=1,
        hold_seconds=60.0,
        digits=digits or "",
        asked=_asked(digits),
    )


def _asked(digits: str | None) -> AskedFor:
    if digits is None:
        return AskedFor.NOT_ASKED
    return AskedFor.KEYED if digits else AskedFor.NONE


def begin(
    event: CallParked, plan: TenantPlan, moment: Moment, limits: Limits
) -> tuple[Call, LookupJob | None]:
    """The call as far as it decides itself, and the question to the CRM if there is one."""
    call, actions = park(event, plan, moment, limits, REHEARSING_ROUTER)
    job = next((action.job for action in actions if isinstance(action, StartLookup)), None)
    return call, job


def hear(call: Call, event: Event, moment: Moment, limits: Limits) -> Call:
    """The call after the CRM's answer, or after its silence."""
    return decide(call, event, moment, limits)[0]


def pretend(call: Call, pretended: Pretended, moment: Moment, limits: Limits) -> Call:
    """The call after a pretended answer."""
    field = call.rule_plan.rule.field if call.rule_plan and call.rule_plan.rule else ""
    asked = Asked(CacheState.MISSING, _answer(pretended, field))
    return hear(call, LookupAnswered(call.parking, asked), moment, limits)


def _answer(pretended: Pretended, field: str) -> Answer:
    outcome, values = pretended.outcome, [read_value(text) for text in pretended.values]
    if outcome is Outcome.SEVERAL and len(values) < 2:
        values = [None, ""]  # two records that cannot agree: what becomes of them is the rule's own policy
    if values:
        records = tuple(Record({field: value}, id=str(number)) for number, value in enumerate(values, 1))
        return Answer(Outcome.FOUND, records)
    outcome = outcome or Outcome.NOT_FOUND
    return Answer(outcome, problem="" if outcome is Outcome.NOT_FOUND else pretended.problem)


def read_value(text: str) -> Value:
    """As a CRM's JSON has it: `42`, `true`, `null`, `["a"]` and `"42"` are read as JSON, the rest is text."""
    with suppress(msgspec.DecodeError, UnicodeEncodeError):
        read: Scalar | list[Scalar] = msgspec.json.decode(text, type=Scalar | list[Scalar])
        return read
    return text


def finish(call: Call) -> Decision:
    return replace(report(call, Ending.REHEARSED, "", ""), won_claim=False)
