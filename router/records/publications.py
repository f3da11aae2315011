"""What is in force: of each tenant the newest publication, whole.

A publication is assembled from the tables of configuration with the live version of each rule. It is written
in the transaction of the change that it puts in force, or not at all; and only where something differs. A
number or an IVR entry whose rule has no live version yet takes the tenant's default.
"""

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import RuleName, TenantId
from router.core.plans import digest_of
from router.core.rules import Rule
from router.core.tenants import Integration, IvrEntry, Number, Tenant
from router.records.audit import Actor
from router.records.errors import NotFound
from router.records.tables import (
    integrations,
    ivr_entries,
    numbers,
    publications,
    rule_versions,
    rules,
    tenants,
)

LOCK = 7_326_450_019
"""Of PostgreSQL's advisory locks, the one that publications are written under."""


class Publication(Struct, frozen=True, kw_only=True):
    id: int
    """Counts over all tenants: a later one has a higher id."""
    tenant: TenantId
    number: int
    """Counts in the tenant, from 1."""
    document: Tenant | None
    """None: the tenant was removed."""
    digest: str
    versions: dict[RuleName, int]
    author: str
    comment: str
    made_at: float


async def assemble(connection: AsyncConnection, tenant: TenantId) -> tuple[Tenant, dict[RuleName, int]]:
    """The tenant as it would be in force, and the version of each rule. Raises NotFound."""
    profile = await connection.scalar(sa.select(tenants.c.profile).where(tenants.c.id == tenant))
    if profile is None:
        raise NotFound(f"tenant {tenant}")
    live: dict[int, Rule] = {}
    versions: dict[RuleName, int] = {}
    query = (
        sa.select(rules.c.id, rule_versions.c.number, rule_versions.c.document)
        .join(
            rule_versions,
            (rule_versions.c.rule == rules.c.id) & (rule_versions.c.number == rules.c.live_version),
        )
        .where(rules.c.tenant == tenant)
        .order_by(rules.c.position, rules.c.id)
    )
    for id_, number, document in await connection.execute(query):
        live[id_] = msgspec.json.decode(document, type=Rule)
        versions[live[id_].name] = number
    named = {id_: rule.name for id_, rule in live.items()}
    whole = msgspec.structs.replace(
        msgspec.json.decode(profile, type=Tenant),
        numbers=tuple(await _numbers(connection, tenant, named)),
        ivr_entries=tuple(await _entries(connection, tenant, named)),
        integrations=tuple(await _integrations(connection, tenant)),
        rules=tuple(live.values()),
    )
    return whole, versions


async def _numbers(connection: AsyncConnection, tenant: TenantId, named: dict[int, RuleName]) -> list[Number]:
    query = sa.select(numbers).where(numbers.c.tenant == tenant).order_by(numbers.c.position, numbers.c.did)
    rows = await connection.execute(query)
    return [Number(row.did, named.get(row.rule) if row.rule else None, row.note) for row in rows]


async def _entries(
    connection: AsyncConnection, tenant: TenantId, named: dict[int, RuleName]
) -> list[IvrEntry]:
    ordered = (ivr_entries.c.position, ivr_entries.c.name)
    rows = await connection.execute(
        sa.select(ivr_entries).where(ivr_entries.c.tenant == tenant).order_by(*ordered)
    )
    return [IvrEntry(row.name, named[row.rule], row.note) for row in rows if row.rule in named]


async def _integrations(connection: AsyncConnection, tenant: TenantId) -> list[Integration]:
    ordered = (integrations.c.position, integrations.c.id)
    query = sa.select(integrations.c.document).where(integrations.c.tenant == tenant).order_by(*ordered)
    return [
        msgspec.json.decode(text, type=Integration) for text in (await connection.execute(query)).scalars()
    ]


async def publish(
    connection: AsyncConnection, tenant: TenantId, actor: Actor, comment: str, at: float
) -> Publication | None:
    """Put the tenant's configuration in force; None where nothing differs. Raises NotFound."""
    document, versions = await assemble(connection, tenant)
    former = await in_force(connection, tenant)
    if former is not None and former.document == document and former.versions == versions:
        return None
    return await _write(connection, tenant, document, versions, (actor, comment, at), former)


async def withdraw(
    connection: AsyncConnection, tenant: TenantId, actor: Actor, at: float
) -> Publication | None:
    """Take the tenant out of force; None where it is not in force."""
    former = await in_force(connection, tenant)
    if former is None or former.document is None:
        return None
    return await _write(connection, tenant, None, {}, (actor, "removed", at), former)


async def _write(
    connection: AsyncConnection,
    tenant: TenantId,
    document: Tenant | None,
    versions: dict[RuleName, int],
    why: tuple[Actor, str, float],
    former: Publication | None,
) -> Publication:
    actor, comment, at = why
    if connection.dialect.name == "postgresql":
        # One at a time over all tenants: ids are then committed in their order, and `after` misses none.
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    number = former.number + 1 if former else 1
    digest = digest_of(document) if document else ""
    made = await connection.execute(
        publications.insert()
        .values(
            tenant=tenant,
            number=number,
            document=msgspec.json.encode(document).decode() if document else None,
            digest=digest,
            versions=msgspec.json.encode(versions).decode(),
            author=actor.who,
            comment=comment,
            made_at=at,
        )
        .returning(publications.c.id)
    )
    return Publication(
        id=made.scalar_one(),
        tenant=tenant,
        number=number,
        document=document,
        digest=digest,
        versions=versions,
        author=actor.who,
        comment=comment,
        made_at=at,
    )


async def in_force(connection: AsyncConnection, tenant: TenantId) -> Publication | None:
    """The tenant's newest; its document is None where the tenant was removed."""
    newest = publications.c.number.desc()
    query = sa.select(publications).where(publications.c.tenant == tenant).order_by(newest).limit(1)
    return _one((await connection.execute(query)).first())


async def numbered(connection: AsyncConnection, tenant: TenantId, number: int) -> Publication:
    """Raises NotFound."""
    query = sa.select(publications).where(publications.c.tenant == tenant, publications.c.number == number)
    found = _one((await connection.execute(query)).first())
    if found is None:
        raise NotFound(f"publication {number}")
    return found


async def history(
    connection: AsyncConnection, tenant: TenantId, most: int, before: int | None = None
) -> list[Publication]:
    """The newest first; `before` is the last number of the page before."""
    query = sa.select(publications).where(publications.c.tenant == tenant)
    if before is not None:
        query = query.where(publications.c.number < before)
    rows = await connection.execute(query.order_by(publications.c.number.desc()).limit(most))
    return [publication_of(row) for row in rows]


async def of_digest(connection: AsyncConnection, tenant: TenantId, digest: str) -> Publication | None:
    """The one that a decision was made by; the newest of several that were equal."""
    where = (publications.c.tenant == tenant, publications.c.digest == digest)
    query = sa.select(publications).where(*where).order_by(publications.c.number.desc()).limit(1)
    return _one((await connection.execute(query)).first())


async def after(connection: AsyncConnection, id_: int, most: int = 500) -> list[Publication]:
    """Those with a higher id, in order."""
    query = sa.select(publications).where(publications.c.id > id_).order_by(publications.c.id).limit(most)
    return [publication_of(row) for row in await connection.execute(query)]


async def last_id(connection: AsyncConnection) -> int:
    """Of all publications; 0 where there is none."""
    return int(await connection.scalar(sa.select(sa.func.max(publications.c.id))) or 0)


async def numbers_in_force(connection: AsyncConnection) -> dict[TenantId, int]:
    """Of every tenant that ever was, removed ones among them."""
    query = sa.select(publications.c.tenant, sa.func.max(publications.c.number)).group_by(
        publications.c.tenant
    )
    return {row.tenant: row[1] for row in await connection.execute(query)}


async def all_in_force(connection: AsyncConnection) -> list[Publication]:
    """The newest of every tenant, removed ones left out."""
    newest = (
        sa.select(publications.c.tenant, sa.func.max(publications.c.number).label("number"))
        .group_by(publications.c.tenant)
        .subquery()
    )
    joined = (publications.c.tenant == newest.c.tenant) & (publications.c.number == newest.c.number)
    query = sa.select(publications).join(newest, joined).where(publications.c.document.is_not(None))
    return [publication_of(row) for row in await connection.execute(query.order_by(publications.c.tenant))]


def _one(row: sa.Row[tuple[object, ...]] | None) -> Publication | None:
    return None if row is None else publication_of(row)


def publication_of(row: sa.Row[tuple[object, ...]]) -> Publication:
    fields = row._asdict()
    text = fields["document"]
    document = None if text is None else msgspec.json.decode(text, type=Tenant)
    versions = msgspec.json.decode(fields["versions"], type=dict[RuleName, int])
    return Publication(**{**fields, "document": document, "versions": versions})
