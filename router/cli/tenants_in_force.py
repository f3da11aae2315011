"""The tenants in force where they come from the records: as routers and workers have them, from Redis."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from router.cli.errors import OutOfReach, WrongUsage
from router.cli.stores import opened
from router.core.identities import TenantId
from router.core.problems import pick_one
from router.core.tenants import Tenant
from router.settings.model import RedisSettings
from router.store.errors import StoreError

MEND = "`crmroute doctor` looks at it."


def tenants_in_force(settings: RedisSettings) -> dict[TenantId, Tenant]:
    """Raises OutOfReach."""
    try:
        with ThreadPoolExecutor(1) as pool:  # a command may be within a loop of its own already
            return pool.submit(asyncio.run, read_tenants_in_force(settings)).result()
    except StoreError as error:
        raise OutOfReach(f"the tenants in force cannot be read: {error}", MEND) from error


def tenant_in_force(settings: RedisSettings, name: str) -> Tenant:
    """Raises WrongUsage with the names there are, OutOfReach."""
    known = tenants_in_force(settings)
    if name in known:
        return known[TenantId(name)]
    mend = pick_one(name, sorted(known)) if known else "Make one on the page, or by `crmroute apply`."
    raise WrongUsage(f"there is no tenant {name} in force", mend)


async def read_tenants_in_force(settings: RedisSettings) -> dict[TenantId, Tenant]:
    """Raises StoreError."""
    async with opened(settings) as store:
        published = await store.plans.fetch((await store.plans.numbers()).numbers)
    return {plan.tenant: plan.document for plan in published if plan.document is not None}
