"""How long decisions are kept: a number of days for each tenant, and the deleting of what is older.

Decisions outlive their tenant, and some never had one (a call whose tenant nobody knows): the default is for
those.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.records.decisions import leaps
from router.records.errors import Conflict, NotFound
from router.records.tables import decisions, tenants

DEFAULT_DAYS = 90
MOST_DAYS = 3650
DAY_SECONDS = 86_400.0


async def days(connection: AsyncConnection, tenant: TenantId) -> int:
    """Raises NotFound."""
    found: int | None = await connection.scalar(
        sa.select(tenants.c.retention_days).where(tenants.c.id == tenant)
    )
    if found is None:
        raise NotFound(f"tenant {tenant}")
    return found


async def set_days(connection: AsyncConnection, tenant: TenantId, number: int) -> None:
    """Raises NotFound; Conflict where it is out of bounds."""
    if not 1 <= number <= MOST_DAYS:
        raise Conflict(f"decisions are kept for 1 to {MOST_DAYS} days")
    changed = tenants.update().where(tenants.c.id == tenant).values(retention_days=number)
    if (await connection.execute(changed)).rowcount == 0:
        raise NotFound(f"tenant {tenant}")


async def every(connection: AsyncConnection) -> dict[TenantId, int]:
    """Of all tenants that have decisions, and of those that are no more."""
    found = leaps(decisions.c.tenant)
    query = (
        sa.select(found.c.value, tenants.c.retention_days)
        .join_from(found, tenants, tenants.c.id == found.c.value, isouter=True)
        .where(found.c.value.is_not(None))
    )
    rows = await connection.execute(query)
    return {tenant: DEFAULT_DAYS if number is None else number for tenant, number in rows}


async def forget(connection: AsyncConnection, tenant: TenantId, before: float, most: int) -> int:
    """Delete up to `most` decisions parked before that moment, the oldest first; how many they were."""
    old = (
        sa.select(decisions.c.id)
        .where(decisions.c.tenant == tenant, decisions.c.parked_at < before)
        .order_by(decisions.c.parked_at, decisions.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)  # two processes that forget take different ones
    )
    return (await connection.execute(decisions.delete().where(decisions.c.id.in_(old)))).rowcount
