"""Tenants and their profile: everything of a tenant's file but its lists."""

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.tenants import Tenant
from router.records.errors import Conflict, NotFound, Outdated
from router.records.tables import tenants


class TenantRow(Struct, frozen=True, kw_only=True):
    id: TenantId
    profile: Tenant
    """Without its lists."""
    managed_by: str
    """`page` or `files`: where its changes are to be made."""
    revision: int
    changed_at: float
    changed_by: str


def profile_of(tenant: Tenant) -> Tenant:
    return replace(tenant, numbers=(), ivr_entries=(), integrations=(), rules=())


async def every(connection: AsyncConnection) -> list[TenantRow]:
    """By id."""
    return [_row(row) for row in await connection.execute(sa.select(tenants).order_by(tenants.c.id))]


async def one(connection: AsyncConnection, tenant: TenantId) -> TenantRow:
    """Raises NotFound."""
    row = (await connection.execute(sa.select(tenants).where(tenants.c.id == tenant))).first()
    if row is None:
        raise NotFound(f"tenant {tenant}")
    return _row(row)


async def lock(connection: AsyncConnection, tenant: TenantId) -> TenantRow:
    """The same, for a change: until the transaction's end nobody else changes anything of this tenant."""
    query = sa.select(tenants).where(tenants.c.id == tenant).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"tenant {tenant}")
    return _row(row)


async def create(connection: AsyncConnection, profile: Tenant, managed_by: str, who: str, at: float) -> None:
    """Raises Conflict when there is one of this id."""
    known = await connection.scalar(sa.select(tenants.c.id).where(tenants.c.id == profile.id))
    if known is not None:
        raise Conflict(f"there is a tenant {profile.id} already")
    values = {"managed_by": managed_by, "created_at": at, "changed_at": at, "changed_by": who}
    await connection.execute(tenants.insert().values(id=profile.id, profile=_text(profile), **values))


async def change(
    connection: AsyncConnection, profile: Tenant, revision: int | None, who: str, at: float
) -> None:
    """`revision` is the one in hand; None takes whatever is there. Raises NotFound, Outdated."""
    row = await lock(connection, profile.id)
    if revision is not None and revision != row.revision:
        raise Outdated(f"{row.changed_by} changed tenant {profile.id} meanwhile")
    values = {"profile": _text(profile), "revision": row.revision + 1, "changed_at": at, "changed_by": who}
    await connection.execute(tenants.update().where(tenants.c.id == profile.id).values(**values))


async def manage(connection: AsyncConnection, tenant: TenantId, managed_by: str) -> None:
    await connection.execute(tenants.update().where(tenants.c.id == tenant).values(managed_by=managed_by))


async def remove(connection: AsyncConnection, tenant: TenantId) -> None:
    """With everything of it but publications, audit and decisions."""
    await connection.execute(tenants.delete().where(tenants.c.id == tenant))


def _text(profile: Tenant) -> str:
    return msgspec.json.encode(profile_of(profile)).decode()


def _row(row: sa.Row[tuple[object, ...]]) -> TenantRow:
    fields = row._asdict()
    return TenantRow(
        id=fields["id"],
        profile=msgspec.json.decode(fields["profile"], type=Tenant),
        managed_by=fields["managed_by"],
        revision=fields["revision"],
        changed_at=fields["changed_at"],
        changed_by=fields["changed_by"],
    )
