"""Trying rules by the API, as the form's panel does: a call that does not exist, and the way it would go."""

from datetime import datetime

from litestar import Controller, post
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.problems import ApiError
from router.admin.handed import NumberInPath, TextInPath, TheSite, Who
from router.admin.identity import Identity
from router.admin.site import Site
from router.admin.trials import Trial, try_rule
from router.core.decisions import LATEST_MOMENT, Decision
from router.core.explain import Explainer
from router.core.identities import TenantId
from router.core.rehearsals import Pretended
from router.core.roles import Permission
from router.core.rules import Outcome, Rule
from router.records import rules
from router.records.rules import RuleRow


class TrialCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    caller: str = ""
    """Empty: the number is withheld."""
    called: str = ""
    """Empty: the tenant's first number."""
    digits: str = ""
    at: datetime | None = None
    """None: now."""
    values: tuple[str, ...] | None = None
    """Of the rule's field, one for each record that the CRM is pretended to have. None asks the CRM."""
    outcome: Outcome | None = None
    """Pretended in place of values."""


class TrialRequest(TrialCall, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rule: Rule


class TrialStep(Struct, frozen=True):
    text: str
    after_ms: float | None


class TrialTold(Struct, frozen=True, kw_only=True):
    target: str
    source: str
    """worker, cache, pretended, not asked, nobody (no worker answered) or store (Redis is out of reach)."""
    steps: tuple[TrialStep, ...]
    """The trace in sentences."""
    decision: Decision


class TrialsController(Controller):
    path = "/tenants/{tenant:str}/rules"
    tags = ("Rules",)

    @post("/try", operation_id="tryRule", status_code=200)
    async def try_given(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[TrialRequest]
    ) -> TrialTold:
        """How a call would go by the rule that is sent. Nothing is saved."""
        identity.require(Permission.TRY, TenantId(tenant))
        return await _told(site, identity, TenantId(tenant), data.rule, None, data)

    @post("/{rule:int}/try", operation_id="tryDraft", status_code=200)
    async def try_draft(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath, data: JSONBody[TrialCall]
    ) -> TrialTold:
        """How a call would go by the rule's draft."""
        identity.require(Permission.TRY, TenantId(tenant))
        async with site.database.reading() as connection:
            row = await rules.one(connection, TenantId(tenant), rule)
        return await _told(site, identity, TenantId(tenant), row.draft, row, data)


def _epoch(at: datetime) -> float:
    """Raises ApiError for a moment at which nobody can call."""
    seconds = at.timestamp()
    if not 0 <= seconds < LATEST_MOMENT:
        raise ApiError(400, "malformed", "`at` is before 1970, or after 9998")
    return seconds


async def _told(
    site: Site, identity: Identity, tenant: TenantId, rule: Rule, row: RuleRow | None, data: TrialCall
) -> TrialTold:
    trial = Trial(
        caller=data.caller[:80],
        called=data.called[:40],
        digits=data.digits[:20],
        epoch=_epoch(data.at) if data.at else site.clock(),
        answer=_answer(data),
    )
    tried = await try_rule(site, identity, tenant, rule, row, trial)
    steps = Explainer(tried.plan.zone).explain(tried.decision)
    return TrialTold(
        target=tried.decision.asked_target,
        source=tried.source,
        steps=tuple(TrialStep(step.text, step.after_ms) for step in steps),
        decision=tried.decision,
    )


def _answer(data: TrialCall) -> Pretended | None:
    if data.outcome is not None:
        several = data.values or () if data.outcome is Outcome.SEVERAL else ()
        return Pretended(several, data.outcome)
    return None if data.values is None else Pretended(data.values)
