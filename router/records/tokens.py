"""API tokens: named, with a role and a tenant of their own, for a year at the most."""

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.roles import Role
from router.records.errors import NotFound
from router.records.keys import digest_of_key, new_key
from router.records.tables import tokens

PREFIX = "crmroute_"
"""By which a scanner of leaked secrets knows one."""
LONGEST_SECONDS = 366 * 86_400.0
USED_EVERY_SECONDS = 60.0


class Token(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    role: Role
    tenant: TenantId | None
    made_by: str
    made_at: float
    ends_at: float
    used_at: float | None


async def every(connection: AsyncConnection, tenant: TenantId | None) -> list[Token]:
    """The newest first; of a tenant, or None for all."""
    query = sa.select(tokens).order_by(tokens.c.id.desc())
    if tenant is not None:
        query = query.where(tokens.c.tenant == tenant)
    return [_token(row) for row in await connection.execute(query)]


async def one(connection: AsyncConnection, id_: int) -> Token:
    """Raises NotFound."""
    row = (await connection.execute(sa.select(tokens).where(tokens.c.id == id_))).first()
    if row is None:
        raise NotFound("such token")
    return _token(row)


async def create(
    connection: AsyncConnection,
    name: str,
    role: Role,
    tenant: TenantId | None,
    lives: tuple[float, float],
    who: str,
) -> tuple[int, str]:
    """Its id and key, which is told this once. `lives` is from when until when."""
    key = new_key(PREFIX)
    made_at, ends_at = lives
    values = {"digest": digest_of_key(key), "name": name[:100], "role": role.value, "tenant": tenant}
    made = await connection.execute(
        tokens.insert().values(**values, made_by=who, made_at=made_at, ends_at=ends_at).returning(tokens.c.id)
    )
    return int(made.scalar_one()), key


async def find(connection: AsyncConnection, key: str, now: float) -> Token | None:
    """None where there is none, or it is over."""
    query = sa.select(tokens).where(tokens.c.digest == digest_of_key(key), tokens.c.ends_at > now)
    row = (await connection.execute(query)).first()
    return _token(row) if row else None


async def use(connection: AsyncConnection, id_: int, now: float) -> None:
    await connection.execute(tokens.update().where(tokens.c.id == id_).values(used_at=now))


async def remove(connection: AsyncConnection, id_: int) -> None:
    await connection.execute(tokens.delete().where(tokens.c.id == id_))


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    fields = row._asdict()
    fields.pop("digest")
    return Token(**{**fields, "role": Role(fields["role"])})
