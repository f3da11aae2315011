"""The tenant's DIDs and IVR entries, and the rule that each is decided by."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import RuleName, TenantId
from router.core.tenants import IvrEntry, Number
from router.records.errors import Conflict, NotFound, Outdated
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
    await _put(connection, numbers, tenant, {"did": number.did}, number)


async def put_entry(connection: AsyncConnection, tenant: TenantId, entry: IvrEntry) -> None:
    """The same."""
    await _put(connection, ivr_entries, tenant, {"name": entry.name}, entry)


async def remove_number(
    connection: AsyncConnection, tenant: TenantId, did: str, seen: str | None = None
) -> None:
    """`seen` is the id of the rule that it was seen to lead to, empty for none; None: whatever that is.

    Raises NotFound; Outdated where it leads to another rule by now.
    """
    if seen is not None:
        row = next((one for one in await every_number(connection, tenant) if one.did == did), None)
        if row is not None and seen != str(row.rule or ""):
            raise _moved(did, row.rule_name)
    if not await _remove(connection, numbers, tenant, numbers.c.did == did):
        raise NotFound(f"number {did}")


async def remove_entry(
    connection: AsyncConnection, tenant: TenantId, name: str, seen: str | None = None
) -> None:
    """`seen` as for a number. Raises NotFound, Outdated."""
    if seen is not None:
        row = next((one for one in await every_entry(connection, tenant) if one.name == name), None)
        if row is not None and seen != str(row.rule):
            raise _moved(name, row.rule_name)
    if not await _remove(connection, ivr_entries, tenant, ivr_entries.c.name == name):
        raise NotFound(f"IVR entry {name}")


def _moved(name: str, rule_name: str | None) -> Outdated:
    return Outdated(f"{name} was changed meanwhile: it leads to {rule_name or 'the default'} now")


async def replace_all(
    connection: AsyncConnection,
    tenant: TenantId,
    listed: Sequence[Number],
    entries: Sequence[IvrEntry],
    rule_ids: Mapping[RuleName, int],
) -> None:
    """Exactly these, in this order. Raises Conflict where a name stands twice, or a rule is missing."""
    _require_distinct([number.did for number in listed], "number")
    _require_distinct([entry.name for entry in entries], "IVR entry")
    await _fill(connection, numbers, tenant, [({"did": one.did}, one) for one in listed], rule_ids)
    await _fill(connection, ivr_entries, tenant, [({"name": one.name}, one) for one in entries], rule_ids)


async def _fill(
    connection: AsyncConnection,
    table: sa.Table,
    tenant: TenantId,
    rows: Sequence[tuple[Mapping[str, str], Number | IvrEntry]],
    rule_ids: Mapping[RuleName, int],
) -> None:
    await connection.execute(table.delete().where(table.c.tenant == tenant))
    if rows:
        values = [
            {**key, "tenant": tenant, "position": at, "rule": _known(one.rule, rule_ids), "note": one.note}
            for at, (key, one) in enumerate(rows)
        ]
        await connection.execute(table.insert(), values)


async def _put(
    connection: AsyncConnection,
    table: sa.Table,
    tenant: TenantId,
    key: Mapping[str, str],
    one: Number | IvrEntry,
) -> None:
    values = {"rule": await _rule_id(connection, tenant, one.rule), "note": one.note}
    where = (table.c.tenant == tenant, *(table.c[name] == value for name, value in key.items()))
    changed = await connection.execute(table.update().where(*where).values(**values))
    if changed.rowcount == 0:
        position = await _next_position(connection, table, tenant)
        await connection.execute(table.insert().values(tenant=tenant, **key, position=position, **values))


async def _remove(
    connection: AsyncConnection, table: sa.Table, tenant: TenantId, which: sa.ColumnElement[bool]
) -> bool:
    """Whether it was there."""
    return (await connection.execute(table.delete().where(table.c.tenant == tenant, which))).rowcount > 0


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
