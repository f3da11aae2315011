"""Sign-ins that failed: after a few of them in a row, the next one has to wait, and longer each time.

Counted by user name and by the address they come from. The wait ends after a quarter of an hour at the most:
a stranger who guesses cannot lock anybody out for ever.

An attempt is counted as a failure before its password is looked at, and taken back once it was right: who
sends many at once finds the count already up. A success forgets the failures of the user. The address keeps
its own, or somebody with one account would guess at all others between two sign-ins.
"""

from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.dialects import insert
from router.records.tables import attempts

FREE = 5
"""Failures that cost no wait."""
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 900.0
FORGOTTEN_SECONDS = 3600.0
NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has all that begin alike (RFC 6177)."""


class Taken(Struct, frozen=True):
    """An attempt under way. `user` and `origin` are subjects; `former` is when they failed before this."""

    user: str
    origin: str
    at: float
    former: dict[str, float]


def wait_seconds(failures: int) -> float:
    """After so many failures in a row."""
    if failures < FREE:
        return 0.0
    return float(min(FIRST_SECONDS * 2.0 ** min(failures - FREE, 20), LONGEST_SECONDS))


def subjects_of(folded: str, origin: str) -> tuple[str, str]:
    """The name is kept as a digest: people type their password into the wrong field."""
    return f"user:{sha256(folded.encode(errors='replace')).hexdigest()}", f"from:{_place_of(origin)}"


async def take(
    connection: AsyncConnection, folded: str, origin: str, now: float
) -> tuple[Taken | None, float]:
    """Count it as failed already. None where it has to wait, and for how many seconds."""
    user, place = subjects_of(folded, origin)
    rows = {subject: await _locked(connection, subject, now) for subject in sorted((user, place))}
    waits = ((last_at, wait_seconds(failures)) for failures, last_at in rows.values())
    # Another process's clock may be ahead: who need not wait is not told of that moment either.
    left = max((last_at + wait - now for last_at, wait in waits if wait), default=0.0)
    if left > 0:
        return None, left
    for subject, (failures, _) in rows.items():
        values = {"failures": failures + 1, "last_at": now}
        await connection.execute(attempts.update().where(attempts.c.subject == subject).values(**values))
    former = {subject: last_at for subject, (_, last_at) in rows.items()}
    return Taken(user, place, now, former), 0.0


async def succeed(connection: AsyncConnection, taken: Taken) -> None:
    """The user's failures are forgotten; and whatever is too old to count."""
    await _give_back(connection, taken, (taken.origin,))
    await connection.execute(attempts.delete().where(attempts.c.subject == taken.user))
    is_old = attempts.c.last_at < taken.at - FORGOTTEN_SECONDS
    old = sa.select(attempts.c.subject).where(is_old).with_for_update(skip_locked=True)
    await connection.execute(attempts.delete().where(attempts.c.subject.in_(old)))


async def take_back(connection: AsyncConnection, taken: Taken) -> None:
    """It was no failure, and no success yet."""
    await _give_back(connection, taken, sorted((taken.user, taken.origin)))


async def _give_back(connection: AsyncConnection, taken: Taken, subjects: Sequence[str]) -> None:
    for subject in subjects:
        is_latest = attempts.c.last_at == taken.at
        last_at = sa.case((is_latest, taken.former[subject]), else_=attempts.c.last_at)
        counted = (attempts.c.subject == subject, attempts.c.failures > 0)
        change = attempts.update().where(*counted).values(failures=attempts.c.failures - 1, last_at=last_at)
        await connection.execute(change)


async def _locked(connection: AsyncConnection, subject: str, now: float) -> tuple[int, float]:
    """How often it failed, and when the last time; nobody else counts until the transaction's end.

    One statement that changes nothing of a row that is there: it locks what it returns.
    """
    fresh = insert(connection, attempts).values(subject=subject, failures=0, last_at=now)
    locking = fresh.on_conflict_do_update(index_elements=["subject"], set_={"subject": subject})
    row = (await connection.execute(locking.returning(attempts.c.failures, attempts.c.last_at))).one()
    is_forgotten = now - row.last_at >= FORGOTTEN_SECONDS
    return (0, now) if is_forgotten else (row.failures, row.last_at)


def _place_of(origin: str) -> str:
    try:
        address = ip_address(origin)
    except ValueError:
        return origin[:250]
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or IPv6Network((int(address), NETWORK_BITS), strict=False))
    return str(address)
