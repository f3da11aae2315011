"""Who changed what, from where: a row for each change, in the change's own transaction, never touched again.

Values are written without secrets: a secret's place says that it is hidden.
"""

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


async def read(
    connection: AsyncConnection, tenant: TenantId | None, most: int, before_id: int | None = None
) -> list[Entry]:
    """The newest first; of one tenant, or of all. `before_id` is the last one of the page before."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(most)
    if tenant is not None:
        query = query.where(audit.c.tenant == tenant)
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    rows = (await connection.execute(query)).mappings()
    return [Entry(**{**row, "before": _value(row["before"]), "after": _value(row["after"])}) for row in rows]


def _text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(without_secrets(value)).decode()


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
