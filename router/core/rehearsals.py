"""A dry run: the real evaluation of a call that does not exist.

`begin` goes as far as the question to the CRM; the caller of this module asks it, or pretends an answer, and
`finish` gives the decision that a real call would have got, with its trace.
"""

from msgspec.structs import replace

from router.core.actions import StartLookup
from router.core.calls import Call, Moment
from router.core.decide import Limits, decide, park
from router.core.decisions import Decision, Ending
from router.core.events import AskedFor, CallParked, Event
from router.core.identities import ChannelName, RouterName, ServerName, Uniqueid
from router.core.lookups import LookupJob
from router.core.plans import TenantPlan
from router.core.reports import report

REHEARSING_ROUTER = RouterName("dry-run")
REHEARSAL_SERVER = ServerName("dry-run")


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


def finish(call: Call) -> Decision:
    return replace(report(call, Ending.REHEARSED, "", ""), won_claim=False)
