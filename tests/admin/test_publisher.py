"""Publications reach the board whatever happens to either side, and nothing older ever comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from router.admin import publisher
from router.admin.publisher import EmptyRecords, Publisher
from router.core.identities import TenantId
from router.core.tenants import Tenant
from router.records.configuration import Configuration
from router.records.tables import publications
from router.store.errors import StoreUnavailable
from router.store.plan_seam import PublishedPlan
from tests.admin.watching import WatchedStore
from tests.records.makers import ACME, JANE, OTHER, profile, tenant

AWAY = StoreUnavailable("Redis is away")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "EVERY_SECONDS", 0.01)


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@asynccontextmanager
async def publishing(configuration: Configuration, store: WatchedStore) -> AsyncIterator[Publisher]:
    made = Publisher(configuration.database, store.plans)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def documents(store: WatchedStore) -> dict[TenantId, Tenant | None]:
    numbers = (await store.plans.numbers()).numbers
    return {plan.tenant: plan.document for plan in await store.plans.fetch(numbers)}


async def until(store: WatchedStore, is_so: Callable[[dict[TenantId, Tenant | None]], bool]) -> None:
    async def is_there() -> bool:
        return is_so(await documents(store)) and bool((await store.plans.numbers()).mark)

    await store.turns.until(is_there)


async def test_what_is_published_is_handed_over_at_once(
    configuration: Configuration, store: WatchedStore
) -> None:
    made = Publisher(configuration.database, store.plans)

    applied = await configuration.apply(tenant(), "first", JANE)
    assert await made.hand_over(applied.publication)

    assert await documents(store) == {ACME: tenant()}


async def test_what_another_process_published_is_found(
    configuration: Configuration, store: WatchedStore
) -> None:
    async with publishing(configuration, store):
        await until(store, lambda found: found == {})
        await configuration.apply(tenant(), "first", JANE)
        await configuration.create_tenant(profile(id="other"), JANE)
        await until(store, lambda found: found == {ACME: tenant(), OTHER: profile(id="other")})
        await configuration.remove_tenant(OTHER, JANE)
        await until(store, lambda found: found == {ACME: tenant(), OTHER: None})


async def test_an_emptied_board_is_filled_again(configuration: Configuration, store: WatchedStore) -> None:
    await configuration.apply(tenant(), "first", JANE)
    async with publishing(configuration, store):
        await until(store, lambda found: found == {ACME: tenant()})
        former = (await store.plans.numbers()).mark

        store.plans.clear()
        await until(store, lambda found: found == {ACME: tenant()})

    assert (await store.plans.numbers()).mark not in ("", former)


async def test_a_board_that_was_away_gets_what_it_missed(
    configuration: Configuration, store: WatchedStore
) -> None:
    async with publishing(configuration, store) as made:
        await until(store, lambda found: found == {})
        store.outage = AWAY
        with capture_logs() as logs:
            applied = await configuration.apply(tenant(), "first", JANE)
            assert not await made.hand_over(applied.publication)
            await store.turns.next(3)
        store.outage = None
        await until(store, lambda found: found == {ACME: tenant()})

    told = [entry["event"] for entry in logs]
    assert told.count("plans.failing") == 1, "once, not with every attempt"


async def test_a_board_from_an_old_backup_is_mended(
    configuration: Configuration, store: WatchedStore
) -> None:
    await configuration.apply(tenant(), "first", JANE)
    for name in ("second", "third"):
        await configuration.apply(tenant(name=name), name, JANE)
    await store.plans.put(PublishedPlan(ACME, 2, tenant(name="second")))
    await store.plans.put(PublishedPlan(TenantId("ghost"), 7, profile(id="ghost")))
    await store.plans.finish("old")

    await Publisher(configuration.database, store.plans).compare()

    assert await documents(store) == {ACME: tenant(name="third"), TenantId("ghost"): None}


async def test_records_from_an_old_backup_are_what_counts(
    configuration: Configuration, store: WatchedStore
) -> None:
    await store.plans.put(PublishedPlan(ACME, 9, tenant(name="lost with the disk")))
    await configuration.apply(tenant(), "first", JANE)

    await Publisher(configuration.database, store.plans).compare()

    assert (await store.plans.numbers()).numbers == {ACME: 1}
    assert await documents(store) == {ACME: tenant()}


async def test_an_empty_database_takes_nothing_out_of_force(
    configuration: Configuration, store: WatchedStore
) -> None:
    await store.plans.put(PublishedPlan(ACME, 3, tenant()))
    await store.plans.finish("mark")

    with pytest.raises(EmptyRecords, match="records are empty, and 1 tenants are in force"):
        await Publisher(configuration.database, store.plans).compare()

    assert await documents(store) == {ACME: tenant()}


async def test_comparing_what_is_equal_hands_nothing_over(
    configuration: Configuration, store: WatchedStore
) -> None:
    await configuration.apply(tenant(), "first", JANE)
    made = Publisher(configuration.database, store.plans)

    assert [await made.compare(), await made.compare()] == [1, 0]


async def test_a_late_hand_over_never_brings_back_what_was_replaced(
    configuration: Configuration, store: WatchedStore
) -> None:
    made = Publisher(configuration.database, store.plans)
    first = (await configuration.apply(tenant(), "first", JANE)).publication
    second = (await configuration.apply(tenant(name="second"), "second", JANE)).publication

    await made.hand_over(second)
    await made.hand_over(first)

    assert await documents(store) == {ACME: tenant(name="second")}


async def test_a_publication_that_nobody_can_read_holds_up_no_other_tenant(
    configuration: Configuration, store: WatchedStore
) -> None:
    await configuration.create_tenant(profile(id="other"), JANE)
    async with publishing(configuration, store):
        await until(store, lambda found: found == {OTHER: profile(id="other")})
        with capture_logs() as logs:
            async with configuration.database.writing() as connection:
                broken = {"tenant": "aaa", "number": 1, "document": "{}", "digest": "", "versions": "{}"}
                told = {"author": "x", "comment": "", "made_at": 0.0}
                await connection.execute(publications.insert().values(**broken, **told))
            await configuration.apply(tenant(), "first", JANE)
            await until(store, lambda found: found.get(ACME) == tenant() and _is_told(logs))


def _is_told(logs: list[Any]) -> bool:
    return "plans.unreadable" in [entry["event"] for entry in logs]
