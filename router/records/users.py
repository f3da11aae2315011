"""Users, their roles and sessions."""

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.roles import Role
from router.records.errors import Conflict, NotFound
from router.records.tables import sessions, users


class User(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    role: Role
    tenant: TenantId | None
    language: str
    """Empty until one was chosen: then the browser's serves."""
    is_disabled: bool
    has_second_factor: bool
    made_at: float
    signed_in_at: float | None


class Kept(Struct, frozen=True):
    """What only the sign-in sees."""

    user: User
    password: str
    totp: bytes | None
    totp_step: int


async def every(connection: AsyncConnection, tenant: TenantId | None) -> list[User]:
    """By name; of a tenant, or None for all."""
    query = sa.select(users).order_by(users.c.name)
    if tenant is not None:
        query = query.where(users.c.tenant == tenant)
    return [_user(row) for row in await connection.execute(query)]


async def one(connection: AsyncConnection, id_: int) -> User:
    """Raises NotFound."""
    return (await kept(connection, id_)).user


async def kept(connection: AsyncConnection, id_: int) -> Kept:
    """Raises NotFound."""
    row = (await connection.execute(sa.select(users).where(users.c.id == id_))).first()
    if row is None:
        raise NotFound("such user")
    return _kept(row)


async def named(connection: AsyncConnection, name: str) -> Kept | None:
    """Names are compared without regard to case."""
    query = sa.select(users).where(sa.func.lower(users.c.name) == name.lower())
    row = (await connection.execute(query)).first()
    return _kept(row) if row else None


async def is_any(connection: AsyncConnection) -> bool:
    return await connection.scalar(sa.select(users.c.id).limit(1)) is not None


async def create(
    connection: AsyncConnection, name: str, role: Role, tenant: TenantId | None, password: str, at: float
) -> int:
    """`password` is hashed, or empty for who signs in elsewhere. Raises Conflict."""
    if (role is Role.PROVIDER) is not (tenant is None):
        raise Conflict("a provider belongs to no tenant, and everybody else to one")
    if await named(connection, name) is not None:
        raise Conflict(f"there is a user {name} already")
    values = {"name": name, "role": role.value, "tenant": tenant, "password": password, "made_at": at}
    made = await connection.execute(users.insert().values(**values, language="").returning(users.c.id))
    return int(made.scalar_one())


async def change(connection: AsyncConnection, id_: int, **values: object) -> None:
    await connection.execute(users.update().where(users.c.id == id_).values(**values))


async def remove(connection: AsyncConnection, id_: int) -> None:
    await connection.execute(users.delete().where(users.c.id == id_))


async def require_another_provider(connection: AsyncConnection, user: User) -> None:
    """Raises Conflict when nobody else could manage the installation any more."""
    if user.role is not Role.PROVIDER or user.is_disabled:
        return
    query = sa.select(sa.func.count()).where(
        users.c.role == Role.PROVIDER.value, users.c.is_disabled.is_(False), users.c.id != user.id
    )
    if not await connection.scalar(query):
        raise Conflict("this is the last provider: make another one first")


async def end_sessions(connection: AsyncConnection, id_: int, but: str = "") -> None:
    """All of a user's; `but` is the digest of the one that goes on."""
    where = (sessions.c.user == id_, sessions.c.digest != but)
    await connection.execute(sessions.delete().where(*where))


def _kept(row: sa.Row[tuple[object, ...]]) -> Kept:
    fields = row._asdict()
    return Kept(_user(row), fields["password"], fields["totp"], fields["totp_step"])


def _user(row: sa.Row[tuple[object, ...]]) -> User:
    fields = row._asdict()
    return User(
        id=fields["id"],
        name=fields["name"],
        role=Role(fields["role"]),
        tenant=fields["tenant"],
        language=fields["language"],
        is_disabled=bool(fields["is_disabled"]),
        has_second_factor=fields["totp"] is not None,
        made_at=fields["made_at"],
        signed_in_at=fields["signed_in_at"],
    )
