"""What is written into the store off the call's path: it waits here and goes out in the background.

The wait is bounded: while the store is away the oldest entries are dropped and counted, for a record is worth
less than memory. They are written in batches, in their order; a batch that failed is written again whole, so
writing an entry twice must change nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from router.store.errors import StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")

BATCH_MOST = 100
PAUSE_SECONDS = 1.0
"""While the store is away."""


class Backlog(Generic[T]):
    """`kind` names the entries in the log; `write` takes a batch, and raises `StoreError` when it cannot."""

    def __init__(self, kind: str, write: Callable[[list[T]], Awaitable[None]], most_waiting: int) -> None:
        self._kind = kind
        self._write = write
        self._waiting: deque[T] = deque(maxlen=most_waiting)
        self._arrived = asyncio.Event()
        self.dropped = 0

    def put(self, entry: T) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(entry)
        self._arrived.set()

    async def run(self) -> None:
        """Write for ever; ends by cancellation."""
        is_down = False
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._write_waiting()
            except StoreError as error:
                if not is_down:
                    log.warning(
                        "backlog.waiting", kind=self._kind, problem=str(error), waiting=len(self._waiting)
                    )
                is_down = True
                await asyncio.sleep(PAUSE_SECONDS)
                self._arrived.set()
            else:
                if is_down:
                    log.info("backlog.written_again", kind=self._kind, dropped=self.dropped)
                is_down = False

    async def finish(self, seconds: float) -> None:
        """Write what waits, as far as the time allows: the last thing a stopping router does."""
        try:
            async with asyncio.timeout(seconds):
                await self._write_waiting()
        except (TimeoutError, StoreError) as error:
            problem = str(error) or "no time left"
            log.warning("backlog.lost", kind=self._kind, problem=problem, lost=len(self._waiting))

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MOST))]
            try:
                await self._write(batch)
            except BaseException:
                self._put_back(batch)
                raise

    def _put_back(self, batch: list[T]) -> None:
        room = (self._waiting.maxlen or 0) - len(self._waiting)
        kept = batch[-room:] if room else []
        self.dropped += len(batch) - len(kept)
        self._waiting.extendleft(reversed(kept))
