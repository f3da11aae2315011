"""Trying a rule as it stands in the form: the real evaluation of a call that does not exist."""

from datetime import datetime
from secrets import token_hex
from typing import Any

from litestar import Response

from router.admin.pages.front import Visit
from router.admin.pages.rule_form import rule_of
from router.admin.site import Site
from router.core.explain import Explainer
from router.core.identities import TenantId
from router.core.plans import TenantPlan
from router.core.rehearsals import Pretended, pretended_call
from router.core.rules import Outcome, Rule
from router.core.tenants import IvrEntry, Number, Tenant
from router.records import publications
from router.records.configuration import draft_of
from router.records.rules import RuleRow
from router.settings.planning import limits_of, plan_of
from router.store.rehearsing import clock_from, rehearsed

ENTRY = "trial"
ASK, VALUE = "ask", "value"


async def tried(site: Site, visit: Visit, tenant: TenantId, row: RuleRow | None) -> Response[Any]:
    """The trace in sentences, or what is missing for one. Nothing is saved."""
    language = visit.reader.language
    read = rule_of(visit.fields, row.draft if row else None)
    if read.rule is None:
        told = language.text("Fill in the rule first: {what}", what=language.text(read.problems[0].what))
        return visit.answer("trial.html", problem=told, steps=[], target="", source="")
    async with site.database.reading() as connection:
        whole, _ = await publications.assemble(connection, tenant)
    former = row.live.name if row and row.live else None
    plan = plan_of(_trial_of(whole, read.rule, former), site.settings.destinations)
    epoch = _epoch(visit.fields.get("trial.at", ""), plan, site.clock())
    if epoch is None:
        told = language.text("Write the time as the field offers it.")
        return visit.answer("trial.html", problem=told, steps=[], target="", source="")
    answering = site.store if visit.fields.get("trial.answer") == ASK else _pretended(visit)
    parked = _call(plan, read.rule, visit)
    decision, source = await rehearsed(parked, plan, limits_of(site.settings), clock_from(epoch), answering)
    steps = Explainer(plan.zone, language.sentences).explain(decision)
    return visit.answer("trial.html", problem="", steps=steps, target=decision.asked_target, source=source)


def _trial_of(whole: Tenant, rule: Rule, former: Any) -> Tenant:
    """The tenant with this draft in force, and one number and entry that lead to it."""
    drafted = draft_of(whole, rule, former)
    numbers = (Number(_called(drafted), rule.name),)
    entries = (IvrEntry(ENTRY, rule.name),)
    return Tenant(
        id=drafted.id,
        name=drafted.name,
        country=drafted.country,
        zone=drafted.zone,
        default=drafted.default,
        numbers=numbers,
        ivr_entries=entries,
        integrations=drafted.integrations,
        rules=drafted.rules,
    )


def _called(tenant: Tenant) -> str:
    return tenant.numbers[0].did if tenant.numbers else "1"


def _call(plan: TenantPlan, rule: Rule, visit: Visit) -> Any:
    caller = visit.fields.get("trial.caller", "").strip()[:80]
    digits = visit.fields.get("trial.digits", "").strip()[:20]
    entry = ENTRY if rule.location.value == "ivr" else ""
    keyed = digits if rule.greeting else None
    called = "" if entry else _called(plan.tenant)
    return pretended_call(plan, called, caller, entry, keyed, f"trial-{token_hex(3)}")


def _pretended(visit: Visit) -> Pretended:
    """The answer `value`, or one of the outcomes."""
    chosen = visit.fields.get("trial.answer", VALUE)
    if chosen in (Outcome.NOT_FOUND, Outcome.SEVERAL, Outcome.CRM_ERROR, Outcome.TIMEOUT):
        return Pretended(outcome=Outcome(chosen), problem="pretended")
    return Pretended(values=(visit.fields.get("trial.value", "").strip()[:500],))


def _epoch(text: str, plan: TenantPlan, now: float) -> float | None:
    if not text:
        return now
    try:
        return datetime.fromisoformat(text).replace(tzinfo=plan.zone).timestamp()
    except ValueError:
        return None
