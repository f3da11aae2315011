"""Sessions of the page: a key in the browser's cookie, its digest here.

A session ends after half a day without use, and after a week in any case.
"""

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.keys import digest_of_key, new_key
from router.records.tables import sessions

IDLE_SECONDS = 12 * 3600.0
LIVES_SECONDS = 7 * 86_400.0
SEEN_EVERY_SECONDS = 60.0
"""How exactly the last use is known: not every request writes."""


class SessionRow(Struct, frozen=True):
    digest: str
    user: int
    made_at: float
    seen_at: float
    ends_at: float
    origin: str


async def begin(connection: AsyncConnection, user: int, origin: str, now: float) -> str:
    """The new session's key, which is told this once."""
    key = new_key()
    values = {"digest": digest_of_key(key), "user": user, "made_at": now, "seen_at": now}
    await connection.execute(
        sessions.insert().values(**values, ends_at=now + LIVES_SECONDS, origin=origin[:100])
    )
    is_over = (sessions.c.ends_at < now) | (sessions.c.seen_at < now - IDLE_SECONDS)
    await connection.execute(sessions.delete().where(is_over))
    return key


async def find(connection: AsyncConnection, key: str, now: float) -> SessionRow | None:
    """None where there is none, or it is over."""
    query = sa.select(sessions).where(sessions.c.digest == digest_of_key(key))
    row = (await connection.execute(query)).first()
    if row is None or row.ends_at <= now or row.seen_at <= now - IDLE_SECONDS:
        return None
    return SessionRow(**row._asdict())


async def see(connection: AsyncConnection, digest: str, now: float) -> None:
    await connection.execute(sessions.update().where(sessions.c.digest == digest).values(seen_at=now))


async def end(connection: AsyncConnection, user: int, digest: str) -> bool:
    """Whether the user had it open."""
    where = (sessions.c.user == user, sessions.c.digest == digest)
    return (await connection.execute(sessions.delete().where(*where))).rowcount == 1


async def end_all(connection: AsyncConnection, user: int, but: str = "") -> None:
    """All of a user's; `but` is the digest of the one that goes on."""
    where = (sessions.c.user == user, sessions.c.digest != but)
    await connection.execute(sessions.delete().where(*where))


async def of_user(connection: AsyncConnection, user: int, now: float) -> list[SessionRow]:
    """Those that are open, the last used first."""
    is_open = (sessions.c.ends_at > now, sessions.c.seen_at > now - IDLE_SECONDS)
    query = sa.select(sessions).where(sessions.c.user == user, *is_open).order_by(sessions.c.seen_at.desc())
    return [SessionRow(**row._asdict()) for row in await connection.execute(query)]
