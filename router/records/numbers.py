"""The tenant's DIDs and IVR entries, and the rule that each is decided by."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import RuleName, TenantId
from router.core.tenants import IvrEntry, Number
from router.records.errors import Conflict, NotFound
from router.records.tables import ivr_entries, numbers, rules


class NumberRow(Struct, frozen=True, kw_only=True):
    did: str
    rule: int | None
    rule_name: RuleName | None
    """Of the rule's draft."""
    note: str


class EntryRow(Struct, frozen=True, kw_only=True):
    name: str
    rule: int
    rule_name: RuleName
    note: str


async def every_number(connection: AsyncConnection, tenant: TenantId) -> list[NumberRow]:
    query = (
        sa.select(numbers.c.did, numbers.c.rule, rules.c.name.label("rule_name"), numbers.c.note)
        .outerjoin(rules, rules.c.id == numbers.c.rule)
        .where(numbers.c.tenant == tenant)
        .order_by(numbers.c.position, numbers.c.did)
    )
    return [NumberRow(**row) for row in (await connection.execute(query)).mappings()]


async def every_entry(connection: AsyncConnection, tenant: TenantId) -> list[EntryRow]:
    query = (
        sa.select(ivr_entries.c.name, ivr_entries.c.rule, rules.c.name.label("rule_name"), ivr_entries.c.note)
        .join(rules, rules.c.id == ivr_entries.c.rule)
        .where(ivr_entries.c.tenant == tenant)
        .order_by(ivr_entries.c.position, ivr_entries.c.name)
    )
    return [EntryRow(**row) for row in (await connection.execute(query)).mappings()]


async def put_number(connection: AsyncConnection, tenant: TenantId, number: Number) -> None:
    """Add it at the end, or change the one that is there. Raises NotFound for an unknown rule."""
    rule = await _rule_id(connection, tenant, number.rule)
    where = (numbers.c.tenant == tenant, numbers.c.did == number.did)
    values = {"rule": rule, "note": number.note}
    changed = await connection.execute(numbers.update().where(*where).values(**values))
    if changed.rowcount == 0:
        position = await _next_position(connection, numbers, tenant)
        await connection.execute(
            numbers.insert().values(tenant=tenant, did=number.did, position=position, **values)
        )


async def remove_number(connection: AsyncConnection, tenant: TenantId, did: str) -> None:
    """Raises NotFound."""
    where = (numbers.c.tenant == tenant, numbers.c.did == did)
    gone = await connection.execute(numbers.delete().where(*where))
    if gone.rowcount == 0:
        raise NotFound(f"number {did}")


async def put_entry(connection: AsyncConnection, tenant: TenantId, entry: IvrEntry) -> None:
    """Add it at the end, or change the one that is there. Raises NotFound for an unknown rule."""
    rule = await _rule_id(connection, tenant, entry.rule)
    where = (ivr_entries.c.tenant == tenant, ivr_entries.c.name == entry.name)
    values = {"rule": rule, "note": entry.note}
    changed = await connection.execute(ivr_entries.update().where(*where).values(**values))
    if changed.rowcount == 0:
        position = await _next_position(connection, ivr_entries, tenant)
        await connection.execute(
            ivr_entries.insert().values(tenant=tenant, name=entry.name, position=position, **values)
        )


async def remove_entry(connection: AsyncConnection, tenant: TenantId, name: str) -> None:
    """Raises NotFound."""
    where = (ivr_entries.c.tenant == tenant, ivr_entries.c.name == name)
    gone = await connection.execute(ivr_entries.delete().where(*where))
    if gone.rowcount == 0:
        raise NotFound(f"IVR entry {name}")


async def replace_all(
    connection: AsyncConnection,
    tenant: TenantId,
    listed: Sequence[Number],
    entries: Sequence[IvrEntry],
    rule_ids: Mapping[RuleName, int],
) -> None:
    """Exactly these, in this order. Raises Conflict where a name stands twice, or a rule is missing."""
    await connection.execute(numbers.delete().where(numbers.c.tenant == tenant))
    await connection.execute(ivr_entries.delete().where(ivr_entries.c.tenant == tenant))
    _require_distinct([number.did for number in listed], "number")
    _require_distinct([entry.name for entry in entries], "IVR entry")
    rows = [
        {
            "tenant": tenant,
            "did": one.did,
            "position": at,
            "rule": _known(one.rule, rule_ids),
            "note": one.note,
        }
        for at, one in enumerate(listed)
    ]
    if rows:
        await connection.execute(numbers.insert(), rows)
    rows = [
        {
            "tenant": tenant,
            "name": one.name,
            "position": at,
            "rule": _known(one.rule, rule_ids),
            "note": one.note,
        }
        for at, one in enumerate(entries)
    ]
    if rows:
        await connection.execute(ivr_entries.insert(), rows)


def _known(name: RuleName | None, rule_ids: Mapping[RuleName, int]) -> int | None:
    if name is None:
        return None
    if name not in rule_ids:
        raise Conflict(f"there is no rule {name}")
    return rule_ids[name]


def _require_distinct(names: Sequence[str], kind: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Conflict(f"the {kind} {name} stands there twice")
        seen.add(name)


async def _rule_id(connection: AsyncConnection, tenant: TenantId, name: RuleName | None) -> int | None:
    if name is None:
        return None
    id_ = await connection.scalar(sa.select(rules.c.id).where(rules.c.tenant == tenant, rules.c.name == name))
    if id_ is None:
        raise NotFound(f"rule {name}")
    return int(id_)


async def _next_position(connection: AsyncConnection, table: sa.Table, tenant: TenantId) -> int:
    last = await connection.scalar(sa.select(sa.func.max(table.c.position)).where(table.c.tenant == tenant))
    return 0 if last is None else last + 1
