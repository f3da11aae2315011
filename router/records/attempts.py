"""Sign-ins that failed: after a few of them in a row, the next one has to wait, and longer each time.

Counted by user name and by the address they come from. The wait ends after a quarter of an hour at the most:
a stranger who guesses cannot lock anybody out for long.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.tables import attempts

FREE = 5
"""Failures that cost no wait."""
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 900.0
FORGOTTEN_SECONDS = 3600.0


def wait_seconds(failures: int) -> float:
    """After so many failures in a row."""
    if failures < FREE:
        return 0.0
    return float(min(FIRST_SECONDS * 2.0 ** min(failures - FREE, 20), LONGEST_SECONDS))


def subjects_of(name: str, origin: str) -> tuple[str, str]:
    return f"user:{name.casefold()[:250]}", f"from:{origin[:250]}"


async def seconds_left(connection: AsyncConnection, subjects: Sequence[str], now: float) -> float:
    """Until the next attempt is taken; 0 when it is taken at once."""
    query = sa.select(attempts.c.failures, attempts.c.last_at).where(attempts.c.subject.in_(subjects))
    left = [
        row.last_at + wait_seconds(row.failures) - now
        for row in await connection.execute(query)
        if now - row.last_at < FORGOTTEN_SECONDS
    ]
    return max(0.0, *left) if left else 0.0


async def count(connection: AsyncConnection, subjects: Sequence[str], now: float) -> None:
    """One more failure."""
    for subject in sorted(subjects):
        query = sa.select(attempts).where(attempts.c.subject == subject).with_for_update()
        row = (await connection.execute(query)).first()
        if row is None:
            await connection.execute(attempts.insert().values(subject=subject, failures=1, last_at=now))
            continue
        failures = row.failures + 1 if now - row.last_at < FORGOTTEN_SECONDS else 1
        values = {"failures": failures, "last_at": now}
        await connection.execute(attempts.update().where(attempts.c.subject == subject).values(**values))


async def forget(connection: AsyncConnection, subjects: Sequence[str], now: float) -> None:
    """These have signed in; and whatever is too old to count."""
    is_old = attempts.c.last_at < now - FORGOTTEN_SECONDS
    await connection.execute(attempts.delete().where(attempts.c.subject.in_(subjects) | is_old))
