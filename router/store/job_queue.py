"""A worker's side of the queue, on Redis.

Each integration has a queue of its own, a lane, and the tenants with jobs stand in a ring: a worker takes
one job of the first, one of the next, and so on, so that a tenant with a backlog of thousands costs another
one a single turn. A free worker waits by moving the ring's head onto itself (`BLMOVE ready ready LEFT
LEFT`): nothing leaves the ring, so nothing is lost when the worker dies waiting.

A job is handed out only when its integration's allowance has room for it, over all workers; what must wait,
waits in Redis, where the newest call can still go first and where a breaker that opens ends the wait. When
a tenant has only jobs that must wait, its ring's worker is told for how long, and looks again then.

A job says by how long it has been in hand alone that its worker is dead, and worker processes that come and
go leave no names behind. What a dead worker held is taken over by the others' `reclaim`.
"""

import asyncio
from collections.abc import Iterator

import structlog
from msgspec import Struct

from router.core.breakers import PROBLEM_MOST, Verdict
from router.core.identities import TenantId
from router.core.lookups import Answer
from router.core.refusals import Refusal, Refused
from router.store.batches import Batcher
from router.store.cached import kept_seconds
from router.store.connections import Connections, Listener
from router.store.errors import StoreError
from router.store.keys import Keys
from router.store.limits import (
    DELIVERIES_MOST,
    TAKE_WAIT_SECONDS,
    poisoned_answer,
    refused_answer,
    stale_answer,
    unreadable_answer,
)
from router.store.packing import Unreadable, pack_cached, unpack_cached, unpack_job
from router.store.scripts import Scripts
from router.store.seams import NO_VERDICT, ROOM_FOR_ALL, Part, Room, TakenJob
from router.store.telling import Teller, all_sent, readable, waiter_or_none

log = structlog.get_logger(__name__)

TURNS_MOST = 256
"""Tenants looked at in one step: it bounds how long the script keeps Redis busy with jobs that nobody waits
for."""
RECLAIM_TENANTS = 256
RECLAIM_JOBS = 16
PAUSE_SECONDS = 0.1
ROOM_PAUSE_SECONDS = 0.02
"""While there are only jobs of tenants that this worker has no room for."""
SETTLED_KEPT = 1_000

RawJob = tuple[bytes, bytes, bytes, bytes, int, int, bytes, bytes]
"""Tenant, id, job, digest, milliseconds left, deliveries, first waiter, integration."""
RawRefusal = tuple[bytes, bytes, int, int, list[bytes]]
"""Tenant, why, failures, milliseconds to the next try, waiters."""


class _Shard:
    """One ring, and the connection that waits at it."""

    def __init__(self, number: int, connections: Connections, keys: Keys) -> None:
        self.number = number
        self.ready = keys.ready(number)
        self.has_work = False
        self.is_watched = asyncio.Event()
        self.is_watched.set()
        self.listener = Listener(connections, self.ready)
        self.next_look: asyncio.TimerHandle | None = None


class RedisJobQueue:
    def __init__(
        self, connections: Connections, batcher: Batcher, scripts: Scripts, keys: Keys, teller: Teller
    ) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys
        self._teller = teller
        self._shards = [_Shard(number, connections, keys) for number in range(keys.shards)]
        self._first = 0
        self._has_work = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self._expired_jobs = 0
        self._refused_jobs = 0
        self._settled_ids: dict[str, None] = {}

    @property
    def expired_jobs(self) -> int:
        return self._expired_jobs

    @property
    def refused_jobs(self) -> int:
        return self._refused_jobs

    async def take(self, most: int, room: Room = ROOM_FOR_ALL) -> list[TakenJob]:
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
                taken += await self._take_from(shard, most - len(taken), room)
        if not any(shard.has_work for shard in self._shards):
            self._has_work.clear()
        elif not taken and (room.left or room.left_lanes):
            await asyncio.sleep(ROOM_PAUSE_SECONDS)
        return taken

    async def settle(
        self, taken: TakenJob, answer: Answer, verdict: Verdict = NO_VERDICT, part: Part = Part.WHOLE
    ) -> int:
        """See the seam. The answer is cached and the job ended in one step; then the waiters are told.

        Whoever put the question is told in the same moment, not after it: most questions have one waiter,
        who would pay a round trip for nothing. A worker that dies in between costs only the other waiters
        their better destination, and the next call of the same number finds the answer in the cache. A
        failure is told after it, for an old answer may stand in for it.
        """
        kept_ms = round(kept_seconds(taken.job, answer) * 1000)
        first = taken.first_waiter if self._is_news(taken) and answer.is_cacheable else None
        told = self._teller.send([first], answer) if first else []
        key, expected = taken.job.key, taken.job.allowance.requests_per_lookup
        place = _Place(taken.tenant, taken.id, key.integration, key.digest())
        try:
            ended, old = await self._end(place, answer, verdict, kept_ms, expected, part)
        finally:
            await all_sent(told)
        waiters = readable(ended)
        others = [waiter for waiter in waiters if waiter != first]
        await all_sent(self._teller.send(others, _best(answer, old)))
        return len(waiters)

    def _is_news(self, taken: TakenJob) -> bool:
        """Whether nobody can have settled this job before: a late worker's answer tells nobody by itself."""
        is_news = taken.deliveries == 1 and taken.id not in self._settled_ids
        self._settled_ids[taken.id] = None
        if len(self._settled_ids) > SETTLED_KEPT:
            del self._settled_ids[next(iter(self._settled_ids))]
        return is_news

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        taken: list[TakenJob] = []
        problem: StoreError | None = None
        for shard in self._shards:
            try:
                taken += await self._reclaim_from(shard, idle_seconds)
            except StoreError as error:
                # On a Cluster the other shards' masters may be well, and what was taken over is in our hands.
                problem = error
        if problem is not None and not taken:
            raise problem
        return taken

    async def _reclaim_from(self, shard: _Shard, idle_seconds: float) -> list[TakenJob]:
        keys, idle_ms = self._keys.queue(shard.number), round(idle_seconds * 1000)
        expired, rung, jobs = await self._scripts.run("reclaim", keys, idle_ms, RECLAIM_TENANTS, RECLAIM_JOBS)
        self._expired_jobs += expired
        if rung:
            log.warning("store.tenants_rung_again", tenants=rung)
        return await self._readable(jobs)

    async def aclose(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        for shard in self._shards:
            if shard.next_look is not None:
                shard.next_look.cancel()
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
                    shard.is_watched.clear()
                    self._look(shard)
        finally:
            await shard.listener.close()

    def _look(self, shard: _Shard) -> None:
        shard.has_work = True
        self._has_work.set()

    async def _take_from(self, shard: _Shard, most: int, room: Room) -> list[TakenJob]:
        try:
            expired, rung, jobs, refused, wait_ms = await self._scripts.run(
                "take",
                self._keys.queue(shard.number),
                most,
                TURNS_MOST,
                min(room.each, most),
                min(room.each_lane, most),
                *_less(room),
            )
        except StoreError as error:
            log.warning("store.take_failed", problem=str(error))
            shard.has_work = False
            # Behind a pause, for a server may only refuse; meanwhile the other shards have their turn.
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._watch_again, shard)
            return []
        self._expired_jobs += expired
        if not rung:
            self._watch_again(shard)
        self._look_later(shard, wait_ms)
        self._tell(refused)
        return await self._readable(jobs)

    def _look_later(self, shard: _Shard, wait_ms: int) -> None:
        if shard.next_look is not None:
            shard.next_look.cancel()
            shard.next_look = None
        if wait_ms >= 0:
            loop = asyncio.get_running_loop()
            shard.next_look = loop.call_later(wait_ms / 1000, self._look, shard)

    def _tell(self, refused: list[RawRefusal]) -> None:
        self._refused_jobs += len(refused)
        for tenant, why, failures, wait_ms, waiters in refused:
            log.debug("lookup.refused", tenant=tenant.decode(), why=why.decode(), waiters=len(waiters))
            answer = refused_answer(Refused(Refusal(why.decode()), failures, wait_ms / 1000))
            self._teller.tell_soon(waiters, answer)

    def _watch_again(self, shard: _Shard) -> None:
        shard.has_work = False
        shard.is_watched.set()

    async def _readable(self, jobs: list[RawJob]) -> list[TakenJob]:
        """The jobs a worker can do. The others are ended here: they would come back for ever."""
        taken: list[TakenJob] = []
        for raw_tenant, raw_id, raw_job, digest, left_ms, deliveries, raw_waiter, lane in jobs:
            place = _Place(TenantId(raw_tenant.decode()), raw_id.decode(), lane, digest)
            try:
                job = unpack_job(raw_job)
            except Unreadable as error:
                named = {"tenant": place.tenant, "entry": place.job_id}
                log.warning("store.job_unreadable", problem=str(error), **named)
                await self._give_up(place, unreadable_answer())
                continue
            if deliveries > DELIVERIES_MOST:
                named = {"tenant": place.tenant, "uniqueid": job.call_id}
                log.error("store.job_poisoned", deliveries=deliveries, **named)
                await self._give_up(place, poisoned_answer(deliveries))
                continue
            first = waiter_or_none(raw_waiter)
            taken.append(TakenJob(place.job_id, place.tenant, job, left_ms / 1000, deliveries, first))
        return taken

    async def _give_up(self, place: "_Place", answer: Answer) -> None:
        """End a job that no worker shall do. Where that fails, reclaiming meets it again."""
        try:
            waiters, old = await self._end(place, answer, NO_VERDICT)
            await all_sent(self._teller.send(readable(waiters), _best(answer, old)))
        except StoreError as error:
            log.warning("store.give_up_failed", tenant=place.tenant, entry=place.job_id, problem=str(error))

    async def _end(
        self,
        place: "_Place",
        answer: Answer,
        verdict: Verdict,
        kept_ms: int = 0,
        requests_expected: int = 0,
        part: Part = Part.WHOLE,
    ) -> tuple[list[bytes], bytes]:
        """The job's waiters, and an old answer that can stand in for a failure."""
        sent = verdict.requests
        waiters, old, turned = await self._scripts.run(
            "settle",
            self._keys.queue(self._keys.shard(place.tenant)),
            place.job_id,
            place.tenant,
            place.lane,
            place.digest,
            pack_cached(answer, kept_ms) if kept_ms else b"",
            kept_ms,
            int(answer.is_cacheable),
            verdict.health,
            verdict.problem[:PROBLEM_MOST],
            0 if sent is None else sent - requests_expected,
            round(verdict.paused_seconds * 1000),
            part.value,
        )
        if turned:
            self._log_breaker(place, turned == b"opened", verdict.problem)
        return waiters, old

    def _log_breaker(self, place: "_Place", is_open: bool, problem: str) -> None:
        lane = place.lane if isinstance(place.lane, str) else place.lane.decode(errors="replace")
        if is_open:
            log.warning("crm.left_alone", tenant=place.tenant, integration=lane, problem=problem[:256])
        else:
            log.info("crm.answers_again", tenant=place.tenant, integration=lane)


class _Place(Struct, frozen=True):
    """Where a job stands, known of those that cannot be read as well."""

    tenant: TenantId
    job_id: str
    lane: str | bytes
    digest: str | bytes


def _less(room: Room) -> Iterator[str | int]:
    """Each name with less room than others, and how much it has; no tenant's name has a colon."""
    for tenant, left in room.left.items():
        yield from (tenant, left)
    for (tenant, integration), left in room.left_lanes.items():
        yield from (f"{tenant}:{integration}", left)


def _best(answer: Answer, old: bytes) -> Answer:
    """An answer that came meanwhile serves better than a failure."""
    try:
        return stale_answer(unpack_cached(old), answer) if old else answer
    except Unreadable:
        return answer
