"""Sentinel and Cluster when their servers change places."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from router.core.lookups import CacheState
from router.store.errors import StoreUnavailable
from router.store.redis_store import RedisStore
from tests.store.rigs import FOUND, ROUTER, a_job, a_waiter, reading, take_all
from tests.store.servers import Server, free_ports, running_cluster, running_server, settings_for


@contextmanager
def running_sentinel(folder: Path) -> Iterator[tuple[str, Server, Server]]:
    """A master, a replica and a Sentinel that may decide alone: the address, and the first two."""
    master_port, replica_port, sentinel_port = free_ports(3)
    with ExitStack() as stack:
        master = stack.enter_context(running_server(folder / "master", port=master_port))
        replica = stack.enter_context(
            running_server(
                folder / "replica",
                "",
                *("--replicaof", f"127.0.0.1 {master_port}", "--repl-diskless-sync-delay", "0"),
                port=replica_port,
            )
        )
        home = folder / "sentinel"
        home.mkdir()
        (home / "sentinel.conf").write_text(
            f"port {sentinel_port}\nbind 127.0.0.1\ndir {home}\n"
            f"sentinel monitor main 127.0.0.1 {master_port} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )
        command = [master.command[0], str(home / "sentinel.conf"), "--sentinel"]
        sentinel = Server(f"redis://127.0.0.1:{sentinel_port}", command, home)
        stack.callback(sentinel.stop)
        sentinel.start()
        wait_for(lambda: b"master_link_status:up" in replica.say(b"INFO replication\r\n"))
        wait_for(lambda: b"slaves=1" in sentinel.say(b"INFO sentinel\r\n"))
        dead, alive = free_ports(1)[0], sentinel_port
        yield f"redis+sentinel://127.0.0.1:{dead},127.0.0.1:{alive}/main", master, replica


def wait_for(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
