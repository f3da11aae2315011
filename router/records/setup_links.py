"""The link of the first start, with which the first provider is made: once, within a day, by one of many who
open it at the same moment.

Whoever makes or uses a link holds a lock until the transaction's end: else two processes that start together
would leave two links, and two people who use these would both be the first.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records import marks, users
from router.records.keys import digest_of_key, new_key
from router.records.tables import setup_links

LIVES_SECONDS = 86_400.0
MARK = "set-up"


async def renew(connection: AsyncConnection, now: float) -> str | None:
    """The key of a new link, in whose favour the former is over; None where there is a user already."""
    await marks.lock(connection, MARK)
    if await users.is_any(connection):
        return None
    key = new_key()
    await connection.execute(setup_links.delete())
    values = {"digest": digest_of_key(key), "ends_at": now + LIVES_SECONDS}
    await connection.execute(setup_links.insert().values(**values))
    return key


async def is_good(connection: AsyncConnection, key: str, now: float) -> bool:
    where = (setup_links.c.digest == digest_of_key(key), setup_links.c.ends_at > now)
    return await connection.scalar(sa.select(setup_links.c.digest).where(*where)) is not None


async def use(connection: AsyncConnection, key: str, now: float) -> bool:
    """Whether it was good; with it every link is over."""
    await marks.lock(connection, MARK)
    if await users.is_any(connection) or not await is_good(connection, key, now):
        return False
    await connection.execute(setup_links.delete())
    return True
