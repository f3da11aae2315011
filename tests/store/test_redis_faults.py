"""What Redis may do to us, and what it may cost."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from router.core.breakers import Health, Verdict
from router.core.errands import ListModules
from router.core.identities import IntegrationName, TenantId
from router.core.lookups import CacheState
from router.core.rules import Outcome
from router.store.addresses import parse_address
from router.store.batches import Batcher
from router.store.connections import Connections, Listener
from router.store.errors import StoreError, StoreOverloaded, StoreRefused, StoreUnavailable
from router.store.redis_store import RedisStore
from router.store.wires import Wire
from tests.faults.taps import Tap
from tests.store.rigs import (
    CRM_ERROR,
    FOUND,
    ROUTER,
    RedisRig,
    a_decision,
    a_job,
    a_waiter,
    reading,
    take_all,
    until,
)
from tests.store.servers import Server, free_ports, running_server, settings_for


@asynccontextmanager
async def opened(
    server: Server, timeout_seconds: float = 0.3, jobs_kept: int = 10_000
) -> AsyncIterator[RedisStore]:
    store = RedisStore(settings_for(server.url, timeout_seconds=timeout_seconds, jobs_kept=jobs_kept))
    try:
        yield store
    finally:
        await store.aclose()


async def ask_until_it_works(store: RedisStore, seconds: float = 3.0) -> float:
    """Seconds until a question went through."""
    started = time.monotonic()
    while True:
        try:
            await store.lookups.ask(a_job(), a_waiter())
        except StoreUnavailable:
            assert time.monotonic() - started < seconds
            await asyncio.sleep(0.02)
        else:
            return time.monotonic() - started


async def test_frozen_server_fails_in_time_and_comes_back(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)) as inbox:
        await ask_until_it_works(store)
        (taken,) = await take_all(store, 1)

        server.freeze()
        stalls = asyncio.create_task(longest_stall())
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.lookups.ask(a_job("+33888"), a_waiter())
            assert time.monotonic() - started < 0.3 + 0.1
        await asyncio.sleep(1)
        server.thaw()

        assert await ask_until_it_works(store) < 1.5
        await asyncio.sleep(1.2)  # the reader's own way back
        assert await settle_until_it_works(store, taken) == 1
        token, _ = await asyncio.wait_for(inbox.get(), 3)
        assert token == "t1"
        stalls.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalls


async def settle_until_it_works(store: RedisStore, taken: object) -> int:
    while True:
        try:
            return await store.jobs.settle(taken, FOUND)  # type: ignore[arg-type]
        except StoreError:
            await asyncio.sleep(0.02)


async def longest_stall() -> None:
    while True:
        started = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - started < 0.1 + 0.15, "the event loop stalled"


async def test_restarted_server_is_found_again_by_all(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)) as inbox:
        await ask_until_it_works(store)
        await take_all(store, 1)

        server.stop()
        with pytest.raises(StoreUnavailable):
            await store.lookups.ask(a_job("+33888"), a_waiter())
        await asyncio.sleep(0.5)
        server.start()

        assert await ask_until_it_works(store) < 1
        await asyncio.sleep(1)
        (taken,) = await take_all(store, 1)
        await store.jobs.settle(taken, FOUND)
        assert await asyncio.wait_for(inbox.get(), 3) == ("t1", FOUND)


async def test_restart_between_two_questions_is_not_noticed(server: Server) -> None:
    async with opened(server) as store:
        await ask_until_it_works(store)
        server.stop()
        server.start()

        asked = await store.lookups.ask(a_job(), a_waiter())

        assert asked.state is CacheState.MISSING


async def test_a_lane_that_was_idle_when_its_server_was_lost_finds_it_again(server: Server) -> None:
    """The loss is heard by another connection, and the lane's own one has died unseen."""
    connections = Connections(parse_address(server.url), 0.3, 0.5)
    batcher, listener = Batcher(connections), Listener(connections, "queue")
    try:
        await batcher.call("queue", "PING")
        waiting = asyncio.create_task(listener.call("BLPOP", "queue", 0, wait_seconds=30))
        await until(lambda: b"blocked_clients:1" in server.say(b"INFO clients\r\n"))
        server.stop()
        with pytest.raises(StoreUnavailable):
            await waiting
        await until(lambda: connections.gate("queue").seconds_closed > 0.3)
        server.start()

        async with asyncio.timeout(5):
            while True:
                with suppress(StoreUnavailable):
                    await batcher.call("queue", "PING")
                    break
                await asyncio.sleep(0.02)
    finally:
        await listener.close()
        await batcher.aclose()


async def test_connection_that_was_reset_while_unused_is_not_noticed(tmp_path: Path) -> None:
    """As a failover of an address, or a firewall, ends it."""
    (port,) = free_ports(1)
    with running_server(tmp_path, port=port), Tap(port) as tap:
        store = RedisStore(settings_for(f"redis://127.0.0.1:{tap.port}", timeout_seconds=0.3))
        try:
            await ask_until_it_works(store)
            with capture_logs() as logs:
                tap.reset()
                await asyncio.sleep(0.05)  # for the loop to hear of it

                asked = await store.lookups.ask(a_job("+33888"), a_waiter())
        finally:
            await store.aclose()
    assert asked.state is CacheState.MISSING
    assert logs == []


async def test_lost_server_is_tried_at_most_once_in_100_ms(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)):
        await ask_until_it_works(store)
        working = asyncio.create_task(take_all(store, 1000, seconds=60))
        server.stop()
        attempts: list[float] = []
        connect = store._connections.route.connect

        async def counted(key: str) -> Wire:
            attempts.append(time.monotonic())
            return await connect(key)

        store._connections.route.connect = counted  # type: ignore[method-assign]

        async def ask_on() -> None:
            for _ in range(200):
                await asyncio.gather(
                    *(store.lookups.ask(a_job(), a_waiter()) for _ in range(10)), return_exceptions=True
                )
                await asyncio.sleep(0.01)

        await ask_on()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

        assert len(attempts) > 5
        gaps = [after - before for before, after in pairwise(attempts)]
        assert min(gaps[1:]) > 0.09


async def test_killed_worker_s_job_is_done_by_another(server: Server) -> None:
    script = (
        "import asyncio, sys\n"
        "from router.store.redis_store import RedisStore\n"
        "from tests.store.servers import settings_for\n"
        "async def main():\n"
        "    store = RedisStore(settings_for(sys.argv[1]))\n"
        "    while not (taken := await store.jobs.take(1)): pass\n"
        "    print(taken[0].id, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    async with opened(server) as store, reading(store.answers(ROUTER)) as inbox:
        await ask_until_it_works(store)
        with subprocess.Popen(  # noqa: ASYNC220 - it is read in a thread
            [sys.executable, "-c", script, server.url],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        ) as worker:
            assert worker.stdout is not None
            taken_id = (await asyncio.to_thread(worker.stdout.readline)).decode().strip()
            worker.send_signal(signal.SIGKILL)
            worker.wait()

        (reclaimed,) = await store.jobs.reclaim(idle_seconds=0)
        answered = await store.jobs.settle(reclaimed, FOUND)

        assert reclaimed.id == taken_id
        assert answered == 1
        assert await asyncio.wait_for(inbox.get(), 3) == ("t1", FOUND)


async def test_replica_that_takes_no_writes_is_unavailable_until_it_is_master(server: Server) -> None:
    async with opened(server) as store:
        await ask_until_it_works(store)
        server.say(b"REPLICAOF 127.0.0.1 1\r\n")

        with pytest.raises(StoreUnavailable, match=r"(?i)read.?only"):
            await store.lookups.ask(a_job(), a_waiter())
        assert (await store.health()).role == "slave"

        server.say(b"REPLICAOF NO ONE\r\n")
        assert await ask_until_it_works(store) < 1


async def test_full_server_is_overloaded(server: Server) -> None:
    async with opened(server) as store:
        server.say(b"CONFIG SET maxmemory 1\r\n")

        with pytest.raises(StoreOverloaded):
            await store.lookups.ask(a_job(), a_waiter())


async def test_wrong_password_is_refused_and_never_shown(server: Server) -> None:
    server.say(b"CONFIG SET requirepass right-secret\r\n")
    wrong = server.url.replace("unix://", "unix://:wrong-secret@")
    right = server.url.replace("unix://", "unix://:right-secret@")
    for url in (wrong, server.url, right):
        store = RedisStore(settings_for(url))
        try:
            if url == right:
                await store.health()
                continue
            with pytest.raises(StoreRefused) as caught:
                await store.jobs._shards[0].listener.call("PING", wait_seconds=0)
            assert "secret" not in f"{caught.value} {caught.value.__cause__}"
        finally:
            await store.aclose()


async def test_questions_of_one_turn_go_out_in_one_piece(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server) as store:
        await ask_until_it_works(store)
        sizes: list[int] = []
        exchange = Wire.exchange

        async def counted(self: Wire, commands: list[tuple[str]], seconds: float) -> list[object]:
            sizes.append(len(commands))
            return await exchange(self, commands, seconds)

        monkeypatch.setattr(Wire, "exchange", counted)

        await asyncio.gather(*(store.lookups.ask(a_job(f"+331{n:08}"), a_waiter()) for n in range(200)))

        assert sizes == [200]


async def test_too_many_commands_are_refused_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.store.batches.WAITING_MOST", 10)
    async with opened(server) as store:
        await ask_until_it_works(store)
        server.freeze()
        blocked = [asyncio.ensure_future(store.lookups.ask(a_job(), a_waiter(f"t{n}"))) for n in range(20)]
        await asyncio.sleep(0.05)
        more = [asyncio.ensure_future(store.lookups.ask(a_job(), a_waiter(f"m{n}"))) for n in range(20)]
        await asyncio.sleep(0.05)

        with pytest.raises(StoreOverloaded):
            await store.lookups.ask(a_job(), a_waiter("late"))

        results = await asyncio.gather(*blocked, *more, return_exceptions=True)
        assert {type(result) for result in results} <= {StoreUnavailable, StoreOverloaded}


async def test_backlog_of_5000_leaves_199_quiet_tenants_one_round(server: Server) -> None:
    async with opened(server, timeout_seconds=5) as store:
        for start in range(0, 5000, 500):
            numbers = range(start, start + 500)
            await asyncio.gather(
                *(store.lookups.ask(a_job(f"+331{n:08}", "noisy", 60), a_waiter(f"n{n}")) for n in numbers)
            )
        await asyncio.gather(
            *(
                store.lookups.ask(a_job(tenant=f"quiet-{n}", budget_seconds=60), a_waiter())
                for n in range(199)
            )
        )

        taken = await take_all(store, 200, most=8)

        assert len({job.tenant for job in taken[:208]}) == 200


async def test_dead_backlog_is_passed_over_in_bounded_steps(server: Server) -> None:
    async with opened(server, timeout_seconds=5) as store:
        await asyncio.gather(
            *(
                store.lookups.ask(a_job(f"+331{n:08}", budget_seconds=0.2), a_waiter(f"n{n}"))
                for n in range(1000)
            )
        )
        await asyncio.sleep(0.4)
        await store.lookups.ask(a_job("+33888"), a_waiter("alive"))

        (taken,) = await take_all(store, 1)

        assert taken.job.key.subject == "+33888"
        assert store.jobs.expired_jobs == 1000


async def test_unreadable_job_ends_and_its_waiters_are_told(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)) as inbox:
        await ask_until_it_works(store)
        await take_all(store, 1)
        rig = RedisRig(store, [server])
        keys, batcher = store._keys, store._batcher
        jobs, job = keys.jobs(0), a_job("+33888")
        waiting = f"{keys.queue(0)[6]}acme:crm"
        await asyncio.sleep(0.2)
        await store.lookups.ask(job, a_waiter("told"))
        (entry_id,) = await batcher.call(waiting, "ZRANGE", waiting, 0, -1)
        entry = msgspec.msgpack.encode(["no job", job.key.digest(), 9_999_999_999_999, "", 50, 0, 1])
        await batcher.call(jobs, "HSET", jobs, b"acme " + entry_id, entry)
        await batcher.call(jobs, "HSET", jobs, "acme 1-foreign", "an entry")
        await batcher.call(keys.queued(0), "HINCRBY", keys.queued(0), "acme", 1)
        await batcher.call(waiting, "ZADD", waiting, 1, "1-foreign", 2, "2-without-a-job")
        await store.lookups.ask(a_job("+33777"), a_waiter("good"))

        (taken,) = await take_all(store, 1)

        assert taken.job.key.subject == "+33777"
        token, answer = await asyncio.wait_for(inbox.get(), 3)
        assert (token, answer.outcome) == ("told", Outcome.CRM_ERROR)
        assert await rig.jobs_left("acme") == 2


async def test_unreadable_answer_in_the_cache_is_asked_again(server: Server) -> None:
    async with opened(server) as store:
        key = RedisRig(store, [server]).cache_key(a_job())
        for garbage in (b"", b"x", b"p\x00\x00\xff\xff\xc1 not msgpack", b"p\x00\x00\xff\xff\x80"):
            await store._batcher.call(key, "SET", key, garbage, "PX", 60_000)

            asked = await store.lookups.ask(a_job(), a_waiter())

            assert asked.answer is None


async def test_unreadable_entries_do_not_stop_readers(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)) as inbox:
        await ask_until_it_works(store)
        (taken,) = await take_all(store, 1)
        await asyncio.sleep(0.2)
        key = store._keys.answers(ROUTER)
        for fields in (("a", b"\xc1"), ("a", b"\x80", "t", b"\x90"), ("nothing", "known")):
            await store._batcher.call(key, "XADD", key, "*", *fields)
        await store.jobs.settle(taken, FOUND)
        decisions = store._keys.decisions
        await store._batcher.call(decisions, "XADD", decisions, "*", "d", b"\xc1")
        await store.decisions.record(a_decision(), is_only_witness=True)

        assert await asyncio.wait_for(inbox.get(), 3) == ("t1", FOUND)
        assert await store.decisions.latest(5) == [a_decision()]


@pytest.mark.parametrize("garbage", [b"\xc1", b"\xa1\xff", b"\x91" * 5_000, b"\x92\xa1\xff\x80"])
async def test_an_unreadable_errand_or_reply_is_dropped(server: Server, garbage: bytes) -> None:
    """Another version of the program wrote it, or nobody of ours: a worker goes on to the next."""
    errand = ListModules(tenant=TenantId("acme"), integration=IntegrationName("crm"))
    async with opened(server) as store:
        await ask_until_it_works(store)
        queue, batcher = store._keys.errands, store._batcher
        await batcher.call(queue, "RPUSH", queue, garbage)

        assert await store.errands.take() is None

        asking = asyncio.create_task(store.errands.run(errand, 10))
        taken = await store.errands.take()
        assert taken is not None
        key = store._keys.errand_reply(taken.id)
        await batcher.call(key, "RPUSH", key, garbage)
        assert await asking is None


async def test_tenant_lost_from_the_ring_is_put_back_by_reclaiming(server: Server) -> None:
    async with opened(server) as store:
        await ask_until_it_works(store)
        ready = store._keys.ready(0)
        await store._batcher.call(ready, "DEL", ready)

        nothing_idle = await store.jobs.reclaim(idle_seconds=60)

        assert nothing_idle == []
        assert len(await take_all(store, 1)) == 1


async def test_flight_whose_job_died_long_ago_blocks_nobody(server: Server) -> None:
    async with opened(server) as store:
        job = a_job()
        await store.lookups.ask(job, a_waiter("old"))
        await take_all(store, 1)
        waiters = store._keys.waiters(job.key.tenant, job.key.digest())
        await store._batcher.call(waiters, "HSET", waiters, "", "1-1 1000")

        asked = await store.lookups.ask(job, a_waiter("new"))
        (taken,) = await take_all(store, 1)

        assert asked.state is CacheState.MISSING
        assert await store.jobs.settle(taken, CRM_ERROR) == 2


async def test_all_keys_of_a_call_go_away_by_themselves(server: Server) -> None:
    async with opened(server) as store, reading(store.answers(ROUTER)):
        await asyncio.sleep(0.2)
        await ask_until_it_works(store)
        (taken,) = await take_all(store, 1)
        await store.jobs.settle(taken, CRM_ERROR, Verdict(Health.UNWELL))
        for number in range(3):
            await store.lookups.ask(a_job(f"+3388{number}"), a_waiter())
        await take_all(store, 1, most=1)

        keys = await store._batcher.call("", "KEYS", "*")
        left = {key.decode(): await store._batcher.call(key, "PTTL", key) for key in keys}

        assert {name for name, ms in left.items() if ms < 0} <= {
            "crmroute:{s0}:ready",
            "crmroute:{s0}:ringed",
            "crmroute:{s0}:later",
        }, "they hold the names of tenants only"
        assert len(left) >= 10
        assert max(left.values()) <= 86_400_000


async def test_closing_ends_every_wait(server: Server) -> None:
    async with opened(server) as store:
        waiting = asyncio.create_task(store.jobs.take(1))
        await asyncio.sleep(0.1)
        server.freeze()
        asking = asyncio.create_task(store.lookups.ask(a_job(), a_waiter()))
        await asyncio.sleep(0.05)

        async with asyncio.timeout(2):
            await store.aclose()
            assert await waiting == []
            with pytest.raises(StoreUnavailable):
                await asking
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.lookups.ask(a_job(), a_waiter())
