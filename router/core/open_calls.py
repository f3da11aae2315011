"""A call that will be written into a CRM when it is over: what is known of it until then. Pure.

A call is opened when a parking's decision is recorded and its rule's integration wants calls written; it is
closed by the dialplan's last word (`RouteGone`). A call that was parked several times is one call: where it
went is of the last parking; its record is of the last parking that brought one.
"""

from msgspec import Struct
from msgspec.structs import replace

from router.core.briefs import brief
from router.core.call_ends import CallSummary, end_of, talk_seconds_of
from router.core.call_logs import FinishedCall, LogOptions
from router.core.call_subjects import worded
from router.core.calls import Call
from router.core.decisions import Decision, Ending
from router.core.destinations import DestinationKind, Target
from router.core.display import one_line
from router.core.identities import IntegrationName, RuleName, TenantId, Uniqueid
from router.core.lookups import AskedBy
from router.core.numbers import CallerKind
from router.core.plans import RulePlan, TenantPlan
from router.core.rules import Outcome

DIRECTION = "Inbound"
WITHHELD = "a withheld number"


class OpenCall(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One parking of a call, as its entry needs it. Moments are seconds since the epoch, by the router."""

    tenant: TenantId
    call_id: Uniqueid
    parking: int
    integration: IntegrationName
    credentials_of: RuleName | None = None
    started_at: float
    """When it was parked."""
    reached_at: float
    """When it left for its destination."""
    caller: str
    caller_name: str = ""
    called: str
    is_unknown: bool = False
    """The CRM was asked for the caller's number, and knows nobody."""
    module: str = ""
    record_id: str = ""
    """Empty: no record was chosen, or the CRM names none."""
    record_name: str = ""
    destination: str
    rule: str
    decision: str
    is_for_voicemail: bool = False
    """The destination is a voicemail box."""
    is_certain: bool = False
    """Its router won the claim: it knows more of the call than another one that saw it."""

    @property
    def rank(self) -> int:
        """Of several witnesses' accounts the highest is kept: the last parking's, and its winner's."""
        return self.parking * 2 + self.is_certain

    @property
    def knowledge(self) -> int:
        """How much its look-up said of the caller: a record says more than that there is none."""
        return 2 if self.record_id else int(self.is_unknown)


class KeptCall(Struct, frozen=True):
    """All that is kept of an open call."""

    latest: OpenCall
    known: OpenCall | None
    """The parking whose look-up said most of the caller; None when none said anything."""
    started_at: float
    """Of its first parking."""

    def merged(self) -> OpenCall:
        known = self.known or self.latest
        return replace(
            self.latest,
            started_at=min(self.started_at, self.latest.started_at),
            integration=known.integration,
            credentials_of=known.credentials_of,
            is_unknown=known.is_unknown,
            module=known.module,
            record_id=known.record_id,
            record_name=known.record_name,
        )


def open_call(call: Call, decision: Decision) -> OpenCall | None:
    """None where nothing is to be written of this call."""
    plan = call.rule_plan
    integration = plan.integration if plan else None
    if plan is None or plan.rule is None or integration is None or not integration.log.is_on:
        return None
    choice = call.choice
    record = choice.record if choice else None
    is_named = record is not None and bool(record.id)
    target, destination = _destination(call, decision, plan)
    source = plan.rule.source
    is_withheld = call.caller.kind is CallerKind.WITHHELD
    return OpenCall(
        tenant=decision.tenant,
        call_id=decision.call_id,
        parking=decision.parking,
        integration=integration.name,
        credentials_of=plan.name if source and source.credentials else None,
        started_at=decision.parked_at,
        reached_at=decision.parked_at + decision.steps_ms.get("ended", 0.0) / 1000,
        caller="" if is_withheld else call.caller.e164 or call.caller.received,
        caller_name="" if is_withheld else one_line(call.caller.name),
        called=call.called,
        is_unknown=_is_unknown(call),
        module=record.module if record and is_named else "",
        record_id=record.id if record else "",
        record_name=one_line(record.name) if record and is_named else "",
        destination=destination,
        rule=plan.rule.name,
        decision=brief(decision),
        is_for_voicemail=target is not None and _is_voicemail(target),
        is_certain=call.won_claim,
    )


def finished_call(
    kept: KeptCall, summary: CallSummary, options: LogOptions, ended_at: float
) -> FinishedCall | None:
    """The entry for the CRM, or None where the tenant wants none of such a call."""
    call = kept.merged()
    ending = end_of(summary, call.is_for_voicemail)
    if ending not in options.calls:
        return None
    started_at = min(call.started_at, ended_at - summary.seconds)
    values = {
        "caller": call.caller or WITHHELD,
        "called": call.called,
        "name": call.record_name or call.caller_name or call.caller or WITHHELD,
        "destination": call.destination,
        "rule": call.rule,
        "ending": ending.value,
        "direction": DIRECTION,
    }
    return FinishedCall(
        tenant=call.tenant,
        integration=call.integration,
        call_id=call.call_id,
        ending=ending,
        started_at=started_at,
        seconds=summary.seconds,
        talk_seconds=talk_seconds_of(summary, call.reached_at - started_at),
        caller=call.caller,
        caller_name=call.caller_name,
        called=call.called,
        module=call.module,
        record_id=call.record_id,
        record_name=call.record_name,
        create_in=options.create_unknown if call.is_unknown else "",
        credentials_of=call.credentials_of,
        subject=worded(options.subject, values),
        decision=call.decision,
    )


def writes_calls(plan: TenantPlan) -> bool:
    """Whether any integration of the tenant wants calls written."""
    return any(one.log.is_on for one in plan.tenant.integrations)


def log_options(plan: TenantPlan, integration: IntegrationName) -> LogOptions | None:
    """What the tenant wants of this integration at this moment; None when it is no longer there."""
    return next((one.log for one in plan.tenant.integrations if one.name == integration), None)


def _is_unknown(call: Call) -> bool:
    """Only a number makes a new record; digits, an error or several records leave open whose call it is."""
    is_asked = call.job is not None and call.job.key.by is AskedBy.NUMBER
    outcome = call.choice.outcome if call.choice else None
    return is_asked and outcome is Outcome.NOT_FOUND and call.caller.kind is CallerKind.NUMBER


def _destination(call: Call, decision: Decision, plan: RulePlan) -> tuple[Target | None, str]:
    """The target that the call went to, where it is one of the tenant's, and its name."""
    choice = call.choice
    if decision.ending is Ending.ABANDONED:
        return None, ""
    if decision.ending is not Ending.DEFAULTED:
        return (choice.served, str(choice.served)) if choice and not choice.is_greeting else (None, "")
    fallback = str(plan.fallback).replace(",", "/") if plan.fallback else ""
    if fallback and decision.reached_place == fallback:
        return plan.fallback_target, str(plan.fallback_target)
    return None, decision.reached_place


def _is_voicemail(target: Target) -> bool:
    return target.voicemail or target.destination is DestinationKind.VOICEMAIL
