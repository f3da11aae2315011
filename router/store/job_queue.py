"""A worker's side of the queue, on Redis.

Each tenant has a stream of its own, and the tenants with jobs stand in a ring: a worker takes one job of
the first, one of the next, and so on, so that a tenant with a backlog of thousands costs another one a
single turn. A free worker waits by moving the ring's head onto itself (`BLMOVE ready ready LEFT LEFT`):
nothing leaves the ring, so nothing is lost when the worker dies waiting.

All workers are one consumer of one group. A job says by its idle time alone that its worker is dead, and
worker processes that come and go leave no names behind. What a dead worker held is taken over by the
others' `reclaim`.
"""

import asyncio
from collections import defaultdict

import structlog

from router.core.identities import RouterName, TenantId
from router.core.lookups import Answer, Waiter
from router.store.batches import Batcher
from router.store.cached import kept_seconds
from router.store.connections import Connections, Listener
from router.store.errors import FOREIGN_ERRORS, StoreError, translated
from router.store.keys import Keys
from router.store.limits import (
    ANSWERS_KEPT,
    DELIVERIES_MOST,
    TAKE_WAIT_SECONDS,
    poisoned_answer,
    unreadable_answer,
)
from router.store.packing import Unreadable, pack, pack_cached, unpack_job, unpack_waiter
from router.store.scripts import Scripts
from router.store.seams import TakenJob

log = structlog.get_logger(__name__)

GROUP = "workers"
CONSUMER = "worker"
TURNS_MOST = 256
"""Tenants looked at in one step: it bounds how long the script keeps Redis busy with jobs that nobody waits
for."""
RECLAIM_TENANTS = 256
RECLAIM_JOBS = 16
PAUSE_SECONDS = 0.1
SETTLED_KEPT = 10_000

RawJob = tuple[bytes, bytes, bytes, bytes, int, int, bytes]
"""Tenant, id, job, digest, milliseconds left, deliveries, first waiter."""


class _Shard:
    """One ring, and the connection that waits at it."""

    def __init__(self, number: int, connections: Connections, keys: Keys) -> None:
        self.number = number
        self.ready = keys.ready(number)
        self.has_work = False
        self.is_watched = asyncio.Event()
        self.is_watched.set()
        self.listener = Listener(connections, self.ready)


class RedisJobQueue:
    def __init__(self, connections: Connections, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys
        self._shards = [_Shard(number, connections, keys) for number in range(keys.shards)]
        self._first = 0
        self._has_work = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self._expired_jobs = 0
        self._settled_ids: dict[str, None] = {}

    @property
    def expired_jobs(self) -> int:
        return self._expired_jobs

    async def take(self, most: int) -> list[TakenJob]:
        if most <= 0:
            return []
        if not self._watchers:
            self._watchers = [asyncio.ensure_future(self._watch(shard)) for shard in self._shards]
        try:
            async with asyncio.timeout(TAKE_WAIT_SECONDS):
                await self._has_work.wait()
        except TimeoutError:
            return []
        taken: list[TakenJob] = []
        # Each time another shard comes first, so that no ring is served better.
        self._first = (self._first + 1) % len(self._shards)
        for shard in (*self._shards[self._first :], *self._shards[: self._first]):
            if shard.has_work and len(taken) < most:
                taken += await self._take_from(shard, most - len(taken))
        if not any(shard.has_work for shard in self._shards):
            self._has_work.clear()
        return taken

    async def settle(self, taken: TakenJob, answer: Answer) -> int:
        """See the seam. The answer is cached and the job ended in one step; then the waiters are told.

        Whoever put the question is told in the same moment, not after it: most questions have one waiter, who
        would pay a round trip for nothing. A worker that dies in between costs only the other waiters their
        better destination, and the next call of the same number finds the answer in the cache.
        """
        kept_ms = round(kept_seconds(taken.job, answer) * 1000)
        first = taken.first_waiter if self._is_news(taken) else None
        told = [self._add(first.router, pack([first.token]), pack(answer))] if first else []
        try:
            return await self._end(taken.tenant, taken.id, taken.job.key.digest(), answer, kept_ms, first)
        finally:
            await _all_sent(told)

    def _is_news(self, taken: TakenJob) -> bool:
        """Whether nobody can have settled this job before: a late worker's answer tells nobody by itself."""
        is_news = taken.deliveries == 1 and taken.id not in self._settled_ids
        self._settled_ids[taken.id] = None
        if len(self._settled_ids) > SETTLED_KEPT:
            del self._settled_ids[next(iter(self._settled_ids))]
        return is_news

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        taken: list[TakenJob] = []
        for shard in self._shards:
            expired, rung, jobs = await self._scripts.run(
                "reclaim",
                self._ring(shard.number),
                round(idle_seconds * 1000),
                RECLAIM_TENANTS,
                RECLAIM_JOBS,
                GROUP,
                CONSUMER,
                self._keys.jobs_stem(shard.number),
                self._keys.waiters_stem(shard.number),
            )
            self._expired_jobs += expired
            if rung:
                log.warning("store.tenants_rung_again", tenants=rung)
            taken += await self._readable(jobs)
        return taken

    async def aclose(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _watch(self, shard: _Shard) -> None:
        """Wait at a ring whenever it was found empty, for ever."""
        try:
            while True:
                await shard.is_watched.wait()
                wait = ("BLMOVE", shard.ready, shard.ready, "LEFT", "LEFT", TAKE_WAIT_SECONDS)
                try:
                    tenant = await shard.listener.call(*wait, wait_seconds=TAKE_WAIT_SECONDS)
                except StoreError:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                if tenant is not None:
                    shard.has_work = True
                    shard.is_watched.clear()
                    self._has_work.set()
        finally:
            await shard.listener.close()

    async def _take_from(self, shard: _Shard, most: int) -> list[TakenJob]:
        try:
            expired, rung, jobs = await self._scripts.run(
                "take",
                self._ring(shard.number),
                most,
                TURNS_MOST,
                GROUP,
                CONSUMER,
                self._keys.jobs_stem(shard.number),
                self._keys.waiters_stem(shard.number),
            )
        except StoreError as error:
            log.warning("store.take_failed", problem=str(error))
            self._watch_again(shard)
            await asyncio.sleep(PAUSE_SECONDS)
            return []
        self._expired_jobs += expired
        if not rung:
            self._watch_again(shard)
        return await self._readable(jobs)

    def _watch_again(self, shard: _Shard) -> None:
        shard.has_work = False
        shard.is_watched.set()

    def _ring(self, shard: int) -> tuple[str, ...]:
        return self._keys.ready(shard), self._keys.ringed(shard), self._keys.busy(shard)

    async def _readable(self, jobs: list[RawJob]) -> list[TakenJob]:
        """The jobs a worker can do. The others are ended here: they would come back for ever."""
        taken: list[TakenJob] = []
        for raw_tenant, raw_id, raw_job, raw_digest, left_ms, deliveries, raw_waiter in jobs:
            tenant, job_id = TenantId(raw_tenant.decode()), raw_id.decode()
            digest = raw_digest.decode(errors="replace")
            try:
                job = unpack_job(raw_job)
            except Unreadable as error:
                log.warning("store.job_unreadable", tenant=tenant, entry=job_id, problem=str(error))
                await self._give_up(tenant, job_id, digest, unreadable_answer())
                continue
            if deliveries > DELIVERIES_MOST:
                log.error("store.job_poisoned", tenant=tenant, uniqueid=job.call_id, deliveries=deliveries)
                await self._give_up(tenant, job_id, digest, poisoned_answer(deliveries))
                continue
            first = _waiter_or_none(raw_waiter)
            taken.append(TakenJob(job_id, tenant, job, left_ms / 1000, deliveries, first))
        return taken

    async def _give_up(self, tenant: TenantId, job_id: str, digest: str, answer: Answer) -> None:
        """End a job that no worker shall do. Where that fails, reclaiming meets it again."""
        try:
            await self._end(tenant, job_id, digest, answer, kept_ms=0)
        except StoreError as error:
            log.warning("store.give_up_failed", tenant=tenant, entry=job_id, problem=str(error))

    async def _end(
        self,
        tenant: TenantId,
        job_id: str,
        digest: str,
        answer: Answer,
        kept_ms: int,
        told: Waiter | None = None,
    ) -> int:
        """How many waiters the job had; all but the one that is told already are told."""
        keys = self._keys
        raw_waiters = await self._scripts.run(
            "settle",
            (
                keys.cache(tenant, digest),
                keys.waiters(tenant, digest),
                keys.jobs(tenant),
                keys.busy(keys.shard(tenant)),
            ),
            job_id,
            pack_cached(answer, kept_ms) if kept_ms else b"",
            kept_ms,
            GROUP,
            tenant,
            int(answer.is_cacheable),
        )
        waiters = [waiter for raw in raw_waiters if (waiter := _waiter_or_none(raw)) is not None]
        await self._tell([waiter for waiter in waiters if waiter != told], answer)
        return len(waiters)

    async def _tell(self, waiters: list[Waiter], answer: Answer) -> None:
        """One entry for each router that waits, with the tokens of all its waiters."""
        tokens: defaultdict[RouterName, list[str]] = defaultdict(list)
        for waiter in waiters:
            tokens[waiter.router].append(waiter.token)
        packed = pack(answer)
        await _all_sent([self._add(router, pack(named), packed) for router, named in tokens.items()])

    def _add(self, router: RouterName, tokens: bytes, answer: bytes) -> "asyncio.Future[object]":
        key = self._keys.answers(router)
        capped = ("NOMKSTREAM", "MAXLEN", "~", ANSWERS_KEPT, "*")
        return self._batcher.submit(key, "XADD", key, *capped, "t", tokens, "a", answer)


async def _all_sent(sent: "list[asyncio.Future[object]]") -> None:
    for result in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(result, FOREIGN_ERRORS):
            raise translated(result, "the store's answer to a router") from result
        if isinstance(result, BaseException):
            raise result


def _waiter_or_none(raw: bytes) -> Waiter | None:
    """None for a refresh, which nobody waits for, and for what nobody can read."""
    if not raw:
        return None
    try:
        return unpack_waiter(raw)
    except Unreadable as error:
        log.warning("store.waiter_unreadable", problem=str(error))
        return None
