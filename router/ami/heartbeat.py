"""Is Asterisk still there, and what time is it there.

TCP tells nothing of a peer that vanished, and Asterisk may stop answering while its events still flow. So an
answered Ping is the only proof of life. Its `Timestamp` measures Asterisk's clock, by which the dialplan
counts HOLD: our sums are made on the monotonic clock, so a clock that is set, here or there, moves nothing
for longer than one ping.
"""

import asyncio
import time
from typing import Protocol

import structlog

from router.ami import outbound
from router.ami.errors import AnswerMissing, LinkLost
from router.ami.messages import AmiMessage
from router.ami.outbound import ActionHeaders
from router.settings.model import AmiSettings

log = structlog.get_logger(__name__)


class AsteriskClock:
    """Seconds since the epoch by Asterisk's clock; by our own until a Ping was answered."""

    def __init__(self) -> None:
        self._ahead_of_monotonic = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._ahead_of_monotonic

    def measure(self, timestamp: str, sent_at: float, received_at: float) -> None:
        """`sent_at` and `received_at` are monotonic. Asterisk wrote the timestamp about half-way between."""
        try:
            asterisk_at = float(timestamp)
        except ValueError:
            return
        if 0 < asterisk_at < 1e12:
            self._ahead_of_monotonic = asterisk_at - (sent_at + received_at) / 2


class Asked(Protocol):
    """The part of a session that a heart needs."""

    async def ask(self, headers: ActionHeaders, seconds: float) -> AmiMessage: ...

    def end(self, problem: str) -> None: ...


async def ping(session: Asked, clock: AsteriskClock, seconds: float) -> None:
    """Raises AnswerMissing, LinkLost. Any answer will do, even a refusal."""
    sent_at = time.monotonic()
    answer = await session.ask(outbound.action("Ping"), seconds)
    clock.measure(answer.get("timestamp"), sent_at, time.monotonic())


async def beat(server: str, session: Asked, clock: AsteriskClock, ami: AmiSettings) -> None:
    """Ping until the session ends, and end it after too many misses in a row.

    A miss is followed by a Ping at once.
    """
    missed = 0
    while missed < ami.pings_missed:
        if not missed:
            await asyncio.sleep(ami.ping_every_seconds)
        try:
            await ping(session, clock, ami.ping_seconds)
            missed = 0
        except AnswerMissing:
            missed += 1
            log.warning("ami.ping_missed", server=server, missed=missed)
        except LinkLost:
            return
    session.end(f"{missed} pings were not answered")
