"""Writing decisions to the stream, off the call's path."""

import asyncio

from router.core.decisions import Decision
from router.engine.backlog import Backlog
from router.store.seams import DecisionStream


class Recorder:
    """A decision that was written twice stands in the stream twice, and is shown once."""

    def __init__(self, stream: DecisionStream, most_waiting: int = 20_000) -> None:
        self._stream = stream
        self._backlog = Backlog("decisions", self._write, most_waiting)

    @property
    def dropped(self) -> int:
        return self._backlog.dropped

    def put(self, decision: Decision, *, is_only_witness: bool) -> None:
        self._backlog.put((decision, is_only_witness))

    async def run(self) -> None:
        """Write for ever; ends by cancellation."""
        await self._backlog.run()

    async def finish(self, seconds: float) -> None:
        """Write what waits, as far as the time allows."""
        await self._backlog.finish(seconds)

    async def _write(self, batch: list[tuple[Decision, bool]]) -> None:
        await asyncio.gather(*(self._stream.record(decision, alone) for decision, alone in batch))
