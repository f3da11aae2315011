"""The board of published plans in every form of the store, and the feed of tenants that reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from router.core.destinations import DestinationKind, Target
from router.core.identities import TenantId
from router.core.tenants import Tenant
from router.settings.tenant_files import Changes
from router.store import plan_board
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from router.store.plan_seam import PublishedPlan
from router.store.tenant_feed import TenantFeed
from tests.store.rigs import MemoryRig, RedisRig, Rig

ACME, OTHER = TenantId("acme"), TenantId("other")
SECONDS = 10.0


def plan(number: int = 1, tenant: TenantId = ACME, name: str = "") -> PublishedPlan:
    target = Target(DestinationKind.QUEUE, "desk")
    return PublishedPlan(tenant, number, Tenant(id=tenant, name=name, country="FR", default=target))


# The board


async def test_a_plan_is_read_as_it_was_put(rig: Rig) -> None:
    board = rig.store.plans

    assert await board.put(plan(3, name="Acme"))
    assert await board.put(plan(1, OTHER))

    assert (await board.numbers()).numbers == {ACME: 3, OTHER: 1}
    assert await board.fetch([OTHER, TenantId("nobody"), ACME]) == [plan(1, OTHER), plan(3, name="Acme")]


async def test_an_older_plan_never_replaces_a_newer_one(rig: Rig) -> None:
    board = rig.store.plans
    await board.put(plan(3))

    assert [await board.put(plan(number, name="late")) for number in (2, 3)] == [False, False]
    assert await board.fetch([ACME]) == [plan(3)]


async def test_a_plan_may_go_back_in_place_of_the_one_that_was_seen(rig: Rig) -> None:
    board = rig.store.plans
    await board.put(plan(9))

    assert not await board.put(plan(4), replacing=8)
    assert await board.put(plan(4, name="restored"), replacing=9)
    assert await board.fetch([ACME]) == [plan(4, name="restored")]


async def test_the_mark_is_the_first_one_and_goes_with_the_plans(rig: Rig) -> None:
    board = rig.store.plans
    assert (await board.numbers()).mark == ""

    await board.finish("first")
    await board.finish("second")
    assert (await board.numbers()).mark == "first"

    await rig.forget()
    assert (await board.numbers()).mark == ""


async def test_thousands_are_fetched(rig: Rig) -> None:
    plans = [plan(1, TenantId(f"t{number}")) for number in range(1050)]
    await asyncio.gather(*map(rig.store.plans.put, plans))

    assert await rig.store.plans.fetch([one.tenant for one in plans]) == plans


async def test_what_is_no_plan_is_left_out(rig: Rig) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("of Redis only")
    await rig.store.plans.put(plan())
    key = rig.redis._keys.plans
    await rig.redis._batcher.call(key, "HSET", key, OTHER, b"\xff\x00")

    assert await rig.store.plans.fetch([ACME, OTHER]) == [plan()]


# The feed


@asynccontextmanager
async def watching(feed: TenantFeed) -> AsyncIterator[list[Changes]]:
    """What the feed told."""
    told: list[Changes] = []

    async def tell(changes: Changes) -> None:
        told.append(changes)

    task = asyncio.create_task(feed.watch(tell))
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is waited for comes from another process
            await asyncio.sleep(0.01)


async def filled(rig: Rig, *plans: PublishedPlan) -> TenantFeed:
    for one in plans:
        await rig.store.plans.put(one)
    await rig.store.plans.finish("mark")
    feed = TenantFeed(rig.store.plans)
    assert await feed.load()
    return feed


async def test_all_tenants_are_there_once_loaded(rig: Rig) -> None:
    feed = await filled(rig, plan(1), plan(1, OTHER))

    assert set(feed.tenants()) == {ACME, OTHER}
    assert feed.tenant(ACME) == plan().document


async def test_a_board_that_is_not_filled_is_waited_for(rig: Rig) -> None:
    await rig.store.plans.put(plan())
    feed = TenantFeed(rig.store.plans)

    assert not await feed.load(seconds=0.0)
    assert feed.tenants() == {}


async def test_a_new_plan_is_in_force_at_once(rig: Rig) -> None:
    feed = await filled(rig, plan(1))
    async with watching(feed) as told:
        await rig.store.plans.put(plan(2, name="Acme & Co"))
        await rig.store.plans.put(plan(1, OTHER))
        await until(lambda: OTHER in feed.tenants())

    assert [tenant.name for changes in told for tenant in changes.changed] == ["Acme & Co"]
    assert [tenant.id for changes in told for tenant in changes.added] == [OTHER]


async def test_a_removed_tenant_goes(rig: Rig) -> None:
    feed = await filled(rig, plan(1), plan(1, OTHER))
    async with watching(feed) as told:
        await rig.store.plans.put(replace(plan(2), document=None))
        await until(lambda: ACME not in feed.tenants())

    assert [changes.removed for changes in told if changes] == [(ACME,)]
    assert set(feed.tenants()) == {OTHER}


async def test_an_emptied_board_removes_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_board, "SCAN_SECONDS", 0.05)
    feed = await filled(rig, plan(1), plan(1, OTHER))
    async with watching(feed) as told:
        await rig.forget()
        await rig.store.plans.put(plan(2, name="back"))
        await until(lambda: feed.tenants()[ACME].name == "back")

    assert OTHER in feed.tenants()
    assert not any(changes.removed for changes in told)


async def test_what_is_gone_from_a_board_that_was_filled_again_goes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_board, "SCAN_SECONDS", 0.05)
    feed = await filled(rig, plan(1), plan(1, OTHER))
    if isinstance(rig, MemoryRig):
        pytest.skip("of Redis only: the memory's board has no time of its own")
    async with watching(feed):
        await rig.forget()
        await rig.store.plans.put(plan(1))
        await rig.store.plans.finish("again")
        await until(lambda: OTHER not in feed.tenants())

    assert set(feed.tenants()) == {ACME}


async def test_tenants_stay_in_force_while_the_store_is_away() -> None:
    store = MemoryStore()
    await store.plans.put(plan(1))
    await store.plans.finish("mark")
    feed = TenantFeed(store.plans)
    await feed.load()
    async with watching(feed):
        store.outage = StoreUnavailable("Redis is away")
        await asyncio.sleep(0)
        assert feed.tenant(ACME) == plan(1).document
        store.outage = None
        await store.plans.put(plan(2, name="new"))
        await until(lambda: feed.tenants()[ACME].name == "new")
