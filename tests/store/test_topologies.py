"""Sentinel and Cluster when their servers change places."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.crc import key_slot
from structlog.testing import capture_logs

from router.core.identities import TenantId
from router.core.lookups import CacheState
from router.store.errors import StoreUnavailable
from router.store.redis_store import RedisStore
from router.store.seams import TakenJob
from tests.store.rigs import FOUND, ROUTER, a_job, a_waiter, reading, take_all
from tests.store.servers import settings_for
from tests.store.test_call_log import account, finished
from tests.store.topologies import (
    MASTERS,
    is_master,
    node_id,
    place_of,
    running_cluster,
    running_sentinel,
    wait_for,
)

TENANTS = [TenantId(f"tenant-{number}") for number in range(40)]
"""Of all shards."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(settings_for(url, timeout_seconds=0.3))
    try:
        yield store
    finally:
        await store.aclose()


def owner_of(store: RedisStore, tenant: TenantId) -> str:
    return store._connections.route.server_of(store._keys.waiters(tenant, ""))


async def ask_all(store: RedisStore, number: str) -> None:
    """One question for each tenant, as soon as it goes through; the answer's token tells both."""
    async with asyncio.timeout(20):
        for tenant in TENANTS:
            while True:
                with suppress(StoreUnavailable):
                    await store.lookups.ask(a_job(number, tenant=tenant), a_waiter(f"{number} {tenant}"))
                    break
                await asyncio.sleep(0.02)


async def take_numbered(store: RedisStore, number: str) -> list[TakenJob]:
    """The jobs of `ask_all`, once all have come."""
    taken: dict[TenantId, TakenJob] = {}
    async with asyncio.timeout(20):
        while len(taken) < len(TENANTS):
            jobs = await store.jobs.take(50)
            taken |= {job.tenant: job for job in jobs if job.job.key.subject == number}
    return list(taken.values())


async def reclaimed(store: RedisStore) -> list[TakenJob]:
    with suppress(StoreUnavailable):
        return await store.jobs.reclaim(0)
    return []


async def test_sentinel_s_new_master_is_found_after_a_failover(tmp_path: Path) -> None:
    with running_sentinel(tmp_path) as (url, master, _):
        store = RedisStore(settings_for(url, timeout_seconds=0.3))
        try:
            async with reading(store.answers(ROUTER)) as inbox:
                health = await store.health()
                await store.lookups.ask(a_job(), a_waiter())
                await take_all(store, 1)

                master.stop()
                await ask_until_it_works(store)

                assert (health.mode, health.role) == ("sentinel", "master")
                await asyncio.sleep(1.5)
                await store.lookups.ask(a_job("+33777"), a_waiter("after"))
                taken = await take_all(store, 2)
                for job in taken:
                    await store.jobs.settle(job, FOUND)
                tokens = {(await asyncio.wait_for(inbox.get(), 5))[0] for _ in range(2)}
                assert "after" in tokens
        finally:
            await store.aclose()


async def ask_until_it_works(store: RedisStore) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await store.lookups.ask(a_job("+33888"), a_waiter("second"))
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_cluster_serves_the_other_shards_while_one_master_is_frozen(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as (url, servers):
        store = RedisStore(settings_for(url, timeout_seconds=0.3))
        try:
            tenants = TENANTS
            owners = {}
            for tenant in tenants:
                job = a_job(tenant=tenant)
                await store.lookups.ask(job, a_waiter())
                owners[tenant] = store._connections.route.server_of(store._keys.waiters(job.key.tenant, ""))
            frozen = servers[0].url.removeprefix("redis://")

            servers[0].freeze()
            results = await asyncio.gather(
                *(store.lookups.ask(a_job("+33888", tenant=tenant), a_waiter()) for tenant in tenants),
                return_exceptions=True,
            )
            servers[0].thaw()

            assert len(set(owners.values())) == 3
            for tenant, result in zip(tenants, results, strict=True):
                assert isinstance(result, StoreUnavailable) == (owners[tenant] == frozen)
        finally:
            await store.aclose()


async def test_cluster_s_moved_slot_is_followed(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as (url, _):
        store = RedisStore(settings_for(url, timeout_seconds=1))
        try:
            first = await store.lookups.ask(a_job(), a_waiter())
            # As if the table had been learnt before all slots moved on by one node.
            route = store._connections.route
            ranges = route._ranges  # type: ignore[attr-defined]
            hosts = [host for _, _, host in ranges]
            route._ranges = [  # type: ignore[attr-defined]
                (low, high, host) for (low, high, _), host in zip(ranges, hosts[1:] + hosts[:1], strict=True)
            ]

            again = await store.lookups.ask(a_job(), a_waiter("t2"))

            assert (first.state, again.state) == (CacheState.MISSING, CacheState.JOINED)
        finally:
            await store.aclose()


async def test_cluster_s_new_master_serves_the_dead_one_s_shards(tmp_path: Path) -> None:
    with running_cluster(tmp_path, has_replicas=True) as (url, servers), capture_logs() as logs:
        async with opened(url) as store, reading(store.answers(ROUTER)) as inbox:
            await ask_all(store, "+33100")
            await take_numbered(store, "+33100")
            servers[0].stop()
            wait_for(lambda: is_master(servers[MASTERS]))

            await ask_all(store, "+33200")
            for job in await take_numbered(store, "+33200"):
                await store.jobs.settle(job, FOUND)
            waiting = {f"+33200 {tenant}" for tenant in TENANTS}
            async with asyncio.timeout(20):
                while waiting:
                    waiting.discard((await inbox.get())[0])
    masters = [line["masters"] for line in logs if line["event"] == "store.cluster_learned"][-1]
    assert set(masters) == {place_of(server) for server in (*servers[1:MASTERS], servers[MASTERS])}


async def test_cluster_s_living_masters_give_up_a_dead_worker_s_jobs(tmp_path: Path) -> None:
    """What was taken over of one shard is not forgotten because the next one's master is dead."""
    with running_cluster(tmp_path) as (url, servers):
        async with opened(url) as store:
            await ask_all(store, "+33100")
            await take_numbered(store, "+33100")
            alive = [tenant for tenant in TENANTS if owner_of(store, tenant) != place_of(servers[0])]
            servers[0].stop()

            found: set[TenantId] = set()
            async with asyncio.timeout(10):
                while len(found) < len(alive):
                    found |= {job.tenant for job in await reclaimed(store)}

            assert found == set(alive)


async def test_cluster_s_living_masters_give_the_calls_that_are_to_be_written(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as (url, servers):
        async with opened(url) as store:
            for number, tenant in enumerate(TENANTS):
                call = account(number, tenant)
                await store.open_calls.open(call)
                await store.open_calls.close(call, finished(call))
            alive = [tenant for tenant in TENANTS if owner_of(store, tenant) != place_of(servers[0])]
            servers[0].stop()

            found: set[TenantId] = set()
            async with asyncio.timeout(10):
                while len(found) < len(alive):
                    with suppress(StoreUnavailable):
                        found |= {one.call.tenant for one in await store.call_log.take(50, 60)}

            assert found == set(alive)


async def test_cluster_s_slot_on_its_way_to_another_master_costs_its_own_tenants_only(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as (url, servers), capture_logs() as logs:
        async with opened(url) as store:
            await ask_all(store, "+33100")
            moving, *others = [name for name in TENANTS if owner_of(store, name) == place_of(servers[0])]
            slot = key_slot(store._keys.ready(store._keys.shard(moving)).encode())
            target = node_id(servers[1])
            servers[0].say(f"CLUSTER SETSLOT {slot} MIGRATING {target}\r\n".encode())

            with pytest.raises(StoreUnavailable, match=r"(?i)ask|try ?again"):
                await store.lookups.ask(a_job("+33300", tenant=moving), a_waiter())
            for tenant in others:
                if store._keys.shard(tenant) != store._keys.shard(moving):
                    await store.lookups.ask(a_job("+33300", tenant=tenant), a_waiter())

            assert [line for line in logs if line["event"] == "store.lost"] == []
