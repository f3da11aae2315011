"""The CRM's call log in every form of the store: calls that are open, that wait, and that were given up."""

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, FinishedCall
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import KeptCall, OpenCall
from router.store.call_log_seam import TakenCall
from router.store.limits import CallLogLimits
from tests.store.rigs import RedisRig, Rig

ACME, OTHER = TenantId("acme"), TenantId("tyrell")  # of one shard on a Cluster
ELSEWHERE = TenantId("beta")  # of another one
CRM, ERP = IntegrationName("crm"), IntegrationName("erp: north")
LEASE = 60.0


def account(
    number: int = 1, tenant: TenantId = ACME, integration: IntegrationName = CRM, **more: Any
) -> OpenCall:
    settings: dict[str, Any] = {
        "tenant": tenant,
        "call_id": Uniqueid(f"pbx-a:{number}.1"),
        "parking": 1,
        "integration": integration,
        "started_at": 1_700_000_000.25,
        "reached_at": 1_700_000_001.5,
        "caller": "+33612345678",
        "called": "+33199",
        "destination": "queue gold",
        "rule": "Sales",
        "decision": "Queue gold, because line 1 holds: status = gold.",
    }
    return OpenCall(**(settings | more))


def finished(call: OpenCall) -> FinishedCall:
    return FinishedCall(
        tenant=call.tenant,
        integration=call.integration,
        call_id=call.call_id,
        ending=CallEnd.ANSWERED,
        started_at=call.started_at,
        seconds=60,
        talk_seconds=45,
        caller=call.caller,
        called=call.called,
        subject="Inbound call from Zoé",
        decision=call.decision,
    )


async def queue(
    rig: Rig, *numbers: int, tenant: TenantId = ACME, integration: IntegrationName = CRM
) -> list[FinishedCall]:
    """Open and close calls of these numbers, in this order."""
    calls = [account(number, tenant, integration) for number in numbers]
    for call in calls:
        await rig.store.open_calls.open(call)
        assert await rig.store.open_calls.close(call, finished(call))
        if len(calls) < 10:
            await asyncio.sleep(0.002)  # moments are milliseconds: within one, any order will do
    return [finished(call) for call in calls]


async def take(rig: Rig, most: int = 50, lease_seconds: float = LEASE) -> list[TakenCall]:
    return await rig.store.call_log.take(most, lease_seconds)


async def take_one(rig: Rig, seconds: float = 5.0, lease_seconds: float = LEASE) -> TakenCall:
    """As soon as one is due."""
    async with asyncio.timeout(seconds):
        while not (taken := await take(rig, 1, lease_seconds)):  # noqa: ASYNC110 - the server's clock tells nobody
            await asyncio.sleep(0.01)
    return taken[0]


def limit(rig: Rig, **limits: int) -> None:
    store: Any = rig.store
    for part in (store.open_calls, store.call_log, store.call_log_desk):
        part.limits = replace(part.limits, **limits)


def numbers_of(taken: list[TakenCall]) -> list[tuple[str, str]]:
    return [(one.call.tenant, one.call.call_id) for one in taken]


# Open calls


async def test_a_call_is_open_until_it_is_closed(rig: Rig) -> None:
    calls, call = rig.store.open_calls, account()
    assert await calls.find(ACME, call.call_id) is None

    await calls.open(call)

    assert await calls.find(ACME, call.call_id) == KeptCall(call, None, call.started_at)
    assert await calls.find(OTHER, call.call_id) is None
    assert await calls.close(call, finished(call))
    assert await calls.find(ACME, call.call_id) is None


async def test_of_several_routers_one_closes_a_call(rig: Rig) -> None:
    calls, call = rig.store.open_calls, account()
    await calls.open(call)

    closed = await asyncio.gather(*(calls.close(call, finished(call)) for _ in range(10)))

    assert sorted(closed) == [False] * 9 + [True]
    assert len(await take(rig)) == 1


async def test_a_call_that_nobody_opened_is_not_written(rig: Rig) -> None:
    assert not await rig.store.open_calls.close(account(), finished(account()))
    assert await take(rig) == []


async def test_a_call_that_is_not_to_be_written_is_closed_all_the_same(rig: Rig) -> None:
    calls, call = rig.store.open_calls, account()
    await calls.open(call)

    assert await calls.close(call, None)

    assert await calls.find(ACME, call.call_id) is None
    assert await take(rig) == []


async def test_an_account_that_comes_after_the_end_opens_nothing(rig: Rig) -> None:
    await queue(rig, 1)

    await rig.store.open_calls.open(account(1))

    assert await rig.store.open_calls.find(ACME, account(1).call_id) is None
    assert not await rig.store.open_calls.close(account(1), finished(account(1)))
    assert len(await take(rig)) == 1


# Factors: which of two accounts is of a later parking or of the winner, and whose look-up said more.
FIRST = account(destination="first", record_id="1", started_at=100.0, is_certain=True)
ACCOUNTS: dict[str, tuple[OpenCall, str, str | None]] = {
    # name, the second account, whose way counts, and whose record
    "a later parking without a record": (account(parking=2, destination="second"), "second", "first"),
    "a later parking with one": (account(parking=2, destination="second", record_id="2"), "second", "second"),
    "a later parking that knows nobody": (
        account(parking=2, destination="second", is_unknown=True),
        "second",
        "first",
    ),
    "another router, which lost": (account(destination="second", record_id="2"), "first", "first"),
    "the winner, told twice": (
        account(destination="second", record_id="2", is_certain=True),
        "second",
        "second",
    ),
}


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_several_accounts_of_a_call_are_one(rig: Rig, name: str) -> None:
    second, way, record = ACCOUNTS[name]

    await rig.store.open_calls.open(FIRST)
    await rig.store.open_calls.open(second)

    kept = await rig.store.open_calls.find(ACME, FIRST.call_id)
    assert kept is not None
    assert kept.latest.destination == way
    assert kept.known is not None
    assert kept.known.destination == record
    assert kept.started_at == 100.0


async def test_the_order_in_which_accounts_come_does_not_matter(rig: Rig) -> None:
    second = account(parking=2, destination="second", started_at=150.0)

    await rig.store.open_calls.open(second)
    await rig.store.open_calls.open(FIRST)

    assert await rig.store.open_calls.find(ACME, FIRST.call_id) == KeptCall(second, FIRST, 100.0)


async def test_that_nobody_is_known_is_known_too(rig: Rig) -> None:
    nobody = account(is_unknown=True)
    later = account(parking=2)

    await rig.store.open_calls.open(nobody)
    await rig.store.open_calls.open(later)

    kept = await rig.store.open_calls.find(ACME, nobody.call_id)
    assert kept is not None
    assert kept.known == nobody


async def test_the_same_call_may_be_written_into_two_crms(rig: Rig) -> None:
    await queue(rig, 1)
    await queue(rig, 1, integration=ERP)

    assert {one.call.integration for one in await take(rig)} == {CRM, ERP}


# The queue


async def test_a_finished_call_comes_to_a_worker_whole(rig: Rig) -> None:
    (call,) = await queue(rig, 1)

    (taken,) = await take(rig)

    assert taken.call == call
    assert (taken.tries, taken.lost, taken.failures) == (1, 0, 0)
    assert 0 <= taken.age_seconds < 5
    assert await take(rig) == []


async def test_calls_come_in_the_order_in_which_they_ended(rig: Rig) -> None:
    limit(rig, in_hand=10)
    await queue(rig, 3, 1, 2)

    assert [one.call.call_id for one in await take(rig)] == ["pbx-a:3.1", "pbx-a:1.1", "pbx-a:2.1"]


async def test_a_call_that_is_written_is_gone(rig: Rig) -> None:
    await queue(rig, 1)
    (taken,) = await take(rig)

    await rig.store.call_log.done(taken)

    assert await rig.store.call_log_desk.overview(ACME) == []
    assert await rig.store.call_log_desk.tenants() == []
    assert await take(rig) == []


async def test_two_calls_of_an_integration_are_in_hand_at_a_time_over_all_workers(rig: Rig) -> None:
    await queue(rig, *range(5))

    first = await take(rig)
    second = await take(rig)
    await rig.store.call_log.done(first[0])
    third = await take(rig)

    assert (len(first), len(second), len(third)) == (2, 0, 1)


async def test_a_backlog_does_not_starve_the_others(rig: Rig) -> None:
    limit(rig, in_hand=1000)
    await queue(rig, *range(100))
    await queue(rig, 1, 2, tenant=OTHER)
    await queue(rig, 1, 2, integration=ERP)

    taken = [one for _ in range(6) for one in await take(rig, 1)]

    lanes = [(one.call.tenant, one.call.integration) for one in taken]
    assert sorted(lanes[:3]) == sorted(lanes[3:]) == [(ACME, CRM), (ACME, ERP), (OTHER, CRM)]


async def test_one_take_serves_the_integrations_in_turn(rig: Rig) -> None:
    limit(rig, in_hand=1000)
    await queue(rig, *range(20))
    await queue(rig, 1, tenant=OTHER)
    await queue(rig, 1, integration=ERP)

    taken = await take(rig, 4)

    assert {(one.call.tenant, one.call.integration) for one in taken} == {
        (ACME, CRM),
        (ACME, ERP),
        (OTHER, CRM),
    }


async def test_tenants_of_several_shards_are_served(rig: Rig) -> None:
    limit(rig, in_hand=1000)
    await queue(rig, *range(20))
    await queue(rig, 1, 2, tenant=ELSEWHERE)

    taken = [one for _ in range(22) for one in await take(rig, 1)]

    assert sorted({one.call.tenant for one in taken}) == [ACME, ELSEWHERE]
    assert len(taken) == 22
    assert sorted(await rig.store.call_log_desk.tenants()) == [ACME, ELSEWHERE]


async def test_many_workers_share_a_backlog_and_none_writes_what_another_does(rig: Rig) -> None:
    limit(rig, in_hand=1000)
    calls = await queue(rig, *range(60))

    taken = [one for batch in await asyncio.gather(*(take(rig, 7) for _ in range(12))) for one in batch]

    assert sorted(numbers_of(taken)) == sorted((call.tenant, call.call_id) for call in calls)


async def test_a_call_that_is_not_settled_within_its_lease_is_handed_out_again_as_a_repeat(rig: Rig) -> None:
    await queue(rig, 1)
    (first,) = await take(rig, lease_seconds=0.05)

    second = await take_one(rig)

    assert not first.call.is_repeat
    assert second.call == replace(first.call, is_repeat=True)
    assert (second.tries, second.lost) == (2, 1)


async def test_a_worker_whose_lease_is_over_settles_nothing_but_success(rig: Rig) -> None:
    await queue(rig, 1)
    (late,) = await take(rig, lease_seconds=0.02)
    current = await take_one(rig)

    await rig.store.call_log.postpone(late, "too late", 3600.0, 3600.0)
    await rig.store.call_log.fail(late, "too late")

    (state,) = await rig.store.call_log_desk.overview(ACME)
    assert (state.in_hand, state.failed, state.failures, state.problem) == (1, 0, 0, "")
    await rig.store.call_log.done(late)
    assert await rig.store.call_log_desk.overview(ACME) == []
    await rig.store.call_log.postpone(current, "it is written already", 1.0)
    assert await rig.store.call_log_desk.overview(ACME) == []


async def test_a_postponed_call_is_due_when_its_time_has_come(rig: Rig) -> None:
    await queue(rig, 1)
    (taken,) = await take(rig)

    await rig.store.call_log.postpone(taken, "the record is locked", 0.1)

    assert await take(rig) == []
    (waiting,) = await rig.store.call_log_desk.waiting(ACME, 10)
    assert (waiting.problem, waiting.tries) == ("the record is locked", 1)
    assert 0 < waiting.due_seconds <= 0.1
    again = await take_one(rig)
    assert (again.tries, again.lost, again.failures, again.call.is_repeat) == (2, 0, 0, True)


async def test_a_postponed_call_leaves_the_others_of_its_integration_their_turn(rig: Rig) -> None:
    await queue(rig, 1, 2)
    first, second = await take(rig)
    await rig.store.call_log.postpone(first, "the record is locked", 60.0)
    await rig.store.call_log.done(second)
    await queue(rig, 3)

    (taken,) = await take(rig)

    assert taken.call.call_id == account(3).call_id


async def test_a_pause_holds_the_whole_integration_and_nobody_else(rig: Rig) -> None:
    await queue(rig, *range(4))
    await queue(rig, 1, integration=ERP)
    taken = {(one.call.integration, one.call.call_id): one for one in await take(rig)}
    first, second, third = taken.values()
    held = [one for one in (first, second, third) if one.call.integration == CRM]

    await rig.store.call_log.postpone(held[0], "it answered 503", 60.0, 60.0)
    await queue(rig, 9)
    await queue(rig, 2, integration=ERP)

    assert {one.call.integration for one in await take(rig)} == {ERP}
    state = {one.integration: one for one in await rig.store.call_log_desk.overview(ACME)}[CRM]
    assert (state.failures, state.problem) == (1, "it answered 503")
    assert (state.waiting, state.in_hand) == (4, 1)
    assert 50 < state.paused_seconds <= 60


async def test_after_a_pause_one_call_tries_the_crm_and_its_success_lets_the_others_go(rig: Rig) -> None:
    await queue(rig, *range(5))
    first, second = await take(rig)
    await rig.store.call_log.postpone(first, "it answered 503", 0.1, 0.1)
    await rig.store.call_log.postpone(second, "it answered 503", 0.1, 0.1)

    probe = await take_one(rig)
    while_it_is_tried = await take(rig)
    await rig.store.call_log.done(probe)
    after_its_success = await take(rig)

    assert (probe.failures, while_it_is_tried, len(after_its_success)) == (2, [], 2)
    assert {one.failures for one in after_its_success} == {0}


async def test_a_call_that_is_given_up_is_kept_for_a_person(rig: Rig) -> None:
    await queue(rig, 1)
    (taken,) = await take(rig)

    await rig.store.call_log.fail(taken, "the CRM has no module Contact")

    assert await take(rig) == []
    (state,) = await rig.store.call_log_desk.overview(ACME)
    assert (state.waiting, state.in_hand, state.failed) == (0, 0, 1)
    (failed,) = await rig.store.call_log_desk.failed(ACME, 10)
    assert (failed.id, failed.call, failed.tries) == (taken.id, taken.call, 1)
    assert failed.problem == "the CRM has no module Contact"
    assert await rig.store.call_log_desk.failed(OTHER, 10) == []


async def test_only_so_many_that_were_given_up_are_kept_the_newest(rig: Rig) -> None:
    limit(rig, in_hand=10, failed=3)
    await queue(rig, *range(5), tenant=OTHER)
    for taken in await take(rig):
        await rig.store.call_log.fail(taken, "no")
        await asyncio.sleep(0.002)

    kept = [one.call.call_id for one in await rig.store.call_log_desk.failed(OTHER, 10)]

    assert kept == [account(number).call_id for number in (4, 3, 2)]
    (state,) = await rig.store.call_log_desk.overview(OTHER)
    assert state.failed == 3


async def test_a_backlog_that_waited_too_long_is_given_up_when_its_crm_fails_again(rig: Rig) -> None:
    await queue(rig, *range(4))
    first, second = await take(rig)
    limit(rig, given_up_seconds=0)
    await asyncio.sleep(0.002)

    await rig.store.call_log.postpone(first, "it answered 503", 60.0)
    (untouched,) = await rig.store.call_log_desk.overview(ACME)
    await rig.store.call_log.postpone(second, "it answered 503", 60.0, 60.0)

    (state,) = await rig.store.call_log_desk.overview(ACME)
    assert (untouched.failed, state.failed, state.waiting) == (0, 2, 2)
    failed = await rig.store.call_log_desk.failed(ACME, 10)
    assert {one.problem for one in failed} == {"given up after 0 h: it answered 503"}


async def test_a_full_queue_gives_up_what_comes_and_says_so(rig: Rig) -> None:
    limit(rig, waiting=2)

    await queue(rig, 1, 2, 3)

    (state,) = await rig.store.call_log_desk.overview(ACME)
    assert (state.waiting, state.failed) == (2, 1)
    (failed,) = await rig.store.call_log_desk.failed(ACME, 10)
    assert (failed.call.call_id, failed.problem) == (
        account(3).call_id,
        "2 calls of this integration waited already",
    )


# A person's side


async def given_up(rig: Rig, *numbers: int, integration: IntegrationName = CRM) -> None:
    limit(rig, in_hand=1000)
    await queue(rig, *numbers, integration=integration)
    for taken in await take(rig, 1000):
        await rig.store.call_log.fail(taken, "no such module")
        await asyncio.sleep(0.002 if len(numbers) < 10 else 0)


async def test_what_was_given_up_is_put_back_as_a_repeat(rig: Rig) -> None:
    await given_up(rig, 1, 2)

    assert await rig.store.call_log_desk.retry(ACME) == 2

    assert await rig.store.call_log_desk.failed(ACME, 10) == []
    taken = await take(rig)
    assert [(one.tries, one.lost, one.call.is_repeat) for one in taken] == [(1, 0, True)] * 2
    assert await rig.store.call_log_desk.retry(ACME) == 0


async def test_one_integration_s_or_one_call_is_put_back(rig: Rig) -> None:
    await given_up(rig, 1, 2)
    await given_up(rig, 3, integration=ERP)
    (newest, *_) = await rig.store.call_log_desk.failed(ACME, 1)

    assert await rig.store.call_log_desk.retry(OTHER) == 0
    assert await rig.store.call_log_desk.retry(ACME, CRM, newest.id) == 0
    assert await rig.store.call_log_desk.retry(ACME, ERP) == 1
    (older, _) = await rig.store.call_log_desk.failed(ACME, 10)
    assert await rig.store.call_log_desk.retry(ACME, entry_id=older.id) == 1

    assert len(await rig.store.call_log_desk.failed(ACME, 10)) == 1


async def test_more_than_one_step_puts_back_is_put_back(rig: Rig) -> None:
    for first in (0, 150, 300):
        await given_up(rig, *range(first, first + 150))

    assert await rig.store.call_log_desk.retry(ACME) == 450

    (state,) = await rig.store.call_log_desk.overview(ACME)
    assert (state.waiting, state.failed) == (450, 0)


async def test_a_retry_ends_the_pause_of_the_integration(rig: Rig) -> None:
    await queue(rig, 1, 2)
    (taken, *_) = await take(rig, 1)
    await rig.store.call_log.postpone(taken, "the password is refused", 3600.0, 3600.0)
    assert await take(rig) == []

    await rig.store.call_log_desk.retry(ACME)

    (other,) = await take(rig)
    assert (other.call.call_id, other.failures) == (account(2).call_id, 0)


async def test_a_person_sees_what_waits_with_the_next_one_first(rig: Rig) -> None:
    await queue(rig, 1, 2)
    await queue(rig, 3, integration=ERP)
    held, postponed = await take(rig, 2)
    await rig.store.call_log.postpone(postponed, "busy", 60.0)

    waiting = await rig.store.call_log_desk.waiting(ACME, 10)

    assert len(waiting) == 3
    assert held.id in {one.id for one in waiting[:2]}
    assert (waiting[2].id, waiting[2].problem) == (postponed.id, "busy")
    assert 50 < waiting[2].due_seconds <= 60
    assert len(await rig.store.call_log_desk.waiting(ACME, 2)) == 2
    assert await rig.store.call_log_desk.waiting(OTHER, 10) == []


async def test_tenants_with_something_to_see_are_listed(rig: Rig) -> None:
    await given_up(rig, 1)
    await queue(rig, 1, tenant=OTHER)

    assert await rig.store.call_log_desk.tenants() == [ACME, OTHER]

    names = [
        [one.integration for one in await rig.store.call_log_desk.overview(one)] for one in (ACME, OTHER)
    ]
    assert names == [[CRM], [CRM]]


async def test_integrations_are_told_by_name(rig: Rig) -> None:
    await queue(rig, 1, integration=ERP)
    await queue(rig, 1)

    assert [one.integration for one in await rig.store.call_log_desk.overview(ACME)] == [CRM, ERP]


async def test_a_lost_store_forgets_the_calls_and_goes_on(rig: Rig) -> None:
    await queue(rig, 1)
    await rig.forget()

    assert await take(rig) == []
    await queue(rig, 1)

    assert len(await take(rig)) == 1


# On Redis alone


@pytest.fixture
def redis(rig: Rig) -> RedisRig:
    if not isinstance(rig, RedisRig):
        pytest.skip("of Redis only")
    return rig


async def kept_keys(redis: RedisRig) -> dict[str, int]:
    """The keys of the call log, and how many milliseconds each lives; -1 for ever."""
    found: dict[str, int] = {}
    for shard in range(redis.redis._keys.shards):
        ring = redis.redis._keys.call_log(shard)[0]
        for key in await redis.redis._batcher.call(ring, "KEYS", f"{ring.removesuffix('log-ring')}*"):
            name = key.decode()
            found[name] = await redis.redis._batcher.call(name, "PTTL", name)
    return {name: left for name, left in found.items() if "log-" in name or "open-call" in name}


async def test_nothing_is_left_of_a_call_but_its_id_for_two_days(redis: RedisRig) -> None:
    await queue(redis, 1)
    (taken,) = await take(redis)
    await redis.store.call_log.done(taken)
    await redis.store.call_log_desk.overview(ACME)

    ((name, left_ms),) = (await kept_keys(redis)).items()

    assert ":log-seen:acme:" in name
    assert 47 * 3600_000 < left_ms <= 48 * 3600_000


async def test_an_open_call_is_forgotten_after_a_day(redis: RedisRig) -> None:
    await redis.store.open_calls.open(account())

    ((name, left_ms),) = (await kept_keys(redis)).items()

    assert ":open-call:acme:pbx-a:1.1" in name
    assert 23 * 3600_000 < left_ms <= 24 * 3600_000


async def test_a_call_that_was_given_up_is_forgotten_after_a_week(redis: RedisRig) -> None:
    await given_up(redis, 1)

    lives = {name.split(":")[2]: left for name, left in (await kept_keys(redis)).items()}

    week = 7 * 24 * 3600_000
    assert week - 3600_000 < lives["log-call"] <= week
    assert week - 3600_000 < lives["log-failed"] <= week


async def test_an_entry_that_nobody_can_read_is_dropped_and_the_next_one_comes(redis: RedisRig) -> None:
    await queue(redis, 1)
    (name,) = [name for name in await kept_keys(redis) if ":log-call:" in name]
    await redis.redis._batcher.call(name, "HSET", name, "call", b"\xc1")
    await queue(redis, 2)

    taken = await take(redis)

    assert [one.call.call_id for one in taken] == [account(2).call_id]
    (state,) = await redis.store.call_log_desk.overview(ACME)
    assert (state.waiting, state.in_hand) == (0, 1)


async def test_an_entry_whose_data_is_gone_blocks_nobody(redis: RedisRig) -> None:
    await queue(redis, 1)
    (name,) = [name for name in await kept_keys(redis) if ":log-call:" in name]
    await redis.redis._batcher.call(name, "DEL", name)
    await queue(redis, 2)

    assert [one.call.call_id for one in await take(redis)] == [account(2).call_id]


async def test_an_open_call_that_nobody_can_read_is_none(redis: RedisRig) -> None:
    await redis.store.open_calls.open(account())
    (name,) = await kept_keys(redis)
    await redis.redis._batcher.call(name, "HSET", name, "latest", b"\xc1")

    assert await redis.store.open_calls.find(ACME, account().call_id) is None


async def test_moments_are_redis_s_own(redis: RedisRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await queue(redis, 1)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)

    (taken,) = await take(redis)

    assert taken.age_seconds < 60


def test_the_limits_are_those_that_the_documentation_tells() -> None:
    limits = CallLogLimits()

    assert (limits.in_hand, limits.given_up_seconds, limits.failed_seconds) == (2, 48 * 3600, 7 * 24 * 3600)
    assert (limits.waiting, limits.failed) == (100_000, 5_000)


# Records for unknown callers


async def test_of_one_callers_calls_one_at_a_time_makes_the_record(rig: Rig) -> None:
    queue = rig.store.call_log
    first, second = (replace(finished(account(number)), create_in="Leads") for number in (1, 2))

    assert await queue.begin_record(first, 60.0)
    assert not await queue.begin_record(second, 60.0)
    assert await queue.begin_record(first, 0.02), "the same call goes on, and its time begins anew"
    async with asyncio.timeout(5.0):
        while not await queue.begin_record(second, 60.0):  # noqa: ASYNC110 - the server's clock tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "change",
    [{"caller": "+33612345679"}, {"create_in": "Contacts"}, {"integration": ERP}, {"tenant": OTHER}],
    ids=lambda change: next(iter(change)),
)
async def test_other_callers_and_other_places_do_not_wait(rig: Rig, change: dict[str, Any]) -> None:
    queue = rig.store.call_log
    first, second = (replace(finished(account(number)), create_in="Leads") for number in (1, 2))

    assert await queue.begin_record(first, 60.0)
    assert await queue.begin_record(replace(second, **change), 60.0)
