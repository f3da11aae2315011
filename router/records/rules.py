"""Rules: a draft that is edited, and versions of it that were published and never change.

Publishing makes the draft a version and the live one. Rolling back makes a new version of an old one's text,
so that versions tell the whole story. A rule's name is in its document; a change of it is a change of the
draft, and in force with the version that has it.
"""

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import RuleName, TenantId
from router.core.rules import Rule
from router.records.errors import Conflict, NotFound, Outdated, StillUsed
from router.records.tables import ivr_entries, numbers, rule_versions, rules


class RuleRow(Struct, frozen=True, kw_only=True):
    id: int
    name: RuleName
    draft: Rule
    revision: int
    """Of the draft; it goes up with each change."""
    live: Rule | None
    """What calls are decided by; None: never published."""
    live_version: int | None
    used_by: tuple[str, ...]
    """Numbers and IVR entries."""
    changed_at: float
    changed_by: str

    @property
    def is_changed(self) -> bool:
        """Whether the draft differs from what is live."""
        return self.draft != self.live


class RuleVersion(Struct, frozen=True, kw_only=True):
    number: int
    document: Rule
    author: str
    comment: str
    made_at: float


async def every(connection: AsyncConnection, tenant: TenantId) -> list[RuleRow]:
    """In the tenant's order."""
    used = await _users(connection, tenant)
    query = _selected().where(rules.c.tenant == tenant).order_by(rules.c.position, rules.c.id)
    return [_row(row, used) for row in await connection.execute(query)]


async def one(connection: AsyncConnection, tenant: TenantId, id_: int) -> RuleRow:
    """Raises NotFound."""
    query = _selected().where(rules.c.tenant == tenant, rules.c.id == id_)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"rule {id_}")
    return _row(row, await _users(connection, tenant))


async def named(connection: AsyncConnection, tenant: TenantId, name: str) -> RuleRow:
    """Raises NotFound."""
    query = sa.select(rules.c.id).where(rules.c.tenant == tenant, rules.c.name == name)
    id_ = await connection.scalar(query)
    if id_ is None:
        raise NotFound(f"rule {name}")
    return await one(connection, tenant, id_)


async def create(connection: AsyncConnection, tenant: TenantId, rule: Rule, who: str, at: float) -> int:
    """The new rule's id; it stands at the end. Raises Conflict for a name that is taken."""
    await _require_free(connection, tenant, rule.name, None)
    last = await connection.scalar(sa.select(sa.func.max(rules.c.position)).where(rules.c.tenant == tenant))
    values = {"position": 0 if last is None else last + 1, "changed_at": at, "changed_by": who}
    made = await connection.execute(
        rules.insert()
        .values(tenant=tenant, name=rule.name, draft=_text(rule), **values)
        .returning(rules.c.id)
    )
    return int(made.scalar_one())


async def change(
    connection: AsyncConnection, row: RuleRow, tenant: TenantId, rule: Rule, who: str, at: float
) -> None:
    """Replace the draft. Raises Conflict for a name that is taken."""
    await _require_free(connection, tenant, rule.name, row.id)
    values = {"name": rule.name, "draft": _text(rule), "revision": row.revision + 1}
    await connection.execute(
        rules.update().where(rules.c.id == row.id).values(**values, changed_at=at, changed_by=who)
    )


async def arrange(connection: AsyncConnection, tenant: TenantId, ids: Iterable[int]) -> None:
    """Put the rules in this order."""
    for position, id_ in enumerate(ids):
        await connection.execute(
            rules.update().where(rules.c.tenant == tenant, rules.c.id == id_).values(position=position)
        )


async def remove(connection: AsyncConnection, row: RuleRow) -> None:
    """With its versions. Raises StillUsed."""
    if row.used_by:
        told = ", ".join(row.used_by[:5]) + (" and more" if len(row.used_by) > 5 else "")
        raise StillUsed(f"the rule {row.name} is used by {told}", row.used_by)
    await connection.execute(rules.delete().where(rules.c.id == row.id))


async def make_version(
    connection: AsyncConnection, row: RuleRow, document: Rule, who: str, comment: str, at: float
) -> int:
    """The number of the new version, which is live from the transaction's end."""
    highest = sa.select(sa.func.max(rule_versions.c.number)).where(rule_versions.c.rule == row.id)
    number = int(await connection.scalar(highest) or 0) + 1
    values = {"document": _text(document), "author": who, "comment": comment, "made_at": at}
    await connection.execute(rule_versions.insert().values(rule=row.id, number=number, **values))
    await connection.execute(rules.update().where(rules.c.id == row.id).values(live_version=number))
    return number


async def versions(connection: AsyncConnection, row: RuleRow) -> list[RuleVersion]:
    """The newest first."""
    newest = rule_versions.c.number.desc()
    query = sa.select(rule_versions).where(rule_versions.c.rule == row.id).order_by(newest)
    return [_version(one) for one in await connection.execute(query)]


async def version(connection: AsyncConnection, row: RuleRow, number: int) -> RuleVersion:
    """Raises NotFound."""
    query = sa.select(rule_versions).where(rule_versions.c.rule == row.id, rule_versions.c.number == number)
    found = (await connection.execute(query)).first()
    if found is None:
        raise NotFound(f"version {number} of the rule {row.name}")
    return _version(found)


def require_latest(row: RuleRow, revision: int | None) -> None:
    """Raises Outdated. None takes whatever is there."""
    if revision is not None and revision != row.revision:
        raise Outdated(f"{row.changed_by} changed the rule {row.name} meanwhile")


def free_name(name: RuleName, taken: Iterable[str]) -> RuleName:
    """For a copy: `Sales (2)`."""
    names, number = set(taken), 2
    while (free := f"{name[:70]} ({number})") in names:
        number += 1
    return RuleName(free)


async def _require_free(connection: AsyncConnection, tenant: TenantId, name: str, own_id: int | None) -> None:
    query = sa.select(rules.c.id).where(rules.c.tenant == tenant, rules.c.name == name)
    found = await connection.scalar(query)
    if found is not None and found != own_id:
        raise Conflict(f"there is a rule {name} already")


async def _users(connection: AsyncConnection, tenant: TenantId) -> dict[int, list[str]]:
    """By rule: numbers and IVR entries, each in its order."""
    used: dict[int, list[str]] = {}
    for table, name in ((numbers, numbers.c.did), (ivr_entries, ivr_entries.c.name)):
        where = (table.c.tenant == tenant, table.c.rule.is_not(None))
        query = sa.select(table.c.rule, name).where(*where).order_by(table.c.position)
        for id_, user in await connection.execute(query):
            used.setdefault(id_, []).append(user)
    return used


def _selected() -> sa.Select[tuple[object, ...]]:
    joined = (rule_versions.c.rule == rules.c.id) & (rule_versions.c.number == rules.c.live_version)
    return sa.select(rules, rule_versions.c.document.label("live")).outerjoin(rule_versions, joined)


def _row(row: sa.Row[tuple[object, ...]], used: dict[int, list[str]]) -> RuleRow:
    fields = row._asdict()
    live = fields["live"]
    return RuleRow(
        id=fields["id"],
        name=fields["name"],
        draft=msgspec.json.decode(fields["draft"], type=Rule),
        revision=fields["revision"],
        live=None if live is None else msgspec.json.decode(live, type=Rule),
        live_version=fields["live_version"],
        used_by=tuple(used.get(fields["id"], ())),
        changed_at=fields["changed_at"],
        changed_by=fields["changed_by"],
    )


def _version(row: sa.Row[tuple[object, ...]]) -> RuleVersion:
    fields = row._asdict()
    document = msgspec.json.decode(fields["document"], type=Rule)
    told = {name: fields[name] for name in ("number", "author", "comment", "made_at")}
    return RuleVersion(document=document, **told)


def _text(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()
