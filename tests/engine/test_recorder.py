"""Decisions on their way to the stream: nothing is lost within the bound, and the bound holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from router.core import events
from router.core.actions import Report
from router.core.decisions import Decision
from router.core.identities import Uniqueid
from router.engine.recorder import Recorder
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.core.makers import after, begin, only, plan

AWAY = StoreUnavailable("Redis is away")


def decision(number: int) -> Decision:
    call, _ = begin(plan())
    report = only(Report, after(call, events.CallerHungUp(1))[1])
    return replace(report.decision, call_id=Uniqueid(str(number)))


def put(recorder: Recorder, *numbers: int) -> None:
    for number in numbers:
        recorder.put(decision(number), is_only_witness=True)


async def recorded(store: MemoryStore) -> list[int]:
    """The numbers of the decisions in the stream, oldest first."""
    await asyncio.sleep(0.01)
    return [int(decision.call_id) for decision in reversed(await store.decisions.latest(10_000))]


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(recorder.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_decisions_are_written_in_their_order() -> None:
    store = MemoryStore()
    recorder = Recorder(store.decisions)
    async with running(recorder):
        put(recorder, *range(250))

        assert await recorded(store) == list(range(250))
        assert recorder.dropped == 0


async def test_decisions_wait_while_the_store_is_away_and_none_is_lost() -> None:
    store = MemoryStore()
    recorder = Recorder(store.decisions)
    async with running(recorder):
        store.outage = AWAY
        put(recorder, *range(150))
        await asyncio.sleep(30)
        put(recorder, 150)
        store.outage = None
        await asyncio.sleep(5)

        assert await recorded(store) == list(range(151))
        assert recorder.dropped == 0


async def test_what_does_not_fit_is_dropped_oldest_first_and_counted() -> None:
    store = MemoryStore()
    recorder = Recorder(store.decisions, most_waiting=3)
    async with running(recorder):
        store.outage = AWAY
        put(recorder, *range(5))
        await asyncio.sleep(5)
        store.outage = None
        await asyncio.sleep(5)

        assert await recorded(store) == [2, 3, 4]
        assert recorder.dropped == 2


class HangsThenFails(MemoryStore):
    """Its first write hangs until it is let go, and fails then."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.decisions.record = self.record  # type: ignore[method-assign]

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        if not self.let_go.is_set():
            await self.let_go.wait()
            raise AWAY
        await type(self.decisions).record(self.decisions, decision, is_only_witness)


async def test_what_came_while_a_write_hung_stands_before_what_it_held() -> None:
    """The newer ones are kept, and what no longer fits is counted."""
    store = HangsThenFails()
    recorder = Recorder(store.decisions, most_waiting=3)
    async with running(recorder):
        put(recorder, 1, 2, 3)
        await asyncio.sleep(1)
        put(recorder, 4, 5)
        store.let_go.set()
        await asyncio.sleep(5)

        assert await recorded(store) == [3, 4, 5]
        assert recorder.dropped == 2


async def test_a_router_that_stops_writes_what_waits() -> None:
    store = MemoryStore()
    recorder = Recorder(store.decisions)
    put(recorder, 1, 2)

    await recorder.finish(5)

    assert await recorded(store) == [1, 2]


async def test_a_write_that_the_end_cut_short_is_made_up_for() -> None:
    store = HangsThenFails()
    recorder = Recorder(store.decisions)
    async with running(recorder) as task:
        put(recorder, 1, 2)
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.let_go.set()

        await recorder.finish(5)

        assert await recorded(store) == [1, 2]


async def test_a_router_that_stops_does_not_wait_for_a_store_that_is_away() -> None:
    store = MemoryStore()
    store.outage = AWAY
    recorder = Recorder(store.decisions)
    put(recorder, 1)

    await recorder.finish(5)

    store.outage = None
    assert await recorded(store) == []


async def test_a_router_that_stops_does_not_wait_for_ever_for_a_store_that_hangs() -> None:
    recorder = Recorder(HangsThenFails().decisions)
    put(recorder, 1)

    await recorder.finish(5)

    assert recorder.dropped == 0
