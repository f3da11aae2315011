"""How long a tenant's calls are kept, for the page and the API alike."""

from router.admin.identity import Identity
from router.admin.site import Site
from router.core.identities import TenantId
from router.records import audit, retention
from router.records.audit import Deed


async def keep_for(site: Site, identity: Identity, tenant: TenantId, days: int) -> None:
    """Raises NotFound; Conflict where the number is out of bounds."""
    async with site.database.writing() as connection:
        before = await retention.days(connection, tenant)
        await retention.set_days(connection, tenant, days)
        deed = Deed(action="change", kind="retention", name=tenant, before=before, after=days)
        await audit.note(connection, site.clock(), identity.actor, tenant, deed)
