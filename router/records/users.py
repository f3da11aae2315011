"""Users and their roles.

A name is found however it is written: in any case, composed or not (`folded`).
"""

import unicodedata

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.roles import Role
from router.records.dialects import insert
from router.records.errors import Conflict, NotFound
from router.records.tables import users

LONGEST_NAME, LONGEST_FOLDED = 200, 600
LANGUAGES = frozenset({"", "en", "fr"})
"""Of the pages; empty for the browser's."""


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
    oidc_subject: str | None


def folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def problem_of_name(name: str) -> str:
    """What is wrong with a new user's name; empty when nothing is."""
    if not name or name != name.strip() or not name.isprintable():
        return "a user's name has signs that show, and no space around them"
    if len(name) > LONGEST_NAME or len(folded(name)) > LONGEST_FOLDED:
        return f"a user's name has at most {LONGEST_NAME} characters"
    return ""


def require_language(language: str) -> None:
    """Raises Conflict."""
    if language not in LANGUAGES:
        raise Conflict("there are no pages in this language")


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


async def locked(connection: AsyncConnection, id_: int) -> Kept | None:
    """As the user is, and stays until the transaction's end; None for one who is gone."""
    query = sa.select(users).where(users.c.id == id_).with_for_update()
    row = (await connection.execute(query)).first()
    return _kept(row) if row else None


async def to_change(connection: AsyncConnection, id_: int) -> User:
    """The same. Raises NotFound."""
    found = await locked(connection, id_)
    if found is None:
        raise NotFound("such user")
    return found.user


async def named(connection: AsyncConnection, name: str) -> Kept | None:
    if not name.isprintable():  # nobody is called that, and PostgreSQL takes no NUL
        return None
    row = (await connection.execute(sa.select(users).where(users.c.folded == folded(name)))).first()
    return _kept(row) if row else None


async def linked(connection: AsyncConnection, subject: str) -> Kept | None:
    """The user of a person at an identity provider."""
    row = (await connection.execute(sa.select(users).where(users.c.oidc_subject == subject))).first()
    return _kept(row) if row else None


async def is_any(connection: AsyncConnection) -> bool:
    return await connection.scalar(sa.select(users.c.id).limit(1)) is not None


async def create(
    connection: AsyncConnection, name: str, role: Role, tenant: TenantId | None, password: str, at: float
) -> int:
    """`password` is hashed, or empty for who signs in elsewhere. Raises Conflict."""
    if (role is Role.PROVIDER) is not (tenant is None):
        raise Conflict("a provider belongs to no tenant, and everybody else to one")
    problem = problem_of_name(name)
    if problem:
        raise Conflict(problem)
    values = {
        "name": name,
        "folded": folded(name),
        "role": role.value,
        "tenant": tenant,
        "password": password,
    }
    new = insert(connection, users).values(**values, made_at=at, language="").on_conflict_do_nothing()
    made = (await connection.execute(new.returning(users.c.id))).scalar_one_or_none()
    if made is None:
        raise Conflict(f"there is a user {name} already")
    return int(made)


async def change(connection: AsyncConnection, id_: int, **values: object) -> None:
    await connection.execute(users.update().where(users.c.id == id_).values(**values))


async def remove(connection: AsyncConnection, id_: int) -> None:
    await connection.execute(users.delete().where(users.c.id == id_))


async def require_another_provider(connection: AsyncConnection, user: User) -> None:
    """Raises Conflict when nobody else could manage the installation any more.

    Locks all of them, before anybody locks one: of two that go at the same moment the second one finds itself
    the last.
    """
    if user.role is not Role.PROVIDER:
        return
    are_providers = (users.c.role == Role.PROVIDER.value, users.c.is_disabled.is_(False))
    query = sa.select(users.c.id).where(*are_providers).order_by(users.c.id).with_for_update()
    if not any(row.id != user.id for row in await connection.execute(query)):
        raise Conflict("this is the last provider: make another one first")


def _kept(row: sa.Row[tuple[object, ...]]) -> Kept:
    fields = row._asdict()
    return Kept(_user(row), fields["password"], fields["totp"], fields["oidc_subject"])


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
