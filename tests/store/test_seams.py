"""What every store does, in memory, on one server and on a Cluster."""

import asyncio
from collections import Counter

import pytest

from router.core.decisions import Decision, Ending
from router.core.lookups import Answer, Asked, CacheState
from router.core.refusals import Refusal, Refused
from router.core.rules import Outcome
from router.core.tenants import CacheAges
from router.store.errors import StoreOverloaded
from router.store.limits import DELIVERIES_MOST
from tests.store.rigs import (
    CRM_ERROR,
    FOUND,
    NOT_FOUND,
    ROUTER,
    RedisRig,
    Rig,
    a_decision,
    a_job,
    a_waiter,
    reading,
    take_all,
    until,
)


async def attended(rig: Rig, inbox: "asyncio.Queue[tuple[str, Answer]]", router: str = ROUTER) -> None:
    """Return when the router's reader of answers is at work."""
    probe = a_job(number="+33999", tenant="probe", ages=CacheAges(0, 0, 0))
    async with asyncio.timeout(10):
        while inbox.empty():
            await rig.store.lookups.ask(probe, a_waiter("probe", router))
            for taken in await rig.store.jobs.take(1):
                await rig.store.jobs.settle(taken, CRM_ERROR)
            await asyncio.sleep(0.01)
    while not inbox.empty():
        inbox.get_nowait()


async def test_question_travels_to_a_worker_and_its_answer_to_the_waiter(rig: Rig) -> None:
    job = a_job()
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)

        asked = await rig.store.lookups.ask(job, a_waiter("t1"))
        (taken,) = await take_all(rig.store, 1)
        answered = await rig.store.jobs.settle(taken, FOUND)

        assert asked == Asked(CacheState.MISSING)
        assert taken.job == job
        assert taken.tenant == "acme"
        assert taken.deliveries == 1
        assert 0 < taken.seconds_left <= job.budget_seconds
        assert answered == 1
        assert await asyncio.wait_for(inbox.get(), 5) == ("t1", FOUND)
        assert await rig.jobs_left("acme") == 0


async def test_settled_answer_is_fresh(rig: Rig) -> None:
    await settled(rig, FOUND)

    asked = await rig.store.lookups.ask(a_job(), a_waiter())

    assert asked.state is CacheState.FRESH
    assert asked.answer == FOUND
    assert asked.age_seconds < 5
    assert await rig.jobs_left("acme") == 0


async def test_answer_past_fresh_is_stale_and_refreshed_once(rig: Rig) -> None:
    await settled(rig, FOUND)
    await rig.age(a_job(), 150)

    first = await rig.store.lookups.ask(a_job(), a_waiter("t1"))
    second = await rig.store.lookups.ask(a_job(), a_waiter("t2"))
    (taken,) = await take_all(rig.store, 1)
    third = await rig.store.lookups.ask(a_job(), a_waiter("t3"))

    assert {first.state, second.state, third.state} == {CacheState.STALE}
    assert first.answer == FOUND
    assert 150 <= first.age_seconds < 155
    assert await rig.jobs_left("acme") == 1
    assert await rig.store.jobs.settle(taken, FOUND) == 0
    assert (await rig.store.lookups.ask(a_job(), a_waiter())).state is CacheState.FRESH


async def test_answer_past_stale_is_missing(rig: Rig) -> None:
    await settled(rig, FOUND)
    await rig.age(a_job(), 1100)

    asked = await rig.store.lookups.ask(a_job(), a_waiter())

    assert asked.state is CacheState.MISSING


async def test_absent_answer_is_fresh_for_its_own_age_only(rig: Rig) -> None:
    await settled(rig, NOT_FOUND)
    fresh = await rig.store.lookups.ask(a_job(), a_waiter())
    await rig.age(a_job(), 49)
    still_fresh = await rig.store.lookups.ask(a_job(), a_waiter())
    await rig.age(a_job(), 2)

    gone = await rig.store.lookups.ask(a_job(), a_waiter())

    assert fresh.state is still_fresh.state is CacheState.FRESH
    assert 49 <= still_fresh.age_seconds < 50
    assert gone.state is CacheState.MISSING


@pytest.mark.parametrize("ages", [CacheAges(0, 0, 0)])
async def test_ages_of_zero_keep_nothing(rig: Rig, ages: CacheAges) -> None:
    job = a_job(ages=ages)
    await rig.store.lookups.ask(job, a_waiter())
    (taken,) = await take_all(rig.store, 1)

    await rig.store.jobs.settle(taken, FOUND)

    assert not await rig.is_cached(job)


async def test_answer_for_one_call_is_not_cached(rig: Rig) -> None:
    job = a_job(call_id="pbx-1.1")
    await rig.store.lookups.ask(job, a_waiter())
    (taken,) = await take_all(rig.store, 1)

    await rig.store.jobs.settle(taken, FOUND)

    assert not await rig.is_cached(job)


async def test_error_is_not_cached_and_the_next_question_is_a_new_job(rig: Rig) -> None:
    await settled(rig, CRM_ERROR)

    asked = await rig.store.lookups.ask(a_job(), a_waiter())

    assert asked.state is CacheState.MISSING
    assert len(await take_all(rig.store, 1)) == 1


async def test_error_of_a_refresh_leaves_the_stale_answer(rig: Rig) -> None:
    await settled(rig, FOUND)
    await rig.age(a_job(), 150)
    await rig.store.lookups.ask(a_job(), a_waiter())
    (taken,) = await take_all(rig.store, 1)

    await rig.store.jobs.settle(taken, CRM_ERROR)

    asked = await rig.store.lookups.ask(a_job(), a_waiter())
    assert asked.state is CacheState.STALE
    assert asked.answer == FOUND


async def test_200_questions_of_one_number_are_one_job(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)

        asked = await asyncio.gather(
            *(rig.store.lookups.ask(a_job(), a_waiter(f"t{number}")) for number in range(200))
        )
        (taken,) = await take_all(rig.store, 1)
        answered = await rig.store.jobs.settle(taken, FOUND)

        assert Counter(each.state for each in asked) == {CacheState.MISSING: 1, CacheState.JOINED: 199}
        assert answered == 200
        read = [await asyncio.wait_for(inbox.get(), 5) for _ in range(200)]
        assert {token for token, _ in read} == {f"t{number}" for number in range(200)}
        assert await rig.jobs_left("acme") == 0


async def test_same_call_asking_five_times_is_one_job_and_one_answer(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        for _ in range(5):
            await rig.store.lookups.ask(a_job(), a_waiter("same"))
        (taken,) = await take_all(rig.store, 1)

        answered = [await rig.store.jobs.settle(taken, FOUND) for _ in range(5)]

        assert answered == [1, 0, 0, 0, 0]
        assert await asyncio.wait_for(inbox.get(), 5) == ("same", FOUND)
        assert inbox.empty()


async def test_each_router_gets_its_own_answers(rig: Rig) -> None:
    one, two = rig.store.answers(ROUTER), rig.store.answers(a_waiter(router="router-2").router)
    async with reading(one) as first, reading(two) as second:
        await attended(rig, first)
        await attended(rig, second, "router-2")
        await rig.store.lookups.ask(a_job(), a_waiter("t1"))
        await rig.store.lookups.ask(a_job(), a_waiter("t2", "router-2"))
        (taken,) = await take_all(rig.store, 1)

        await rig.store.jobs.settle(taken, FOUND)

        assert await asyncio.wait_for(first.get(), 5) == ("t1", FOUND)
        assert await asyncio.wait_for(second.get(), 5) == ("t2", FOUND)


async def test_answer_to_a_vanished_router_goes_nowhere_and_harms_nobody(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        await rig.store.lookups.ask(a_job(), a_waiter("t1", "gone"))
        await rig.store.lookups.ask(a_job(), a_waiter("t2"))
        (taken,) = await take_all(rig.store, 1)

        await rig.store.jobs.settle(taken, FOUND)

        assert await asyncio.wait_for(inbox.get(), 5) == ("t2", FOUND)


async def test_full_queue_loses_its_oldest_job_whose_callers_are_told(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        for number in range(100):
            await rig.store.lookups.ask(a_job(f"+331{number:08}"), a_waiter(f"t{number}"))
        await rig.store.lookups.ask(a_job(f"+331{0:08}"), a_waiter("joined the first"))

        late = await rig.store.lookups.ask(a_job("+33777"), a_waiter("late"))

        assert late.state is CacheState.MISSING
        assert await rig.jobs_left("acme") == 100
        token, answer = await asyncio.wait_for(inbox.get(), 5)
        assert (token, answer.outcome) == ("t1", Outcome.OVERLOADED), "the first one was asked anew"
        assert answer.refused == Refused(Refusal.CROWDED)


async def test_queue_that_is_full_of_jobs_in_hand_refuses_new_questions_and_lets_others_join(
    rig: Rig,
) -> None:
    for number in range(100):
        await rig.store.lookups.ask(a_job(f"+331{number:08}", in_flight=100), a_waiter(f"t{number}"))
    await take_all(rig.store, 100, most=100)

    with pytest.raises(StoreOverloaded, match="acme"):
        await rig.store.lookups.ask(a_job("+33777"), a_waiter("late"))
    joined = await rig.store.lookups.ask(a_job(f"+331{5:08}"), a_waiter("join"))
    other = await rig.store.lookups.ask(a_job(tenant="other"), a_waiter("other"))

    assert joined.state is CacheState.JOINED
    assert other.state is CacheState.MISSING
    assert await rig.jobs_left("acme") == 100


async def test_stale_answer_is_given_though_its_refresh_finds_no_room(rig: Rig) -> None:
    await settled(rig, FOUND)
    await rig.age(a_job(), 150)
    for number in range(100):
        await rig.store.lookups.ask(a_job(f"+331{number:08}"), a_waiter(f"t{number}"))

    asked = await rig.store.lookups.ask(a_job(), a_waiter())

    assert asked.state is CacheState.STALE
    assert await rig.jobs_left("acme") == 100


async def test_job_that_nobody_waits_for_any_longer_is_dropped_and_counted(rig: Rig) -> None:
    before = rig.store.jobs.expired_jobs
    await rig.store.lookups.ask(a_job(budget_seconds=0.02), a_waiter())
    await asyncio.sleep(0.05)
    await rig.store.lookups.ask(a_job("+33888"), a_waiter("t2"))

    (taken,) = await take_all(rig.store, 1)

    assert taken.job.key.subject == "+33888"
    assert rig.store.jobs.expired_jobs - before == 1
    assert await rig.jobs_left("acme") == 1


async def test_job_is_kept_for_the_last_of_its_waiters(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(budget_seconds=0.02), a_waiter("first"))
    await rig.store.lookups.ask(a_job(budget_seconds=5), a_waiter("second"))
    await asyncio.sleep(0.05)

    (taken,) = await take_all(rig.store, 1)

    assert 3 < taken.seconds_left <= 5


async def test_quiet_tenants_are_served_in_one_round_beside_a_backlog(rig: Rig) -> None:
    for number in range(100):
        await rig.store.lookups.ask(a_job(f"+331{number:08}", "noisy"), a_waiter(f"n{number}"))
    for number in range(60):
        await rig.store.lookups.ask(a_job(tenant=f"quiet-{number}"), a_waiter(f"q{number}"))

    taken = await take_all(rig.store, 61 + 15, most=1)

    served = {job.tenant for job in taken}
    assert len(served) == 61, "all quiet ones and the noisy one"


async def test_idle_job_is_reclaimed_by_another_worker_and_a_busy_one_is_not(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(), a_waiter())
    (taken,) = await take_all(rig.store, 1)

    too_early = await rig.store.jobs.reclaim(idle_seconds=60)
    (reclaimed,) = await rig.store.jobs.reclaim(idle_seconds=0)

    assert too_early == []
    assert reclaimed.id == taken.id
    assert reclaimed.job == taken.job
    assert reclaimed.deliveries == 2


async def test_late_settling_by_the_first_worker_is_harmless(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        await rig.store.lookups.ask(a_job(), a_waiter("t1"))
        (taken,) = await take_all(rig.store, 1)
        (reclaimed,) = await rig.store.jobs.reclaim(idle_seconds=0)
        await rig.store.jobs.settle(reclaimed, CRM_ERROR)
        await rig.store.lookups.ask(a_job(), a_waiter("t2"))

        left_alone = await rig.store.jobs.settle(taken, CRM_ERROR)
        answered_early = await rig.store.jobs.settle(taken, FOUND)

        assert left_alone == 0
        assert answered_early == 1
        assert [await asyncio.wait_for(inbox.get(), 5) for _ in range(2)] == [
            ("t1", CRM_ERROR),
            ("t2", FOUND),
        ]


async def test_job_whose_question_is_settled_meanwhile_is_not_delivered(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(), a_waiter("t1"))
    (first,) = await take_all(rig.store, 1)
    await rig.store.jobs.settle(first, CRM_ERROR)
    await rig.store.lookups.ask(a_job(), a_waiter("t2"))
    await rig.store.jobs.settle(first, FOUND)

    await rig.store.lookups.ask(a_job("+33888"), a_waiter("t3"))
    (taken,) = await take_all(rig.store, 1)

    assert taken.job.key.subject == "+33888"


async def test_reclaimed_job_past_all_deadlines_is_dropped(rig: Rig) -> None:
    await rig.store.lookups.ask(a_job(budget_seconds=1.0), a_waiter())
    await take_all(rig.store, 1)
    await asyncio.sleep(1.05)

    reclaimed = await rig.store.jobs.reclaim(idle_seconds=0)

    assert reclaimed == []
    assert await rig.jobs_left("acme") == 0


async def test_poisoned_job_ends_as_an_error_to_its_waiters(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        await rig.store.lookups.ask(a_job(), a_waiter("t1"))
        await take_all(rig.store, 1)

        rounds = [await rig.store.jobs.reclaim(idle_seconds=0) for _ in range(DELIVERIES_MOST)]

        assert [len(jobs) for jobs in rounds] == [1, 1, 0]
        token, answer = await asyncio.wait_for(inbox.get(), 5)
        assert token == "t1"
        assert answer.outcome is Outcome.CRM_ERROR
        assert "3 times" in answer.problem
        assert await rig.jobs_left("acme") == 0


async def test_take_without_work_returns_nothing_in_time(rig: Rig) -> None:
    async with asyncio.timeout(5):
        assert await rig.store.jobs.take(5) == []
        assert await rig.store.jobs.take(0) == []


async def test_waiting_worker_gets_a_job_as_soon_as_it_is_asked(rig: Rig) -> None:
    waiting = asyncio.create_task(take_all(rig.store, 1))
    await asyncio.sleep(0.1)

    await rig.store.lookups.ask(a_job(), a_waiter())

    (taken,) = await waiting
    assert taken.job == a_job()


async def test_flushall_while_waiting_costs_only_what_was_under_way(rig: Rig) -> None:
    async with reading(rig.store.answers(ROUTER)) as inbox:
        await attended(rig, inbox)
        await rig.store.lookups.ask(a_job(), a_waiter("lost"))
        (lost,) = await take_all(rig.store, 1)
        waiting = asyncio.create_task(take_all(rig.store, 1))
        await asyncio.sleep(0.05)

        await rig.forget()
        answered = await rig.store.jobs.settle(lost, CRM_ERROR)
        assert answered == 0
        await rig.store.lookups.ask(a_job("+33888"), a_waiter("after"))
        (taken,) = await waiting
        await asyncio.sleep(1.0)  # the promise: answers flow again within a second
        await rig.store.jobs.settle(taken, FOUND)

        assert await asyncio.wait_for(inbox.get(), 5) == ("after", FOUND)


async def test_decisions_are_read_newest_first_and_found_by_call(rig: Rig) -> None:
    made = [a_decision(f"pbx-1.{number}", parking) for number in range(5) for parking in (1, 2)]
    for decision in made:
        await rig.store.decisions.record(decision, is_only_witness=True)

    latest = await rig.store.decisions.latest(3)
    found = await rig.store.decisions.find("pbx-1.3")

    assert latest == [made[9], made[8], made[7]]
    assert found == [made[6], made[7]]
    assert await rig.store.decisions.find("pbx-1.99") == []


async def test_end_seen_by_several_routers_is_recorded_once(rig: Rig) -> None:
    end = a_decision(ending=Ending.DEFAULTED)
    other_parking = a_decision(parking=2, ending=Ending.ABANDONED)

    await asyncio.gather(*(rig.store.decisions.record(end, is_only_witness=False) for _ in range(3)))
    await rig.store.decisions.record(other_parking, is_only_witness=False)

    assert await rig.store.decisions.latest(10) == [other_parking, end]


async def test_winner_s_record_stands_before_and_beside_witnesses(rig: Rig) -> None:
    taken, seen = a_decision(), a_decision(ending=Ending.UNCONFIRMED)

    await rig.store.decisions.record(taken, is_only_witness=True)
    await rig.store.decisions.record(seen, is_only_witness=False)

    assert await rig.store.decisions.latest(10) == [taken]


async def test_reader_goes_on_where_it_was(rig: Rig) -> None:
    made = [a_decision(f"pbx-1.{number}") for number in range(5)]
    for decision in made[:4]:
        await rig.store.decisions.record(decision, is_only_witness=True)

    first = await rig.store.decisions.after("", 3)
    second = await rig.store.decisions.after(first.last_id, 3)
    third = await rig.store.decisions.after(second.last_id, 3)
    await rig.store.decisions.record(made[4], is_only_witness=True)
    fourth = await rig.store.decisions.after(third.last_id, 3)

    assert [page.decisions for page in (first, second, third, fourth)] == [
        tuple(made[:3]),
        (made[3],),
        (),
        (made[4],),
    ]
    assert third.last_id == second.last_id
    assert not any(page.was_cut for page in (first, second, third, fourth))


async def test_reader_of_an_empty_stream_gets_the_first_that_comes(rig: Rig) -> None:
    empty = await rig.store.decisions.after("", 10)
    await rig.store.decisions.record(a_decision(), is_only_witness=True)

    page = await rig.store.decisions.after(empty.last_id, 10)

    assert (empty.decisions, empty.last_id) == ((), "")
    assert page.decisions == (a_decision(),)


async def test_reader_begins_anew_where_the_stream_was_lost(rig: Rig) -> None:
    await rig.store.decisions.record(a_decision("before"), is_only_witness=True)
    before = await rig.store.decisions.after("", 10)
    await rig.forget()
    await asyncio.sleep(0.005)  # ids are milliseconds

    lost = await rig.store.decisions.after(before.last_id, 10)
    await rig.store.decisions.record(a_decision("anew"), is_only_witness=True)
    anew = await rig.store.decisions.after(before.last_id, 10)
    resumed = await rig.store.decisions.after(lost.last_id, 10)

    assert (lost.decisions, lost.last_id, lost.was_cut) == ((), "", True)
    assert (anew.decisions, anew.was_cut) == ((a_decision("anew"),), True)
    assert (resumed.decisions, resumed.was_cut) == ((a_decision("anew"),), False)


@pytest.mark.parametrize("last_id", ["0-1", "99999999999999-7"], ids=["older", "newer"])
async def test_reader_begins_anew_where_ids_are_of_another_stream(rig: Rig, last_id: str) -> None:
    """A server that took over, or a clock that was put back, gives ids lower than those that were read."""
    made = [a_decision(f"pbx-1.{number}") for number in range(2)]
    for decision in made:
        await rig.store.decisions.record(decision, is_only_witness=True)

    page = await rig.store.decisions.after(last_id, 1)
    rest = await rig.store.decisions.after(page.last_id, 1)

    assert (page.decisions, page.was_cut) == ((made[0],), True)
    assert (rest.decisions, rest.was_cut) == ((made[1],), False)


async def test_reader_gets_past_what_nobody_can_read(rig: Rig) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("of Redis only")
    key = rig.redis._keys.decisions
    for _ in range(3):
        await rig.redis._batcher.call(key, "XADD", key, "*", "c", "pbx-1.1", "d", b"\xc1")
    await rig.store.decisions.record(a_decision(), is_only_witness=True)

    unreadable = await rig.store.decisions.after("", 3)
    page = await rig.store.decisions.after(unreadable.last_id, 3)

    assert unreadable.decisions == ()
    assert page.decisions == (a_decision(),)


async def test_follower_gets_what_is_recorded_from_then_on(rig: Rig) -> None:
    await rig.store.decisions.record(a_decision("before"), is_only_witness=True)
    got: list[Decision] = []

    async def follow() -> None:
        async for decision in rig.store.decisions.follow():
            got.append(decision)  # noqa: PERF401 - it never ends

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    await rig.store.decisions.record(a_decision("after"), is_only_witness=True)
    await until(lambda: bool(got))
    await rig.forget()
    await asyncio.sleep(1.5)
    await rig.store.decisions.record(a_decision("anew"), is_only_witness=True)
    await until(lambda: len(got) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [decision.call_id for decision in got] == ["after", "anew"]


async def test_health_names_the_server(rig: Rig) -> None:
    health = await rig.store.health()

    assert health.role == "master"
    assert health.server in ("memory", "valkey", "redis")
    assert health.time > 1_700_000_000
    assert health.round_trip_ms >= 0


async def settled(rig: Rig, answer: Answer) -> None:
    await rig.store.lookups.ask(a_job(), a_waiter("settled"))
    (taken,) = await take_all(rig.store, 1)
    await rig.store.jobs.settle(taken, answer)
