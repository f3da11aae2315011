"""From the decision stream into the records: the history outlives the stream, which keeps the latest alone.

Entries are read after the last one that was written, whose id is in the records too: it is written in the
transaction of its batch, so that no crash parts them. Where that entry is gone from the stream, or a router
wrote a decision twice, decisions come again; the records leave alone what they have.

Any number of recorders may run, one in each process of administration. The mark is locked while a batch is
written, and whoever finds it moved goes on from there: they take turns, and none goes back.

While Redis or SQL is away nothing is lost for as long as the stream keeps it (`redis.decisions_kept`); a
recorder holds one batch in memory and no more.
"""

import asyncio
from collections.abc import Callable

import structlog

from router.records import decisions, marks, retention
from router.records.database import Database
from router.records.errors import RecordsError
from router.settings.trouble import Trouble
from router.store.errors import StoreError
from router.store.seams import DecisionPage, DecisionStream

log = structlog.get_logger(__name__)

MARK = "decisions"
BATCH = 500
IDLE_SECONDS = 0.5
"""How often the stream is looked at once all of it is written. Calls that end meanwhile are one batch."""
PAUSE_SECONDS = 2.0
"""Between attempts while Redis or SQL is away."""
SWEEP_SECONDS = 600.0
FORGET_MOST = 500
FORGET_PAUSE_SECONDS = 0.05
"""Between two batches of deleting, for those who write meanwhile."""


class DecisionRecorder:
    """`clock` is the time of day, in seconds since the epoch."""

    def __init__(self, stream: DecisionStream, database: Database, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._database = database
        self._clock = clock
        self._last_id: str | None = None
        """Of the last entry that is written; None when the mark must be read."""

    async def run(self) -> None:
        """For ever; ends by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._record())
            tasks.create_task(self._sweep())

    async def step(self) -> int:
        """Write the next batch; how many decisions were in it. Raises RecordsError, StoreError."""
        if self._last_id is None:
            async with self._database.reading() as connection:
                self._last_id = await marks.read(connection, MARK)
        page = await self._stream.after(self._last_id, BATCH)
        if page.was_cut:
            log.warning("history.stream_was_cut", after=self._last_id)
        if page.last_id != self._last_id:
            self._last_id = await self._keep(page, self._last_id)
        return len(page.decisions)

    async def forget_old(self) -> int:
        """Delete what is older than its tenant keeps it; how many decisions. Raises RecordsError."""
        async with self._database.reading() as connection:
            kept = await retention.every(connection)
        count = 0
        for tenant, days in kept.items():
            before = self._clock() - days * retention.DAY_SECONDS
            while True:
                async with self._database.writing() as connection:
                    gone = await retention.forget(connection, tenant, before, FORGET_MOST)
                count += gone
                if gone < FORGET_MOST:
                    break
                await asyncio.sleep(FORGET_PAUSE_SECONDS)
        return count

    async def _keep(self, page: DecisionPage, read_after: str) -> str:
        """Where to go on."""
        async with self._database.writing() as connection:
            mark = await marks.lock(connection, MARK)
            if mark != read_after:
                return mark  # another recorder was here first
            await decisions.write(connection, page.decisions)
            await marks.write(connection, MARK, page.last_id)
        return page.last_id

    async def _record(self) -> None:
        state = _trouble("recording")
        while True:
            try:
                count = await self.step()
            except Exception as error:  # whatever it is, history must go on with the next attempt
                state.failed(error)
                self._last_id = None
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            state.worked()
            if count < BATCH:
                await asyncio.sleep(IDLE_SECONDS)

    async def _sweep(self) -> None:
        state = _trouble("forgetting")
        while True:
            try:
                count = await self.forget_old()
            except Exception as error:
                state.failed(error)
            else:
                state.worked()
                if count:
                    log.info("history.forgotten", decisions=count)
            await asyncio.sleep(SWEEP_SECONDS)


def _trouble(what: str) -> Trouble:
    return Trouble(log, "history.failing", "history.working", (RecordsError, StoreError), what=what)
