"""Trying a rule as it stands in the form, with its trace in sentences."""

from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response

from router.admin.api.problems import ApiError
from router.admin.identity import NotAllowed
from router.admin.pages.front import Visit
from router.admin.pages.rule_form import rule_of
from router.admin.pages.told import refusal_told
from router.admin.site import Site
from router.admin.trials import Trial, try_rule
from router.core.decisions import LATEST_MOMENT
from router.core.explain import Explainer
from router.core.identities import TenantId
from router.core.rehearsals import Pretended
from router.core.rules import Outcome
from router.records.rules import RuleRow

ASK, VALUE = "ask", "value"
PRETENDED_OUTCOMES = (Outcome.NOT_FOUND, Outcome.SEVERAL, Outcome.CRM_ERROR, Outcome.TIMEOUT)


async def tried(site: Site, visit: Visit, tenant: TenantId, row: RuleRow | None) -> Response[Any]:
    """The trace in sentences, or what is missing for one. Nothing is saved."""
    language = visit.reader.language
    read = rule_of(visit.fields, row.draft if row else None, site.custom_url)
    if read.rule is None:
        what = language.text(read.problems[0].what)
        return _missing(visit, language.text("Fill in the rule first: {what}", what=what))
    async with site.database.reading() as connection:
        zone = ZoneInfo((await site.require_tenant(connection, tenant)).profile.zone)
    epoch = _epoch(visit.fields["trial.at"], zone, site.clock())
    if epoch is None:
        return _missing(visit, language.text("Write the time as the field offers it."))
    trial = Trial(
        caller=visit.fields["trial.caller"].strip()[:80],
        called=visit.fields["trial.called"].strip()[:40],
        digits=visit.fields["trial.digits"].strip()[:20],
        epoch=epoch,
        answer=None if visit.fields["trial.answer"] == ASK else _pretended(visit),
    )
    try:
        told = await try_rule(site, visit.identity, tenant, read.rule, row, trial)
    except (ApiError, NotAllowed) as error:
        return _missing(visit, f"{refusal_told(error, language)}.")
    steps = Explainer(told.plan.zone, language.sentences, language.problem).explain(told.decision)
    return visit.answer(
        "trial.html", problem="", steps=steps, target=told.decision.asked_target, source=told.source
    )


def _missing(visit: Visit, told: str) -> Response[Any]:
    return visit.answer("trial.html", problem=told, steps=[], target="", source="")


def _pretended(visit: Visit) -> Pretended:
    """The answer `value`, or one of the outcomes."""
    chosen = visit.fields["trial.answer"]
    if chosen in PRETENDED_OUTCOMES:
        return Pretended(outcome=Outcome(chosen))
    return Pretended(values=(visit.fields["trial.value"].strip()[:500],))


def _epoch(text: str, zone: tzinfo, now: float) -> float | None:
    if not text:
        return now
    try:
        seconds = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < LATEST_MOMENT else None
