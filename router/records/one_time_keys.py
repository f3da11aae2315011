"""Keys that serve once, within minutes: what one step of a sign-in hands to the next one.

The browser has the key, the records its digest and what it stands for. Taking it uses it up, so that of two
who send the same key at the same moment one is let on.
"""

from enum import StrEnum

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.keys import digest_of_key, new_key
from router.records.tables import one_time_keys

LIVES_SECONDS = 300.0
LONGEST_BACK = 2_000


class Purpose(StrEnum):
    CODE = "code"
    SINGLE_SIGN_ON = "single sign-on"


class PasswordProved(Struct, frozen=True):
    """Whose password was right. `password` is the digest of the hash that it was right for: a new password
    makes this worth nothing."""

    user: int
    password: str


class IssuerAsked(Struct, frozen=True):
    """Somebody went to the identity provider."""

    back: str
    """The page that they came from."""
    link: int | None = None
    """The user who has proved again who they are, and wants that person taken on; None for a sign-in."""


async def make(
    connection: AsyncConnection, purpose: Purpose, told: PasswordProved | IssuerAsked, now: float
) -> str:
    """The key, which is told this once; those that are over go."""
    key = new_key()
    document = msgspec.json.encode(told).decode()
    values = {"digest": digest_of_key(key), "purpose": purpose.value, "document": document}
    await connection.execute(one_time_keys.delete().where(one_time_keys.c.ends_at <= now))
    await connection.execute(one_time_keys.insert().values(**values, ends_at=now + LIVES_SECONDS))
    return key


async def take_password(connection: AsyncConnection, key: str, now: float) -> PasswordProved | None:
    """None for a key that is over, was used, or never was."""
    document = await _take(connection, Purpose.CODE, key, now)
    return msgspec.json.decode(document, type=PasswordProved) if document else None


async def take_asked(connection: AsyncConnection, key: str, now: float) -> IssuerAsked | None:
    """The same."""
    document = await _take(connection, Purpose.SINGLE_SIGN_ON, key, now)
    return msgspec.json.decode(document, type=IssuerAsked) if document else None


async def _take(connection: AsyncConnection, purpose: Purpose, key: str, now: float) -> str:
    is_it = (one_time_keys.c.digest == digest_of_key(key), one_time_keys.c.purpose == purpose.value)
    taking = one_time_keys.delete().where(*is_it, one_time_keys.c.ends_at > now)
    taken = await connection.execute(taking.returning(one_time_keys.c.document))
    return str(taken.scalar_one_or_none() or "")
