"""Trying a rule that is not in force: the real evaluation of a call that does not exist."""

from secrets import token_hex

from msgspec import Struct
from msgspec.structs import replace

from router.admin.identity import Identity
from router.admin.secrets import Secrets
from router.admin.site import Site
from router.core.decisions import Decision
from router.core.events import CallParked
from router.core.identities import TenantId
from router.core.numbers import understand_called
from router.core.plans import TenantPlan
from router.core.rehearsals import Pretended, pretended_call
from router.core.roles import Permission
from router.core.rules import Location, Rule
from router.core.tenants import IvrEntry, Number, Tenant
from router.records import publications
from router.records.configuration import draft_of
from router.records.rules import RuleRow
from router.settings.planning import limits_of, plan_of
from router.store.rehearsing import Drafted, clock_from, rehearsed

ENTRY = "trial"


class Trial(Struct, frozen=True, kw_only=True):
    """A call that is pretended."""

    caller: str
    """Empty: the number is withheld."""
    called: str = ""
    """Empty: the tenant's first number."""
    digits: str = ""
    """Keyed after the rule's greeting."""
    epoch: float
    """When it comes, in seconds since the epoch."""
    answer: Pretended | None
    """What the CRM says; None asks the CRM itself."""


class Tried(Struct, frozen=True):
    decision: Decision
    source: str
    """Where the answer came from, as `router.store.rehearsing.rehearsed` names it."""
    plan: TenantPlan


async def try_rule(
    site: Site, identity: Identity, tenant: TenantId, rule: Rule, row: RuleRow | None, trial: Trial
) -> Tried:
    """`row` is the rule's own, where it has one. Nothing is saved.

    Whoever may only try asks as rules in force ask: an address of one's own choice takes the right to edit.
    Raises NotFound, NotAllowed, ApiError.
    """
    async with site.database.reading() as connection:
        await site.require_tenant(connection, tenant)
        whole, _ = await publications.assemble(connection, tenant)
    kept, is_in_force = rule, True
    if trial.answer is None:
        kept, is_in_force = _asking(site, identity, tenant, rule, row)
    tried = _trial_of(whole, kept, row, trial.called)
    plan = plan_of(tried, site.settings.destinations)
    parked = _call(plan, kept, trial)
    answering = trial.answer or site.store
    limits = limits_of(site.settings, site.manifests)
    drafted = None if is_in_force else _drafted(plan, kept)
    if drafted is not None:
        identity.require(Permission.EDIT, tenant)
    decision, source = await rehearsed(parked, plan, limits, clock_from(trial.epoch), answering, drafted)
    return Tried(decision, source, plan)


def _asking(
    site: Site, identity: Identity, tenant: TenantId, rule: Rule, row: RuleRow | None
) -> tuple[Rule, bool]:
    """The rule with its secrets, and whether workers have what it asks by. Raises ApiError."""
    secrets, live = site.secrets(tenant), row.live if row else None
    if live is not None and live.name == rule.name and _is_same_source(secrets, rule, live):
        return replace(rule, source=live.source), True
    return secrets.kept_rule(identity, rule, row.draft if row else None), False


def _is_same_source(secrets: Secrets, rule: Rule, live: Rule) -> bool:
    """As it is kept, or as a form gives back what it was shown: without its secrets, and with no new one."""
    return rule.source in (live.source, secrets.shown_rule(live)[0].source)


def _trial_of(whole: Tenant, rule: Rule, row: RuleRow | None, called: str) -> Tenant:
    """The tenant with this draft in force, and one number and entry that lead to it."""
    drafted = draft_of(whole, rule, row.live.name if row and row.live else None)
    first = drafted.numbers[0].did if drafted.numbers else "1"
    return Tenant(
        id=drafted.id,
        name=drafted.name,
        country=drafted.country,
        zone=drafted.zone,
        default=drafted.default,
        numbers=(Number(called or first, rule.name),),
        ivr_entries=(IvrEntry(ENTRY, rule.name),),
        integrations=drafted.integrations,
        rules=drafted.rules,
    )


def _call(plan: TenantPlan, rule: Rule, trial: Trial) -> CallParked:
    is_ivr = rule.location is Location.IVR
    called = "" if is_ivr else understand_called(plan.tenant.numbers[0].did, plan.tenant.country)
    keyed = trial.digits if rule.greeting else None
    entry = ENTRY if is_ivr else ""
    return pretended_call(plan, called, trial.caller, entry, keyed, f"trial-{token_hex(3)}")


def _drafted(plan: TenantPlan, rule: Rule) -> Drafted | None:
    """What workers do not have: an address or a user of the rule's own, which need not be in force."""
    source = rule.source
    if source is None or (source.custom is None and source.credentials is None):
        return None
    integration = plan.rule_named(rule.name).integration
    if integration is None:
        return None
    return Drafted(integration.connector, integration.settings, source.credentials, rule.name)
