"""A tenant's integrations; secrets in their settings are references or sealed texts, never plain."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.rules import Rule
from router.core.tenants import Integration
from router.records.errors import Conflict, NotFound, Outdated, StillUsed
from router.records.tables import integrations, rules


class IntegrationRow(Struct, frozen=True, kw_only=True):
    id: int
    document: Integration
    revision: int
    used_by: tuple[RuleName, ...]
    """Rules, by their drafts."""
    changed_at: float
    changed_by: str


async def every(connection: AsyncConnection, tenant: TenantId) -> list[IntegrationRow]:
    """In the tenant's order."""
    used = await _users(connection, tenant)
    ordered = (integrations.c.position, integrations.c.id)
    query = sa.select(integrations).where(integrations.c.tenant == tenant).order_by(*ordered)
    return [_row(row, used) for row in await connection.execute(query)]


async def one(connection: AsyncConnection, tenant: TenantId, name: str) -> IntegrationRow:
    """Raises NotFound."""
    found = await _find(connection, tenant, integrations.c.name == name)
    if found is None:
        raise NotFound(f"integration {name}")
    return found


async def with_id(connection: AsyncConnection, tenant: TenantId, id_: int) -> IntegrationRow | None:
    """Whatever it is called by now; None once it was removed."""
    return await _find(connection, tenant, integrations.c.id == id_)


async def create(
    connection: AsyncConnection, tenant: TenantId, document: Integration, who: str, at: float
) -> None:
    """Raises Conflict for a name that is taken."""
    await _require_free(connection, tenant, document.name, None)
    highest = sa.select(sa.func.max(integrations.c.position)).where(integrations.c.tenant == tenant)
    last = await connection.scalar(highest)
    values = {"position": 0 if last is None else last + 1, "changed_at": at, "changed_by": who}
    await connection.execute(
        integrations.insert().values(tenant=tenant, name=document.name, document=_text(document), **values)
    )


async def change(
    connection: AsyncConnection,
    tenant: TenantId,
    row: IntegrationRow,
    document: Integration,
    who: str,
    at: float,
) -> None:
    """Raises Conflict for a name that is taken, StillUsed for a new name while rules have the old one."""
    if document.name != row.document.name:
        await _require_free(connection, tenant, document.name, row.id)
        _require_unused(row)
    values = {"name": document.name, "document": _text(document), "revision": row.revision + 1}
    await connection.execute(
        integrations.update()
        .where(integrations.c.id == row.id)
        .values(**values, changed_at=at, changed_by=who)
    )


async def remove(connection: AsyncConnection, row: IntegrationRow) -> None:
    """Raises StillUsed."""
    _require_unused(row)
    await connection.execute(integrations.delete().where(integrations.c.id == row.id))


async def replace_all(
    connection: AsyncConnection, tenant: TenantId, listed: Sequence[Integration], who: str, at: float
) -> None:
    """Exactly these, in this order; what is equal keeps its revision. Raises Conflict for a name twice."""
    known = {row.document.name: row for row in await every(connection, tenant)}
    names = [document.name for document in listed]
    for name in names:
        if names.count(name) > 1:
            raise Conflict(f"the integration {name} stands there twice")
    for name, row in known.items():
        if name not in names:
            await connection.execute(integrations.delete().where(integrations.c.id == row.id))
    for position, document in enumerate(listed):
        former = known.get(document.name)
        if former is None:
            await create(connection, tenant, document, who, at)
        elif former.document != document:
            await change(connection, tenant, former, document, who, at)
        where = (integrations.c.tenant == tenant, integrations.c.name == document.name)
        await connection.execute(integrations.update().where(*where).values(position=position))


def require_latest(row: IntegrationRow, revision: int | None) -> None:
    """Raises Outdated. None takes whatever is there."""
    if revision is not None and revision != row.revision:
        raise Outdated(f"{row.changed_by} changed the integration {row.document.name} meanwhile")


def _require_unused(row: IntegrationRow) -> None:
    if row.used_by:
        told = ", ".join(row.used_by[:5]) + (" and more" if len(row.used_by) > 5 else "")
        raise StillUsed(f"the integration {row.document.name} is used by {told}", row.used_by)


async def _require_free(
    connection: AsyncConnection, tenant: TenantId, name: IntegrationName, own_id: int | None
) -> None:
    where = (integrations.c.tenant == tenant, integrations.c.name == name)
    found = await connection.scalar(sa.select(integrations.c.id).where(*where))
    if found is not None and found != own_id:
        raise Conflict(f"there is an integration {name} already")


async def _users(connection: AsyncConnection, tenant: TenantId) -> dict[str, list[RuleName]]:
    used: dict[str, list[RuleName]] = {}
    query = sa.select(rules.c.draft).where(rules.c.tenant == tenant).order_by(rules.c.position)
    for text in (await connection.execute(query)).scalars():
        rule = msgspec.json.decode(text, type=Rule)
        if rule.source is not None and rule.source.integration:
            used.setdefault(rule.source.integration, []).append(rule.name)
    return used


async def _find(
    connection: AsyncConnection, tenant: TenantId, which: sa.ColumnElement[bool]
) -> IntegrationRow | None:
    query = sa.select(integrations).where(integrations.c.tenant == tenant, which)
    row = (await connection.execute(query)).first()
    return _row(row, await _users(connection, tenant)) if row else None


def _row(row: sa.Row[tuple[object, ...]], used: dict[str, list[RuleName]]) -> IntegrationRow:
    fields = row._asdict()
    document = msgspec.json.decode(fields["document"], type=Integration)
    return IntegrationRow(
        id=fields["id"],
        document=document,
        revision=fields["revision"],
        used_by=tuple(used.get(document.name, ())),
        changed_at=fields["changed_at"],
        changed_by=fields["changed_by"],
    )


def _text(document: Integration) -> str:
    return msgspec.json.encode(document).decode()
