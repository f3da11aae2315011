"""API tokens: named, with a role and a tenant of their own, for a year at the most.

A token never has more rights than the user who made it has at that moment: it goes down with its maker's
role, serves nobody while the maker is disabled, and goes with the maker. One that was made by means of a
token has that token's maker.
"""

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.roles import Role, lower_of
from router.records.errors import NotFound
from router.records.keys import digest_of_key, new_key
from router.records.tables import tokens, users

PREFIX = "crmroute_"
"""By which a scanner of leaked secrets knows one."""
LONGEST_SECONDS = 366 * 86_400.0
LONGEST_NAME = 100
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
    """To the minute."""
    maker: int | None = None
    """The user whose rights bound it; None for one that was made at the command line."""


def problem_of(name: str, role: Role, tenant: TenantId | None, seconds: float) -> str:
    """What is wrong with a new token; empty when nothing is."""
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        return f"a token's name has at most {LONGEST_NAME} characters, all of which show"
    if (role is Role.PROVIDER) is not (tenant is None):
        return "a provider's token belongs to no tenant, and every other to one"
    if not 0 < seconds <= LONGEST_SECONDS:
        return "a token lives for a year at the most"
    return ""


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
    made_by: tuple[str, int | None],
) -> tuple[int, str]:
    """Its id and key, which is told this once. `lives` is from when until when; `made_by` is who, and the
    user whose rights bound it."""
    key = new_key(PREFIX)
    (made_at, ends_at), (who, maker) = lives, made_by
    values = {
        "digest": digest_of_key(key),
        "name": name,
        "role": role.value,
        "tenant": tenant,
        "maker": maker,
    }
    made = await connection.execute(
        tokens.insert()
        .values(**values, made_by=who[:200], made_at=made_at, ends_at=ends_at)
        .returning(tokens.c.id)
    )
    return int(made.scalar_one()), key


async def find(connection: AsyncConnection, key: str, now: float) -> Token | None:
    """With the rights that it has at this moment; None where there is none, it is over, or its maker is
    disabled."""
    makers = (users.c.role.label("makers_role"), users.c.is_disabled.label("is_maker_disabled"))
    query = (
        sa.select(tokens, *makers)
        .outerjoin(users, users.c.id == tokens.c.maker)
        .where(tokens.c.digest == digest_of_key(key), tokens.c.ends_at > now)
    )
    row = (await connection.execute(query)).first()
    if row is None or row.is_maker_disabled:
        return None
    token = _token(row)
    return replace(token, role=lower_of(token.role, Role(row.makers_role))) if row.makers_role else token


async def names_of_maker(connection: AsyncConnection, maker: int) -> list[str]:
    query = sa.select(tokens.c.name).where(tokens.c.maker == maker).order_by(tokens.c.id)
    return list(await connection.scalars(query))


async def use(connection: AsyncConnection, id_: int, now: float) -> None:
    await connection.execute(tokens.update().where(tokens.c.id == id_).values(used_at=now))


async def remove(connection: AsyncConnection, id_: int) -> None:
    await connection.execute(tokens.delete().where(tokens.c.id == id_))


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    fields = {name: value for name, value in row._asdict().items() if name in Token.__struct_fields__}
    return Token(**{**fields, "role": Role(fields["role"])})
