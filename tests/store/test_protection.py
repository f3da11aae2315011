"""What keeps a CRM, and those who wait for another one, from harm: in memory, on one server and on a
Cluster.
"""

import asyncio
from collections import Counter

import pytest

from router.core import breakers
from router.core.allowances import Allowance
from router.core.breakers import Health, Verdict
from router.core.identities import IntegrationName, TenantId
from router.core.lookups import Answer, Asked, CacheState
from router.core.refusals import Refusal, Refused
from router.core.rules import Outcome
from router.store import limits
from router.store.limits import refused_answer
from router.store.seams import Part, Room, TakenJob
from tests.store.rigs import CRM_ERROR, FOUND, ROUTER, Rig, a_job, a_waiter, reading, take_all

TIMED_OUT = Answer(Outcome.TIMEOUT, problem="no answer within 2.5 seconds")
UNWELL = Verdict(Health.UNWELL, "the CRM said 500")
WELL = Verdict(Health.WELL)
SLOW = Verdict(Health.SLOW, "the CRM did not answer within 2.5 seconds")
ACME, CRM = TenantId("acme"), IntegrationName("crm")
SOON = 0.25
"""How long an opened breaker stays open where a test has no time."""


@pytest.fixture
def _opens_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "OPEN_FIRST_SECONDS", SOON)
    monkeypatch.setattr(breakers, "JITTER", 0.0)


def number(index: int) -> str:
    return f"+331{index:08}"


async def look_up(rig: Rig, index: int, verdict: Verdict, answer: Answer = CRM_ERROR) -> Asked:
    asked = await rig.store.lookups.ask(a_job(number(index)), a_waiter(f"t{index}"))
    (taken,) = await take_all(rig.store, 1)
    await rig.store.jobs.settle(taken, answer, verdict)
    return asked


async def break_it(rig: Rig) -> None:
    for index in range(breakers.FAILURES_MOST):
        await look_up(rig, index, UNWELL)


async def taken_now(
    rig: Rig, most: int = 50, room: Room | None = None, seconds: float = 0.2
) -> list[TakenJob]:
    """What there is to take, where there may be nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await (rig.store.jobs.take(most, room) if room else rig.store.jobs.take(most))
    except TimeoutError:
        return []


async def test_breaker_opens_with_the_fifth_failure_in_a_row(rig: Rig) -> None:
    states = [(await look_up(rig, index, UNWELL)).state for index in range(5)]

    asked = await rig.store.lookups.ask(a_job(number(9)), a_waiter())
    state = await rig.store.lanes.state(ACME, CRM)

    assert set(states) == {CacheState.MISSING}
    assert asked.state is CacheState.REFUSED
    assert asked.answer is not None
    assert asked.answer.outcome is Outcome.CRM_ERROR
    assert asked.answer.refused is not None
    assert (asked.answer.refused.why, asked.answer.refused.failures) == (Refusal.OPEN, 5)
    assert 3.5 < asked.answer.refused.wait_seconds <= 6
    assert await rig.jobs_left("acme") == 0
    assert (state.is_open, state.failures, state.problem) == (True, 5, "the CRM said 500")
    assert 3.5 < state.retry_seconds <= 6
    assert 0 <= state.open_seconds < 2


@pytest.mark.parametrize("verdict", [WELL, Verdict()], ids=["an answer", "not asked"])
async def test_other_endings_do_not_open_it(rig: Rig, verdict: Verdict) -> None:
    for index in range(12):
        await look_up(rig, index, verdict)

    assert (await rig.store.lookups.ask(a_job(number(99)), a_waiter())).state is CacheState.MISSING


async def test_answer_between_failures_begins_the_count_anew(rig: Rig) -> None:
    for index in range(12):
        await look_up(rig, index, WELL if index % 4 == 0 else UNWELL)

    assert (await rig.store.lookups.ask(a_job(number(99)), a_waiter())).state is CacheState.MISSING


async def test_four_of_five_look_ups_failing_opens_it(rig: Rig) -> None:
    for index in range(breakers.WINDOW_LEAST - 1):
        await look_up(rig, index, WELL if index % 5 == 2 else UNWELL)
    before = await rig.store.lookups.ask(a_job(number(0)), a_waiter())
    (taken,) = await take_all(rig.store, 1)

    await rig.store.jobs.settle(taken, CRM_ERROR, UNWELL)

    assert before.state is CacheState.MISSING
    assert (await rig.store.lookups.ask(a_job(number(99)), a_waiter())).state is CacheState.REFUSED
    assert (await rig.store.lanes.state(ACME, CRM)).failures == 16


async def test_breaker_is_of_one_integration_of_one_tenant(rig: Rig) -> None:
    await break_it(rig)

    beside = await rig.store.lookups.ask(a_job(integration="other"), a_waiter("beside"))
    other = await rig.store.lookups.ask(a_job(tenant="other"), a_waiter("other"))

    assert beside.state is other.state is CacheState.MISSING
    assert len(await take_all(rig.store, 2)) == 2


async def test_old_answer_serves_while_the_breaker_is_open_and_says_so(rig: Rig) -> None:
    await look_up(rig, 7, WELL, FOUND)
    await rig.age(a_job(number(7)), 150)
    await break_it(rig)

    asked = await rig.store.lookups.ask(a_job(number(7)), a_waiter())

    assert (asked.state, asked.answer) == (CacheState.STALE, FOUND)
    assert asked.refused is not None
    assert asked.refused.why is Refusal.OPEN
    assert await rig.jobs_left("acme") == 0, "no new answer is asked for"


async def test_fresh_answer_has_nothing_to_say_of_the_breaker(rig: Rig) -> None:
    await look_up(rig, 7, WELL, FOUND)
    await break_it(rig)

    asked = await rig.store.lookups.ask(a_job(number(7)), a_waiter())

    assert (asked.state, asked.refused) == (CacheState.FRESH, None)


async def test_jobs_that_wait_when_it_opens_are_told_at_once(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        for index in range(25):
            await rig.store.lookups.ask(a_job(number(index), in_flight=5), a_waiter(f"t{index}"))
        for taken in await take_all(rig.store, 5):
            await rig.store.jobs.settle(taken, CRM_ERROR, UNWELL)

        assert await taken_now(rig) == []

        told = dict([await asyncio.wait_for(inbox.get(), 5) for _ in range(25)])
        refused = [answer.refused for answer in told.values() if answer.refused]
        assert len(told) == 25
        assert Counter(each.why for each in refused) == {Refusal.OPEN: 20}
        assert await rig.jobs_left("acme") == 0
        assert rig.store.jobs.refused_jobs == 20


@pytest.mark.usefixtures("_opens_shortly")
async def test_exactly_one_look_up_tries_a_crm_that_has_failed(rig: Rig) -> None:
    await break_it(rig)
    await asyncio.sleep(SOON + 0.05)

    asked = [await rig.store.lookups.ask(a_job(number(index)), a_waiter(f"t{index}")) for index in range(20)]
    taken = await take_all(rig.store, 1)
    more = await taken_now(rig)

    assert Counter(each.state for each in asked) == {CacheState.MISSING: 1, CacheState.REFUSED: 19}
    assert {each.answer.refused.why for each in asked if each.answer and each.answer.refused} == {
        Refusal.PROBING
    }
    assert [job.job.key.subject for job in taken] == [number(0)]
    assert more == []


@pytest.mark.usefixtures("_opens_shortly")
async def test_probe_that_brings_an_answer_closes_it(rig: Rig) -> None:
    await break_it(rig)
    await asyncio.sleep(SOON + 0.05)

    await look_up(rig, 50, WELL, FOUND)

    state = await rig.store.lanes.state(ACME, CRM)
    assert (state.is_open, state.failures, state.problem) == (False, 0, "")
    for index in range(4):
        assert (await look_up(rig, index, UNWELL)).state is CacheState.MISSING, "the count begins anew"


@pytest.mark.usefixtures("_opens_shortly")
async def test_probe_that_fails_opens_it_for_twice_as_long(rig: Rig) -> None:
    await break_it(rig)
    first = await rig.store.lanes.state(ACME, CRM)
    await asyncio.sleep(SOON + 0.05)

    await look_up(rig, 50, UNWELL)

    second = await rig.store.lanes.state(ACME, CRM)
    assert 0 < first.retry_seconds <= SOON < second.retry_seconds <= 2 * SOON
    assert second.failures == 6
    assert second.open_seconds >= SOON


async def test_answers_that_come_late_are_no_row_of_failures(rig: Rig) -> None:
    for index in range(3 * breakers.FAILURES_MOST):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter())
        (taken,) = await take_all(rig.store, 1)
        await rig.store.jobs.settle(taken, TIMED_OUT, UNWELL, Part.IN_TIME)
        await rig.store.jobs.settle(taken, FOUND, SLOW, Part.LATE)

    assert not (await rig.store.lanes.state(ACME, CRM)).is_open


async def test_look_ups_that_stay_silent_are_failures_once_they_are_given_up(rig: Rig) -> None:
    for index in range(breakers.FAILURES_MOST):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter())
        (taken,) = await take_all(rig.store, 1)
        await rig.store.jobs.settle(taken, TIMED_OUT, UNWELL, Part.IN_TIME)
        assert not (await rig.store.lanes.state(ACME, CRM)).is_open
        await rig.store.jobs.settle(taken, TIMED_OUT, UNWELL, Part.LATE)

    state = await rig.store.lanes.state(ACME, CRM)
    assert (state.is_open, state.failures) == (True, breakers.FAILURES_MOST)


async def test_a_crm_that_is_mostly_late_is_left_alone(rig: Rig) -> None:
    for index in range(breakers.WINDOW_LEAST):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter())
        (taken,) = await take_all(rig.store, 1)
        await rig.store.jobs.settle(taken, TIMED_OUT, UNWELL, Part.IN_TIME)
        await rig.store.jobs.settle(taken, FOUND, SLOW, Part.LATE)

    assert (await rig.store.lanes.state(ACME, CRM)).is_open


@pytest.mark.usefixtures("_opens_shortly")
async def test_probe_that_asked_nothing_leaves_the_try_to_another(rig: Rig) -> None:
    await break_it(rig)
    await asyncio.sleep(SOON + 0.05)
    await look_up(rig, 50, Verdict(Health.UNTOLD))

    asked = await rig.store.lookups.ask(a_job(number(51)), a_waiter())

    assert asked.state is CacheState.MISSING


@pytest.mark.usefixtures("_opens_shortly")
async def test_late_answer_of_before_does_not_close_it(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(number(70)), a_waiter())
    (early,) = await take_all(rig.store, 1)
    await break_it(rig)

    await rig.store.jobs.settle(early, FOUND, WELL)

    assert (await rig.store.lookups.ask(a_job(number(71)), a_waiter())).state is CacheState.REFUSED


async def test_failure_gives_the_answer_that_came_meanwhile(rig: Rig) -> None:
    """Two jobs of one question: the first one's worker was thought dead."""
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        await rig.store.lookups.ask(a_job(), a_waiter("t1"))
        (first,) = await take_all(rig.store, 1)
        (again,) = await rig.store.jobs.reclaim(0)
        await rig.store.jobs.settle(first, FOUND, WELL)
        await rig.age(a_job(), 1099)
        await inbox.get()
        await rig.store.lookups.ask(a_job(), a_waiter("ends"))
        await asyncio.sleep(1.1)
        await rig.store.lookups.ask(a_job(), a_waiter("t2"))
        (second,) = await take_all(rig.store, 1)
        await rig.store.jobs.settle(again, FOUND, WELL)

        assert await rig.store.jobs.settle(second, CRM_ERROR, UNWELL) == 0
        token, answer = await asyncio.wait_for(inbox.get(), 5)
        assert (token, answer.outcome) == ("t2", Outcome.FOUND)


async def test_look_ups_in_flight_are_counted_over_all_workers(rig: Rig) -> None:
    for index in range(10):
        await rig.store.lookups.ask(a_job(number(index), in_flight=3), a_waiter(f"t{index}"))

    taken = await take_all(rig.store, 3)
    none = await taken_now(rig)
    await rig.store.jobs.settle(taken[0], FOUND, WELL)
    next_one = await take_all(rig.store, 1)

    assert (len(taken), none, len(next_one)) == (3, [], 1)
    state = await rig.store.lanes.state(ACME, CRM)
    assert (state.in_flight, state.waiting) == (3, 6)


async def test_a_look_up_that_goes_on_for_the_cache_stays_in_flight(rig: Rig) -> None:
    for index in range(2):
        await rig.store.lookups.ask(a_job(number(index), in_flight=1), a_waiter(f"t{index}"))
    (late,) = await take_all(rig.store, 1)

    await rig.store.jobs.settle(late, TIMED_OUT, UNWELL, Part.IN_TIME)
    none = await taken_now(rig)
    await rig.store.jobs.settle(late, FOUND, SLOW, Part.LATE)
    (taken,) = await take_all(rig.store, 1)
    again = await rig.store.lookups.ask(a_job(number(0), in_flight=1), a_waiter("again"))

    assert (none, taken.job.key.subject) == ([], number(1))
    assert again.state is CacheState.FRESH
    assert (await rig.store.lanes.state(ACME, CRM)).in_flight == 1


async def test_a_dead_worker_s_late_look_up_gives_its_place_back(rig: Rig) -> None:
    for index in range(2):
        await rig.store.lookups.ask(a_job(number(index), in_flight=1), a_waiter(f"t{index}"))
    (late,) = await take_all(rig.store, 1)
    await rig.store.jobs.settle(late, TIMED_OUT, UNWELL, Part.IN_TIME)

    assert await rig.store.jobs.reclaim(0) == []

    (taken,) = await take_all(rig.store, 1)
    assert taken.job.key.subject == number(1)


async def test_job_of_a_full_integration_is_taken_as_soon_as_there_is_room(rig: Rig) -> None:
    for index in range(3):
        await rig.store.lookups.ask(a_job(number(index), in_flight=1), a_waiter(f"t{index}"))
        await taken_now(rig)
    held = await rig.store.jobs.reclaim(0)
    await rig.store.jobs.settle(held[0], FOUND, WELL)

    (taken,) = await take_all(rig.store, 1, seconds=1.0)

    assert (await rig.store.lanes.state(ACME, CRM)).in_flight == 1
    assert taken.job.key.subject != held[0].job.key.subject


async def test_integration_that_is_full_does_not_hold_up_its_tenant_s_other_one(rig: Rig) -> None:
    for index in range(5):
        await rig.store.lookups.ask(a_job(number(index), in_flight=1), a_waiter(f"t{index}"))
    await take_all(rig.store, 1)

    await rig.store.lookups.ask(a_job(number(9), integration="other"), a_waiter("other"))

    (taken,) = await take_all(rig.store, 1)
    assert taken.job.key.integration == "other"


async def test_requests_per_second_are_counted_over_all_workers(rig: Rig) -> None:
    """Ten per second, two for each look-up and a burst of three: one at once, then one each 0.2 s."""
    started_at = asyncio.get_running_loop().time()
    for index in range(5):
        job = a_job(number(index), requests_per_second=10.0, requests_per_lookup=2)
        await rig.store.lookups.ask(job, a_waiter(f"t{index}"))

    taken = await take_all(rig.store, 5)

    assert asyncio.get_running_loop().time() - started_at >= 0.65
    assert len(taken) == 5


async def test_attempts_beyond_the_expected_ones_are_spent_too(rig: Rig) -> None:
    job = a_job(number(1), requests_per_second=4.0)
    await rig.store.lookups.ask(job, a_waiter())
    (taken,) = await take_all(rig.store, 1)
    await rig.store.jobs.settle(taken, CRM_ERROR, Verdict(Health.WELL, requests=3))
    started_at = asyncio.get_running_loop().time()

    await rig.store.lookups.ask(a_job(number(2), requests_per_second=4.0), a_waiter())
    await take_all(rig.store, 1)

    assert asyncio.get_running_loop().time() - started_at >= 0.5


async def test_job_over_its_allowance_is_told_a_moment_before_its_caller_goes(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        for index in range(2):
            job = a_job(number(index), budget_seconds=0.5, in_flight=1)
            await rig.store.lookups.ask(job, a_waiter(f"t{index}"))
        await take_all(rig.store, 1)

        assert await taken_now(rig, seconds=0.6) == []

        token, answer = await asyncio.wait_for(inbox.get(), 5)
        assert (token, answer) == ("t1", refused_answer(Refused(Refusal.CROWDED)))
        assert answer.outcome is Outcome.OVERLOADED
        assert loop.time() - asked_at >= 0.35


async def test_crm_that_wants_to_be_left_alone_is_left_alone_by_all_workers(rig: Rig) -> None:
    await look_up(rig, 1, Verdict(Health.UNWELL, paused_seconds=0.4))
    started_at = asyncio.get_running_loop().time()

    asked = await rig.store.lookups.ask(a_job(number(2)), a_waiter())
    await take_all(rig.store, 1)

    assert asked.state is CacheState.MISSING, "its caller waits for longer"
    assert asyncio.get_running_loop().time() - started_at >= 0.3


async def test_call_that_cannot_wait_so_long_is_told_at_once(rig: Rig) -> None:
    await rig.store.lanes.pause(ACME, CRM, 30)

    asked = await rig.store.lookups.ask(a_job(number(2)), a_waiter())

    assert asked.state is CacheState.REFUSED
    assert asked.answer is not None
    assert asked.answer.refused is not None
    assert asked.answer.refused.why is Refusal.PAUSED
    assert 29 < asked.answer.refused.wait_seconds <= 30
    assert (await rig.store.lanes.state(ACME, CRM)).paused_seconds > 29


async def test_shorter_pause_does_not_shorten_a_longer_one(rig: Rig) -> None:
    await rig.store.lanes.pause(ACME, CRM, 30)
    await rig.store.lanes.pause(ACME, CRM, 1)

    assert (await rig.store.lanes.state(ACME, CRM)).paused_seconds > 29


async def test_newest_job_goes_first_once_the_oldest_has_waited_for_long(rig: Rig) -> None:
    for index in range(4):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter(f"t{index}"))
        await asyncio.sleep(0.002)
    in_order = await take_all(rig.store, 1, most=1)
    await asyncio.sleep(limits.BEHIND_SECONDS + 0.05)
    await rig.store.lookups.ask(a_job(number(9)), a_waiter("t9"))

    turned = [*await take_all(rig.store, 1, most=1), *await take_all(rig.store, 1, most=1)]

    assert [job.job.key.subject for job in in_order] == [number(0)]
    assert [job.job.key.subject for job in turned] == [number(9), number(3)]


async def test_call_that_joins_makes_its_question_new(rig: Rig) -> None:
    for index in range(4):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter(f"t{index}"))
        await asyncio.sleep(0.002)
    await asyncio.sleep(limits.BEHIND_SECONDS + 0.05)
    await rig.store.lookups.ask(a_job(number(2)), a_waiter("joins"))

    (taken,) = await take_all(rig.store, 1, most=1)

    assert taken.job.key.subject == number(2)


async def test_worker_takes_no_more_of_a_tenant_than_it_has_room_for(rig: Rig) -> None:
    # On a Cluster they share the shard of `acme`, so that one take meets them all.
    for index in range(9):
        await rig.store.lookups.ask(a_job(number(index)), a_waiter(f"t{index}"))
        await rig.store.lookups.ask(a_job(number(index), "tenant-34"), a_waiter(f"o{index}"))

        await rig.store.lookups.ask(a_job(number(index), "tenant-55"), a_waiter(f"d{index}"))

    room = Room(each=3, left={ACME: 1}, left_lanes={(TenantId("tenant-55"), CRM): 2})
    taken = await taken_now(rig, room=room, seconds=1)
    none = await taken_now(rig, room=Room(each=0, left={ACME: 0}))

    assert Counter(job.tenant for job in taken) == {"acme": 1, "tenant-34": 3, "tenant-55": 2}
    assert none == []


async def test_what_no_caller_waits_for_gets_what_calls_leave(rig: Rig) -> None:
    allowance = Allowance(requests_per_second=4.0)
    spend = rig.store.lanes.spend

    first = await spend(ACME, CRM, allowance, 1)
    second = await spend(ACME, CRM, allowance, 1)
    await asyncio.sleep(0.3)
    third = await spend(ACME, CRM, allowance, 1)
    await asyncio.sleep(0.3)
    await spend(ACME, CRM, allowance, 4)
    fourth = await spend(ACME, CRM, allowance, 1)
    unlimited = await spend(ACME, IntegrationName("other"), Allowance(), 1)

    assert (first, third, unlimited) == (0, 0, 0)
    assert 0 < second <= 0.25
    assert 0.75 < fourth <= 1


async def test_call_that_waits_goes_before_what_no_caller_waits_for(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(number(1), requests_per_second=4.0), a_waiter())

    assert await rig.store.lanes.spend(ACME, CRM, Allowance(requests_per_second=4.0), 1) > 0


async def test_state_of_an_integration_that_nothing_is_known_of(rig: Rig) -> None:
    state = await rig.store.lanes.state(ACME, IntegrationName("new"))

    assert state == breakers.BreakerState()


async def test_losing_everything_closes_the_breaker(rig: Rig) -> None:
    await break_it(rig)
    await rig.forget()

    assert (await rig.store.lookups.ask(a_job(number(1)), a_waiter())).state is CacheState.MISSING


async def attended(rig: Rig, inbox: "asyncio.Queue[tuple[str, Answer]]") -> None:
    """Return when the router's reader of answers is at work."""
    async with asyncio.timeout(10):
        while inbox.empty():
            probe = a_job("+33999", tenant="probe")
            await rig.store.lookups.ask(probe, a_waiter("probe"))
            for taken in await rig.store.jobs.take(1):
                await rig.store.jobs.settle(taken, CRM_ERROR)
            await asyncio.sleep(0.01)
    while not inbox.empty():
        inbox.get_nowait()
