"""Who changed what, from where: a row for each change, in the change's own transaction, never touched again.

Values are written without secrets: a secret's place says that it is hidden.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.differences import without_secrets
from router.core.identities import TenantId
from router.records.tables import audit


class Actor(Struct, frozen=True):
    """Who acts: a user, a token or somebody at the command line; and from which address or host."""

    who: str
    origin: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    id: int
    at: float
    tenant: TenantId | None
    who: str
    origin: str
    action: str
    kind: str
    """Of what was changed: `rule`, `number`, `integration`, `tenant`, `user`, `token`."""
    name: str
    before: Any = None
    after: Any = None


class Deed(Struct, frozen=True, kw_only=True):
    """What was done, as it is written."""

    action: str
    kind: str
    name: str
    before: Any = None
    after: Any = None


async def note(
    connection: AsyncConnection, at: float, actor: Actor, tenant: TenantId | None, deed: Deed
) -> None:
    await connection.execute(
        audit.insert().values(
            at=at,
            tenant=tenant,
            who=actor.who[:200],
            origin=actor.origin[:100],
            action=deed.action,
            kind=deed.kind,
            name=deed.name[:200],
            before=_text(deed.before),
            after=_text(deed.after),
        )
    )


class Wanted(Struct, frozen=True, kw_only=True):
    """Which rows are asked for; what is empty or None asks for all."""

    tenant: TenantId | None = None
    who: str = ""
    """A part of who acted, or of the address, whatever its case."""
    what: str = ""
    """A part of what was done, to what, or of its name."""
    since: float | None = None
    until: float | None = None


async def read(
    connection: AsyncConnection, wanted: Wanted, most: int, before_id: int | None = None
) -> list[Entry]:
    """The newest first. `before_id` is the last one of the page before."""
    query = sa.select(audit).where(*_where(wanted)).order_by(audit.c.id.desc()).limit(most)
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    rows = (await connection.execute(query)).mappings()
    return [Entry(**{**row, "before": _value(row["before"]), "after": _value(row["after"])}) for row in rows]


def _where(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.tenant is not None:
        yield audit.c.tenant == wanted.tenant
    if wanted.who:
        yield sa.or_(_holds(audit.c.who, wanted.who), _holds(audit.c.origin, wanted.who))
    if wanted.what:
        yield _holds(audit.c.action + " " + audit.c.kind + " " + audit.c.name, wanted.what)
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until


def _holds(column: sa.ColumnElement[str], part: str) -> sa.ColumnElement[bool]:
    if not part.isprintable():  # nothing was written like that, and PostgreSQL takes no NUL
        return sa.false()
    return column.icontains(part, autoescape=True)


def _text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(without_secrets(value)).decode()


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
