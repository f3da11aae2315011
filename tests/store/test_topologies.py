"""Sentinel and Cluster when their servers change places."""

import asyncio
from pathlib import Path

from router.core.lookups import CacheState
from router.store.errors import StoreUnavailable
from router.store.redis_store import RedisStore
from tests.store.rigs import FOUND, ROUTER, a_job, a_waiter, reading, take_all
from tests.store.servers import settings_for
from tests.store.topologies import running_cluster, running_sentinel


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
            tenants = [f"tenant-{number}" for number in range(40)]
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
