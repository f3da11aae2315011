"""Finished calls on their way into CRMs that fail in every way, on virtual time: hours pass in a moment."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from router.core.call_logs import CallEnd, FinishedCall, Logged
from router.core.faults import Fault
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import OpenCall
from router.store.call_log_seam import IntegrationLog, KeptLog
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from workers.call_log_sender import (
    FIRST_PAUSE_SECONDS,
    LEASE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PLACES,
    WRITE_SECONDS,
    CallLogSender,
)
from workers.errors import (
    AttemptTimedOut,
    GrantExpired,
    IntegrationUnusable,
    LookupFailed,
    LookupRefused,
    LookupUnavailable,
    RecordAwaited,
    SignInNeeded,
)

ACME, OTHER = TenantId("acme"), TenantId("other")
CRM, ERP = IntegrationName("crm"), IntegrationName("erp")
AWAY = StoreUnavailable("Redis is away")
HOUR = 3600.0


class Crm:
    """Keeps what it was given, and fails as it is told to."""

    def __init__(self) -> None:
        self.entries: defaultdict[str, list[FinishedCall]] = defaultdict(list)
        self.attempts: list[tuple[float, FinishedCall]] = []
        self.fails: Callable[[FinishedCall], BaseException | None] = lambda _call: None
        self.seconds = 0.1
        self.under_way = 0
        self.most_under_way = 0

    async def write(self, call: FinishedCall) -> Logged:
        self.attempts.append((asyncio.get_running_loop().time(), call))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
            failure = self.fails(call)
            if failure is not None:
                raise failure
        finally:
            self.under_way -= 1
        was_there = bool(self.entries[call.call_id])
        if not (was_there and call.is_repeat):
            self.entries[call.call_id].append(call)
        return Logged(f"T-{call.call_id}", was_there)

    @property
    def written(self) -> list[str]:
        return [call_id for call_id, entries in self.entries.items() if entries]


class Site:
    """A store and a worker's sender on it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.crm = Crm()
        self.stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, write: Callable[[FinishedCall], Awaitable[Logged]] | None = None) -> asyncio.Task[None]:
        sender = CallLogSender(self.store.call_log, write or self.crm.write, jitter=lambda: 1.0)
        self._tasks.append(asyncio.create_task(sender.run(self.stop)))
        return self._tasks[-1]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def queue(self, *numbers: int, tenant: TenantId = ACME, integration: IntegrationName = CRM) -> None:
        for number in numbers:
            call = finished(number, tenant, integration)
            account = OpenCall(
                tenant=tenant,
                call_id=call.call_id,
                parking=1,
                integration=integration,
                started_at=0.0,
                reached_at=1.0,
                caller="",
                called="",
                destination="",
                rule="",
                decision="",
            )
            await self.store.open_calls.open(account)
            await self.store.open_calls.close(account, call)

    async def state(self, tenant: TenantId = ACME) -> IntegrationLog:
        (state,) = await self.store.call_log_desk.overview(tenant)
        return state

    async def failed(self) -> list[KeptLog]:
        return await self.store.call_log_desk.failed(ACME, 100)


def finished(number: int = 1, tenant: TenantId = ACME, integration: IntegrationName = CRM) -> FinishedCall:
    return FinishedCall(
        tenant=tenant,
        integration=integration,
        call_id=Uniqueid(f"{tenant}-{integration}-{number}"),
        ending=CallEnd.ANSWERED,
        started_at=0.0,
        seconds=60,
        caller="+33612345678",
        called="+33199",
        subject="Inbound call",
        decision="Queue gold.",
    )


@asynccontextmanager
async def site(*, is_started: bool = True) -> AsyncIterator[Site]:
    made = Site()
    if is_started:
        made.start()
    try:
        yield made
    finally:
        await made.end()


async def test_calls_are_written_and_settled() -> None:
    async with site() as made:
        await made.queue(1, 2, 3)
        await asyncio.sleep(5)

        assert made.crm.written == ["acme-crm-1", "acme-crm-2", "acme-crm-3"]
        assert await made.store.call_log_desk.overview(ACME) == []
        assert not any(call.is_repeat for _, call in made.crm.attempts)


async def test_what_was_written_is_told_with_the_call_s_names() -> None:
    async with site() as made:
        with capture_logs() as logs:
            await made.queue(1)
            await asyncio.sleep(5)

    (entry,) = [entry for entry in logs if entry["event"] == "call_log.written"]
    assert (entry["tenant"], entry["uniqueid"], entry["integration"]) == (ACME, "acme-crm-1", CRM)
    assert (entry["entry"], entry["was_there"]) == ("T-acme-crm-1", False)


async def test_few_calls_are_written_at_a_time_and_two_of_one_integration() -> None:
    async with site() as made:
        made.crm.seconds = 10
        await made.queue(*range(10))
        await asyncio.sleep(5)
        assert made.crm.most_under_way == 2

        for number in range(10):
            await made.queue(1, 2, tenant=TenantId(f"tenant-{number}"))
        await asyncio.sleep(60)

        assert made.crm.most_under_way == PLACES


# An outage


async def test_a_crm_that_is_down_for_a_day_gets_every_call_once_it_is_back() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("the CRM answered 503")
        for number in range(24):
            await made.queue(number)
            await asyncio.sleep(HOUR)
        before = len(made.crm.attempts)
        made.crm.fails = lambda _call: None
        await asyncio.sleep(HOUR)

        assert len(made.crm.written) == 24
        assert all(len(entries) == 1 for entries in made.crm.entries.values())
        assert await made.store.call_log_desk.overview(ACME) == []
        # Four an hour, when the pauses have grown.
        assert 24 * 3 < before < 24 * 6


async def test_a_dead_crm_is_not_hammered_by_a_backlog() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("the CRM answered 503")
        await made.queue(*range(500))
        await asyncio.sleep(HOUR)

        assert len(made.crm.attempts) < 20
        state = await made.state()
        assert (state.waiting, state.failed, state.problem) == (500, 0, "the CRM answered 503")
        assert 0 < state.paused_seconds <= LONGEST_PAUSE_SECONDS


async def test_pauses_double_from_seconds_to_a_quarter_of_an_hour() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("the CRM answered 503")
        await made.queue(1)
        await asyncio.sleep(3 * HOUR)

        moments = [at for at, _ in made.crm.attempts]
        gaps = [after - before for before, after in pairwise(moments)]
        expected = [min(FIRST_PAUSE_SECONDS * 2**n, LONGEST_PAUSE_SECONDS) for n in range(len(gaps))]
        assert gaps == pytest.approx(expected, abs=1.5)


async def test_the_pause_that_a_crm_asks_for_is_kept() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("quota", 2 * HOUR, fault=Fault.THROTTLED)
        await made.queue(1, 2)
        await asyncio.sleep(1.9 * HOUR)
        assert len(made.crm.attempts) == 2
        made.crm.fails = lambda _call: None
        await asyncio.sleep(0.2 * HOUR)

        assert len(made.crm.written) == 2


async def test_another_integration_notices_nothing() -> None:
    async with site() as made:
        made.crm.fails = lambda call: LookupUnavailable("down") if call.integration == CRM else None
        await made.queue(*range(50))
        await asyncio.sleep(60)
        await made.queue(*range(50), integration=ERP)
        await made.queue(*range(50), tenant=OTHER, integration=ERP)
        await asyncio.sleep(60)

        assert len(made.crm.written) == 100


async def test_the_first_success_lets_the_backlog_go() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("down")
        await made.queue(*range(100))
        await asyncio.sleep(6 * HOUR)
        made.crm.fails = lambda _call: None
        await asyncio.sleep(LONGEST_PAUSE_SECONDS + 120)

        assert len(made.crm.written) == 100


async def test_after_two_days_calls_are_given_up_and_can_be_put_back() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupUnavailable("the CRM answered 503")
        await made.queue(*range(20))
        await asyncio.sleep(47 * HOUR)
        assert (await made.state()).failed == 0
        await asyncio.sleep(2 * HOUR)

        failed = await made.failed()
        assert len(failed) == 20
        assert {one.problem for one in failed} == {"given up after 48 h: the CRM answered 503"}
        made.crm.fails = lambda _call: None
        await made.store.call_log_desk.retry(ACME)
        await asyncio.sleep(60)
        assert len(made.crm.written) == 20
        assert made.crm.attempts[-1][1].is_repeat


# What a failure means

RESTS: dict[str, BaseException] = {
    "down": LookupUnavailable("down"),
    "one attempt timed out": AttemptTimedOut("no answer"),
    "all attempts timed out": LookupRefused("the CRM did not answer", fault=Fault.TIMEOUT),
    "a token that is dead": GrantExpired(),
    "a password that is refused": LookupRefused("401", fault=Fault.CREDENTIALS),
    "a person must sign in": SignInNeeded("the token was withdrawn"),
    "no rights": LookupRefused("403", fault=Fault.RIGHTS),
    "a maintenance page": LookupRefused("not JSON"),
    "settings that cannot be used": IntegrationUnusable("the worker does not have this integration"),
    "another failure": LookupFailed("the connector did not end"),
}


@pytest.mark.parametrize("name", RESTS)
async def test_what_a_person_or_time_may_mend_is_tried_again(name: str) -> None:
    async with site() as made:
        made.crm.fails = lambda _call: RESTS[name]
        await made.queue(1, 2, 3)
        await asyncio.sleep(10 * HOUR)
        resting = await made.state()
        made.crm.fails = lambda _call: None
        await asyncio.sleep(HOUR)

        assert (resting.failed, resting.waiting) == (0, 3)
        assert resting.failures > 0
        assert len(made.crm.written) == 3


@pytest.mark.parametrize("fault", [Fault.QUERY, Fault.MODULE, Fault.FIELD])
async def test_what_the_crm_does_not_take_is_given_up_at_once_and_the_others_go_on(fault: Fault) -> None:
    async with site() as made:
        refused = LookupRefused("there is no module Lead", fault=fault)
        made.crm.fails = lambda call: refused if call.call_id.endswith("-1") else None
        with capture_logs() as logs:
            await made.queue(1, 2, 3)
            await asyncio.sleep(10)

        (failed,) = await made.failed()
        assert (failed.call.call_id, failed.problem) == ("acme-crm-1", "there is no module Lead")
        assert made.crm.written == ["acme-crm-2", "acme-crm-3"]
        (told,) = [entry for entry in logs if entry["event"] == "call_log.given_up"]
        assert (told["tenant"], told["uniqueid"], told["log_level"]) == (ACME, "acme-crm-1", "error")


async def test_one_call_that_fails_for_ever_does_not_stop_its_integration() -> None:
    async with site() as made:
        made.crm.fails = lambda call: LookupRefused("not JSON") if call.call_id.endswith("-0") else None
        await made.queue(0)
        await asyncio.sleep(HOUR)
        await made.queue(*range(1, 51))
        await asyncio.sleep(HOUR)

        assert len(made.crm.written) == 50


async def test_a_mistake_of_ours_is_logged_and_costs_this_call_alone_a_pause() -> None:
    async with site() as made:
        made.crm.fails = lambda call: ZeroDivisionError() if call.call_id.endswith("-1") else None
        with capture_logs() as logs:
            await made.queue(1, 2, 3)
            await asyncio.sleep(4)

        assert made.crm.written == ["acme-crm-2", "acme-crm-3"]
        assert (await made.state()).failures == 0
        assert "call_log.broken" in {entry["event"] for entry in logs}


@pytest.mark.parametrize("failure", [RecordAwaited(60.0), AWAY], ids=["record-awaited", "store-away"])
async def test_what_is_not_the_crms_doing_costs_this_call_alone_a_pause(failure: Exception) -> None:
    async with site() as made:
        fails = {"acme-crm-1": failure}
        made.crm.fails = lambda call: fails.pop(call.call_id, None)
        with capture_logs() as logs:
            await made.queue(1, 2, 3)
            await asyncio.sleep(4)
            soon = list(made.crm.written)
            state = await made.state()
            await asyncio.sleep(60)

        assert soon == ["acme-crm-2", "acme-crm-3"]
        assert (state.failures, state.waiting) == (0, 1)
        assert made.crm.written == ["acme-crm-2", "acme-crm-3", "acme-crm-1"]
        assert "call_log.broken" not in {entry["event"] for entry in logs}


async def test_a_write_that_hangs_is_cut_off_and_repeated() -> None:
    async with site() as made:
        made.crm.seconds = 10 * HOUR
        await made.queue(1)
        await asyncio.sleep(WRITE_SECONDS + 1)
        made.crm.seconds = 0.1
        await asyncio.sleep(60)

        assert made.crm.written == ["acme-crm-1"]
        assert [call.is_repeat for _, call in made.crm.attempts] == [False, True]


async def test_no_problem_is_longer_than_a_line() -> None:
    async with site() as made:
        made.crm.fails = lambda _call: LookupRefused("x" * 10_000, fault=Fault.MODULE)
        await made.queue(1)
        await asyncio.sleep(5)

        (failed,) = await made.failed()
        assert len(failed.problem) == 300


# Workers that end


async def test_a_worker_killed_after_the_crm_took_the_call_leaves_a_repeat_and_one_entry() -> None:
    async with site(is_started=False) as made:
        taken = asyncio.Event()

        async def write(call: FinishedCall) -> Logged:
            logged = await made.crm.write(call)
            taken.set()
            await asyncio.sleep(HOUR)  # it is killed here
            return logged

        killed = made.start(write)
        await made.queue(1)
        await taken.wait()
        killed.cancel()
        made.start()
        await asyncio.sleep(LEASE_SECONDS + 5)

        assert [call.is_repeat for _, call in made.crm.attempts] == [False, True]
        assert len(made.crm.entries["acme-crm-1"]) == 1
        assert await made.store.call_log_desk.overview(ACME) == []


async def test_a_call_that_ends_every_worker_is_given_up() -> None:
    async with site(is_started=False) as made:

        async def write(call: FinishedCall) -> Logged:
            await made.crm.write(call)
            await asyncio.sleep(10 * HOUR)
            return Logged("")

        await made.queue(1)
        for _ in range(8):
            worker = made.start(write)
            await asyncio.sleep(10)
            worker.cancel()
            await asyncio.sleep(LEASE_SECONDS)

        (failed,) = await made.failed()
        assert failed.problem == "it was tried 5 times and its worker ended each time"
        assert len(made.crm.attempts) == 5


async def test_a_worker_that_stops_takes_no_more_and_finishes_what_is_in_hand() -> None:
    async with site(is_started=False) as made:
        made.crm.seconds = 3
        worker = made.start()
        await made.queue(1, 2, 3)
        await asyncio.sleep(2)
        made.stop.set()
        await worker

        assert sorted(made.crm.written) == ["acme-crm-1", "acme-crm-2"]
        assert (await made.state()).waiting == 1


async def test_a_worker_that_stops_does_not_wait_for_a_crm_that_hangs() -> None:
    async with site(is_started=False) as made:
        made.crm.seconds = HOUR
        worker = made.start()
        await made.queue(1)
        await asyncio.sleep(2)
        began_at = asyncio.get_running_loop().time()
        made.stop.set()
        await worker

        assert asyncio.get_running_loop().time() - began_at < 10
        made.stop.clear()
        made.crm.seconds = 0.1
        made.start()
        await asyncio.sleep(LEASE_SECONDS + 5)
        assert made.crm.written == ["acme-crm-1"]


async def test_two_workers_write_each_call_once() -> None:
    async with site() as made:
        made.start()
        await made.queue(*range(50))
        await made.queue(*range(50), tenant=OTHER)
        await asyncio.sleep(60)

        assert len(made.crm.attempts) == 100


# The store away


async def test_calls_wait_while_the_store_is_away() -> None:
    async with site() as made:
        await made.queue(1)
        made.store.outage = AWAY
        with capture_logs() as logs:
            await asyncio.sleep(HOUR)
            made.store.outage = None
            await asyncio.sleep(5)

        assert made.crm.written == ["acme-crm-1"]
        told = [entry["event"] for entry in logs if "store" in entry["event"]]
        assert told == ["call_log.store_failing", "call_log.store_working"]


async def test_a_call_written_while_the_store_went_away_is_settled_when_it_is_back() -> None:
    async with site() as made:
        made.crm.seconds = 2
        await made.queue(1)
        await asyncio.sleep(1.5)
        made.store.outage = AWAY
        await asyncio.sleep(30)
        made.store.outage = None
        await asyncio.sleep(5)

        assert len(made.crm.attempts) == 1
        assert await made.store.call_log_desk.overview(ACME) == []


async def test_a_call_written_before_a_long_outage_of_the_store_is_repeated_and_stands_once() -> None:
    async with site() as made:
        made.crm.seconds = 2
        await made.queue(1)
        await asyncio.sleep(1.5)
        made.store.outage = AWAY
        await asyncio.sleep(HOUR)
        made.store.outage = None
        await asyncio.sleep(10)

        assert [call.is_repeat for _, call in made.crm.attempts] == [False, True]
        assert len(made.crm.entries["acme-crm-1"]) == 1
        assert await made.store.call_log_desk.overview(ACME) == []


async def test_a_fault_of_the_queue_s_own_ends_nothing() -> None:
    async with site() as made:
        await made.queue(1)
        whole: Any = made.store.call_log.take
        made.store.call_log.take = _breaks  # type: ignore[method-assign]
        with capture_logs() as logs:
            await asyncio.sleep(3)
        made.store.call_log.take = whole  # type: ignore[method-assign]
        await asyncio.sleep(3)

        assert made.crm.written == ["acme-crm-1"]
        assert {entry["event"] for entry in logs} == {"call_log.take_broken"}


async def _breaks(most: int, lease_seconds: float) -> list[Any]:
    raise ValueError("a mistake of ours")
