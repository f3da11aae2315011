"""Writing decisions to the stream, off the call's path.

What is not urgent waits here and goes out in the background. The wait is bounded: while Redis is away the
oldest decisions are dropped and counted, for a record is worth less than memory.
"""

import asyncio
from collections import deque

import structlog

from router.core.decisions import Decision
from router.store.errors import StoreError
from router.store.seams import DecisionStream

log = structlog.get_logger(__name__)


class Recorder:
    def __init__(self, stream: DecisionStream, most_waiting: int = 20_000) -> None:
        self._stream = stream
        self._waiting: deque[tuple[Decision, bool]] = deque(maxlen=most_waiting)
        self._arrived = asyncio.Event()
        self.dropped = 0

    def put(self, decision: Decision, *, is_only_witness: bool) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append((decision, is_only_witness))
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
                    log.warning("decisions.waiting", problem=str(error), waiting=len(self._waiting))
                is_down = True
                await asyncio.sleep(1.0)
                self._arrived.set()
            else:
                if is_down:
                    log.info("decisions.written_again", dropped=self.dropped)
                is_down = False

    async def finish(self, seconds: float) -> None:
        """Write what waits, as far as the time allows: the last thing a stopping router does."""
        try:
            async with asyncio.timeout(seconds):
                await self._write_waiting()
        except (TimeoutError, StoreError) as error:
            log.warning("decisions.lost", problem=str(error) or "no time left", lost=len(self._waiting))

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), 100))]
            try:
                await asyncio.gather(*(self._stream.record(decision, alone) for decision, alone in batch))
            except BaseException:
                self._put_back(batch)
                raise

    def _put_back(self, batch: list[tuple[Decision, bool]]) -> None:
        """A batch is written again whole: the stream may then hold a decision twice, and shows it once."""
        room = (self._waiting.maxlen or 0) - len(self._waiting)
        kept = batch[-room:] if room else []
        self.dropped += len(batch) - len(kept)
        self._waiting.extendleft(reversed(kept))
