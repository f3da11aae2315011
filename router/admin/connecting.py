"""An integration as it is kept, and how its CRM is doing, for the page and the API alike."""

from router.admin.api.problems import ApiError
from router.admin.identity import Identity
from router.admin.site import Site
from router.core.crm_states import CrmState, with_breaker
from router.core.errands import TellSignIn, crm_state_of
from router.core.identities import IntegrationName, TenantId
from router.core.roles import Role
from router.core.rules import Rule
from router.core.tenants import Integration
from router.records import rules

STATE_SECONDS = 4.0


async def crm_state(site: Site, tenant: TenantId, integration: IntegrationName) -> CrmState:
    """As any worker tells it, and what its look-ups met. Raises StoreError."""
    errand = TellSignIn(tenant=tenant, integration=integration)
    reply = await site.store.errands.run(errand, STATE_SECONDS)
    return with_breaker(crm_state_of(reply), await site.store.lanes.state(tenant, integration))


async def integration_to_keep(
    site: Site, identity: Identity, tenant: TenantId, sent: Integration, former: Integration | None
) -> Integration:
    """What was sent, with its secrets sealed and those that were left out. Raises ApiError."""
    secrets = site.secrets(tenant)
    document = secrets.kept(identity, sent, former)
    if former is not None and identity.role is not Role.PROVIDER and secrets.is_moved(sent, former):
        await _require_no_own_users(site, tenant, former)
    return document


async def _require_no_own_users(site: Site, tenant: TenantId, integration: Integration) -> None:
    """Passwords of rules would go to the new address as well."""
    async with site.database.reading() as connection:
        rows = await rules.every(connection, tenant)
    bound = [
        row.name for row in rows if any(_has_own_user(one, integration) for one in (row.draft, row.live))
    ]
    if bound:
        told = f"the address changed, and rules have a user of their own there: {', '.join(bound[:5])}"
        raise ApiError(409, "conflict", f"{told}; take it out of them first")


def _has_own_user(rule: Rule | None, integration: Integration) -> bool:
    source = rule.source if rule else None
    return source is not None and source.credentials is not None and source.integration == integration.name
