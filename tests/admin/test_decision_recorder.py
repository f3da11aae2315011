"""The history gets every decision once, whatever stops, fails or is lost in between."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.testing import capture_logs

from router.admin import decision_recorder
from router.admin.decision_recorder import BATCH, MARK, DecisionRecorder
from router.core.identities import TenantId
from router.records import decisions, marks, retention
from router.records.configuration import Configuration
from router.records.database import Database
from router.records.errors import RecordsUnavailable
from router.records.tables import decisions as table
from router.store.errors import StoreUnavailable
from router.store.seams import DecisionPage
from tests.admin.watching import Turns, WatchedStore
from tests.records.makers import ACME, JANE, OTHER, Clock, decision, profile

AWAY = StoreUnavailable("Redis is away")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_SECONDS", "PAUSE_SECONDS", "FORGET_PAUSE_SECONDS"):
        monkeypatch.setattr(decision_recorder, name, 0.01)


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


class Failing(Database):
    """A database that is away when it is told so."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.is_away = False
        self.opened = 0
        self.turns = Turns()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        self._check()
        async with super().reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        self._check()
        async with super().writing() as connection:
            yield connection

    def _check(self) -> None:
        self.opened += 1
        self.turns.happened()
        if self.is_away:
            raise RecordsUnavailable("the records cannot be reached")


@asynccontextmanager
async def recording(
    store: WatchedStore, database: Database, clock: Callable[[], float]
) -> AsyncIterator[DecisionRecorder]:
    made = DecisionRecorder(store.decisions, database, clock)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def record(store: WatchedStore, *numbers: int, at: float = 1_777_626_000.0) -> None:
    for number in numbers:
        made = decision(call=f"{number:05}", parked_at=at + number)
        await store.decisions.record(made, is_only_witness=True)


async def written(database: Database) -> list[str]:
    async with database.reading() as connection:
        query = sa.select(table.c.call).order_by(table.c.parked_at, table.c.id)
        return list(await connection.scalars(query))


async def mark(database: Database) -> str:
    async with database.reading() as connection:
        return await marks.read(connection, MARK)


async def all_written(store: WatchedStore, database: Database, count: int) -> None:
    async def is_so() -> bool:
        return len(await written(database)) >= count

    await store.turns.until(is_so)


def names(*numbers: int) -> list[str]:
    return [f"{number:05}" for number in numbers]


async def test_what_is_there_and_what_comes_is_written_in_batches(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    await record(store, *range(2 * BATCH + 7))
    recorder = DecisionRecorder(store.decisions, database, clock)

    assert [await recorder.step() for _ in range(4)] == [BATCH, BATCH, 7, 0]
    await record(store, 5000)
    assert await recorder.step() == 1

    assert await written(database) == names(*range(2 * BATCH + 7), 5000)


async def test_a_recorder_writes_what_comes_while_it_runs(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    async with recording(store, database, clock):
        for number in range(5):
            await record(store, number)
            await all_written(store, database, number + 1)

    assert await written(database) == names(*range(5))


async def test_the_next_recorder_goes_on_where_the_last_one_was(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    await record(store, 1, 2)
    await DecisionRecorder(store.decisions, database, clock).step()
    await record(store, 3)

    count = await DecisionRecorder(store.decisions, database, clock).step()

    assert count == 1
    assert await written(database) == names(1, 2, 3)


async def test_a_decision_that_was_recorded_twice_is_written_once(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    await record(store, 1, 1)
    recorder = DecisionRecorder(store.decisions, database, clock)
    await recorder.step()
    await record(store, 1, 2)
    await recorder.step()

    assert await written(database) == names(1, 2)


async def test_an_idle_recorder_does_not_spin(
    database: Database, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rests before it looks again, asks for no more than a batch, and leaves the database alone."""
    monkeypatch.setattr(decision_recorder, "IDLE_SECONDS", 0.1)
    failing = Failing(database._engine)
    looked: list[tuple[float, int]] = []
    after = store.decisions.after

    async def noted(last_id: str, most: int) -> DecisionPage:
        looked.append((asyncio.get_running_loop().time(), most))
        return await after(last_id, most)

    monkeypatch.setattr(store.decisions, "after", noted)
    async with recording(store, failing, clock):
        await store.turns.next(4)

    assert all(later - sooner >= 0.1 for (sooner, _), (later, _) in pairwise(looked))
    assert {most for _, most in looked} == {BATCH}
    assert failing.opened <= 3, "the mark once, and what is to be forgotten"


# Crashes


async def test_batch_and_mark_are_one(
    database: Database, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(store, 1)
    recorder = DecisionRecorder(store.decisions, database, clock)
    await recorder.step()
    before = await mark(database)
    await record(store, 2)

    async def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(marks, "write", fail)
        with pytest.raises(ZeroDivisionError):
            await recorder.step()

    assert await written(database) == names(1)
    assert await mark(database) == before
    assert await recorder.step() == 1
    assert await written(database) == names(1, 2)


CRASH = """
import asyncio, os, sys
from router.admin.decision_recorder import DecisionRecorder
from router.records import marks
from router.records.database import open_database
from tests.admin.watching import Turns, WatchedStore
from tests.records.makers import decision

async def die(*_):
    os._exit(9)

async def main():
    store = WatchedStore()
    for number in range(3):
        await store.decisions.record(decision(call=str(number)), is_only_witness=True)
    marks.write = die
    await DecisionRecorder(store.decisions, await open_database(sys.argv[1]), lambda: 0.0).step()

asyncio.run(main())
"""


async def test_a_process_that_dies_between_batch_and_mark_leaves_neither(
    database: Database, url: str, store: WatchedStore, clock: Clock
) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, url, stderr=subprocess.PIPE)
    _, told = await process.communicate()

    assert process.returncode == 9, told.decode()
    assert (await written(database), await mark(database)) == ([], "")
    await record(store, 0, 1, 2)
    await DecisionRecorder(store.decisions, database, clock).step()
    assert await written(database) == names(0, 1, 2)


# Outages


async def test_sql_that_is_away_costs_nothing_and_is_told_once(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    failing = Failing(database._engine)
    with capture_logs() as logs:
        async with recording(store, failing, clock):
            await record(store, 1)
            await all_written(store, database, 1)
            failing.is_away = True
            await record(store, *range(2, 700))
            await failing.turns.next(3)
            assert await written(database) == names(1)
            failing.is_away = False
            await all_written(store, database, 699)

    told = [entry["event"] for entry in logs]
    assert await written(database) == names(*range(1, 700))
    assert (told.count("history.failing"), told.count("history.working")) == (1, 1)


async def test_redis_that_is_away_costs_nothing_and_is_told_once(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    with capture_logs() as logs:
        async with recording(store, database, clock):
            await record(store, 1)
            await all_written(store, database, 1)
            store.outage = AWAY
            await store.turns.next(3)
            store.outage = None
            await record(store, 2)
            await all_written(store, database, 2)

    told = [(entry["event"], entry["what"]) for entry in logs]
    assert told == [("history.failing", "recording"), ("history.working", "recording")]


async def test_an_error_that_nobody_foresaw_does_not_end_it(
    database: Database, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = decisions.write
    failures = 3

    async def fail(connection: AsyncConnection, batch: Any) -> int:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise ZeroDivisionError
        return await write(connection, batch)

    monkeypatch.setattr(decisions, "write", fail)
    with capture_logs() as logs:
        async with recording(store, database, clock):
            await record(store, 1)
            await all_written(store, database, 1)

    assert [entry["event"] for entry in logs] == ["history.failing", "history.working"]


# A stream that is lost, and several recorders


async def test_a_stream_that_was_lost_is_read_from_its_beginning(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    recorder = DecisionRecorder(store.decisions, database, clock)
    await record(store, 1, 2)
    await recorder.step()

    with capture_logs() as logs:
        store.forget()
        for _ in range(3):
            await recorder.step()
        await record(store, 3)
        await recorder.step()

    assert await written(database) == names(1, 2, 3)
    assert [entry["event"] for entry in logs] == ["history.stream_was_cut"]


async def test_a_mark_from_an_old_backup_reads_again_and_writes_nothing_twice(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    await record(store, *range(10))
    await DecisionRecorder(store.decisions, database, clock).step()
    async with database.writing() as connection:
        await marks.write(connection, MARK, "3-0")

    assert await DecisionRecorder(store.decisions, database, clock).step() == 7

    assert await written(database) == names(*range(10))


async def test_several_recorders_write_everything_once_and_none_goes_back(
    database: Database, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(store, *range(1200))
    recorders = [DecisionRecorder(store.decisions, database, clock) for _ in range(3)]
    marked: list[str] = []
    write = marks.write

    async def noted(connection: AsyncConnection, name: str, value: str) -> None:
        marked.append(value)
        await write(connection, name, value)

    async def run(recorder: DecisionRecorder) -> None:
        while await recorder.step():
            pass

    monkeypatch.setattr(marks, "write", noted)
    await asyncio.gather(*map(run, recorders))

    assert sorted(await written(database)) == names(*range(1200))
    assert marked == ["500-0", "1000-0", "1200-0"]
    assert await mark(database) == "1200-0"


# Forgetting


async def test_old_decisions_are_forgotten_by_tenant_and_in_small_batches(
    configuration: Configuration, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, day = configuration.database, retention.DAY_SECONDS
    await configuration.create_tenant(profile(), JANE)
    made = [
        decision(call=f"{tenant} {age} {number}", tenant=tenant, parked_at=clock.now - age * day)
        for tenant in (ACME, OTHER, TenantId(""))
        for age in (1, 40, 100)
        for number in range(25)
    ]
    async with database.writing() as connection:
        await retention.set_days(connection, ACME, 30)
        await decisions.write(connection, made)
    monkeypatch.setattr(decision_recorder, "FORGET_MOST", 10)
    batches: list[int] = []
    forget = retention.forget

    async def counted(connection: AsyncConnection, tenant: TenantId, before: float, most: int) -> int:
        batches.append(await forget(connection, tenant, before, most))
        return batches[-1]

    monkeypatch.setattr(retention, "forget", counted)

    count = await DecisionRecorder(store.decisions, database, clock).forget_old()

    assert count == 100
    assert max(batches) == 10
    left = [call.rpartition(" ")[0] for call in await written(database)]
    assert {one: left.count(one) for one in left} == {
        "acme 1": 25,
        "other 1": 25,
        "other 40": 25,
        " 1": 25,
        " 40": 25,
    }


async def test_a_recorder_forgets_from_time_to_time(
    database: Database, store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_recorder, "SWEEP_SECONDS", 0.02)

    async def is_forgotten() -> bool:
        return await written(database) == []

    async with recording(store, database, clock):
        await record(store, 1)
        await all_written(store, database, 1)
        clock.now += 91 * retention.DAY_SECONDS
        await store.turns.until(is_forgotten)


async def test_two_that_forget_at_once_do_not_stand_in_each_others_way(
    database: Database, store: WatchedStore, clock: Clock
) -> None:
    at = clock.now - 100 * retention.DAY_SECONDS
    await record(store, *range(1200), at=at)
    recorder = DecisionRecorder(store.decisions, database, clock)
    while await recorder.step():
        pass

    await asyncio.gather(*(DecisionRecorder(store.decisions, database, clock).forget_old() for _ in range(3)))
    await recorder.forget_old()

    assert await written(database) == []
