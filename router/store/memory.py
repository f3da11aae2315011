"""The store's twin in one process' memory: every seam, the same meanings, no server.

Tests of the engine and the workers run on it, and `tests/store` holds it to the suite that Redis passes. Time
is the event loop's own, so that a virtual clock moves the cache's ages and the deadlines too. `outage` makes
every call fail as a lost Redis does; `forget` is FLUSHALL.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from router.core.decisions import Decision
from router.core.identities import RouterName, TenantId
from router.core.lookups import Answer, Asked, CacheState, LookupJob, LookupKey, Waiter
from router.core.rules import Outcome
from router.store.cached import kept_seconds
from router.store.errors import StoreError, StoreOverloaded
from router.store.limits import (
    DELIVERIES_MOST,
    FLIGHT_SLACK_SECONDS,
    TAKE_WAIT_SECONDS,
    overloaded_text,
    poisoned_answer,
)
from router.store.memory_call_log import MemoryCallLog
from router.store.memory_crm_health import MemoryCrmHealth
from router.store.memory_errands import MemoryErrands
from router.store.memory_grants import MemoryGrantStore
from router.store.memory_leases import MemoryServerLeases
from router.store.memory_plans import MemoryPlanBoard
from router.store.memory_statuses import MemoryStatusBoard
from router.store.seams import DecisionPage, RecentDecisions, StoreHealth, TakenJob


@dataclass
class _Kept:
    """An answer in the cache."""

    answer: Answer
    written_at: float
    seconds: float


@dataclass
class _Flight:
    """A question under way: the job that carries it and who waits for it."""

    job_id: str
    deadline_at: float
    waiters: dict[Waiter, float] = field(default_factory=dict)


@dataclass
class _Entry:
    """A job on a tenant's queue, or in a worker's hands."""

    id: str
    job: LookupJob
    deadline_at: float
    delivered_at: float = 0.0
    deliveries: int = 0


class MemoryStore:
    """The one object behind all seams."""

    def __init__(self, jobs_kept: int = 10_000, decisions_kept: int = 10_000) -> None:
        self.outage: StoreError | None = None
        self.jobs_kept = jobs_kept
        self.lookups = MemoryLookupQueue(self)
        self.jobs = MemoryJobQueue(self)
        self.decisions = MemoryDecisionStream(self, decisions_kept)
        self.grants = MemoryGrantStore(self.check)
        self.crm_health = MemoryCrmHealth(self.check)
        self.errands = MemoryErrands(self.check)
        self.plans = MemoryPlanBoard(self.check)
        self.statuses = MemoryStatusBoard(self.check)
        self.leases = MemoryServerLeases(self.check)
        self.open_calls = self.call_log = self.call_log_desk = MemoryCallLog(self.check)
        self.cache: dict[LookupKey, _Kept] = {}
        self.flights: dict[LookupKey, _Flight] = {}
        self.waiting: OrderedDict[TenantId, deque[_Entry]] = OrderedDict()
        """The ring: tenants with jobs that nobody has taken, the next one to serve first."""
        self.held: dict[str, _Entry] = {}
        """Jobs in workers' hands."""
        self.readers: dict[RouterName, list[asyncio.Queue[tuple[str, Answer]]]] = {}
        self.has_work = asyncio.Event()
        self._jobs_named = 0

    def answers(self, router: RouterName) -> "MemoryAnswers":
        return MemoryAnswers(self, router)

    async def health(self) -> StoreHealth:
        self.check()
        return StoreHealth(
            server="memory",
            version="",
            mode="memory",
            role="master",
            nodes=1,
            appends_only=False,
            memory_policy="noeviction",
            time=time.time(),
            round_trip_ms=0.0,
        )

    async def aclose(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Lose everything, as FLUSHALL does."""
        self.cache.clear()
        self.flights.clear()
        self.waiting.clear()
        self.held.clear()
        self.decisions.forget()
        self.grants.clear()
        self.crm_health.clear()
        self.errands.clear()
        self.plans.clear()
        self.statuses.clear()
        self.leases.clear()
        self.call_log.clear()
        self.has_work.clear()

    def check(self) -> None:
        if self.outage is not None:
            raise self.outage

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def queued(self, tenant: TenantId) -> int:
        held = sum(entry.job.key.tenant == tenant for entry in self.held.values())
        return held + len(self.waiting.get(tenant, ()))

    def enqueue(self, job: LookupJob) -> _Flight:
        self._jobs_named += 1
        entry = _Entry(f"{self._jobs_named}-0", job, self.now() + job.budget_seconds)
        self.waiting.setdefault(job.key.tenant, deque()).append(entry)
        self.has_work.set()
        flight = self.flights.setdefault(job.key, _Flight(entry.id, entry.deadline_at))
        flight.job_id, flight.deadline_at = entry.id, entry.deadline_at
        return flight

    def flight_of(self, key: LookupKey) -> _Flight | None:
        """The question under way, unless its job has been dead for too long to be waited for."""
        flight = self.flights.get(key)
        if flight and self.now() > flight.deadline_at + FLIGHT_SLACK_SECONDS:
            return None
        return flight

    def deadline_of(self, entry: _Entry) -> float:
        """When the last of its waiters goes; long ago for a job whose question is settled."""
        flight = self.flights.get(entry.job.key)
        if flight is None or flight.job_id != entry.id:
            return float("-inf")
        return max([entry.deadline_at, *flight.waiters.values()])

    def end(self, entry: _Entry) -> None:
        """Forget a job, and the flight it carries."""
        self.held.pop(entry.id, None)
        flight = self.flights.get(entry.job.key)
        if flight and flight.job_id == entry.id:
            del self.flights[entry.job.key]

    def deliver(self, waiters: list[Waiter], answer: Answer) -> None:
        for waiter in waiters:
            for reader in self.readers.get(waiter.router, ()):
                reader.put_nowait((waiter.token, answer))


class MemoryLookupQueue:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        store = self._store
        store.check()
        flight = store.flight_of(job.key)
        cached = self._cached(job)
        if cached is not None:
            room = store.queued(job.key.tenant) < store.jobs_kept
            if cached.state is CacheState.STALE and flight is None and room:
                store.enqueue(job)
            return cached
        state = CacheState.JOINED
        if flight is None:
            if store.queued(job.key.tenant) >= store.jobs_kept:
                raise StoreOverloaded(overloaded_text(job.key.tenant, store.jobs_kept))
            flight, state = store.enqueue(job), CacheState.MISSING
        flight.waiters[waiter] = store.now() + job.budget_seconds
        return Asked(state)

    def _cached(self, job: LookupJob) -> Asked | None:
        kept = self._store.cache.get(job.key)
        if kept is None:
            return None
        age = self._store.now() - kept.written_at
        if age >= kept.seconds:
            del self._store.cache[job.key]
            return None
        is_fresh = kept.answer.outcome is Outcome.NOT_FOUND or age < job.cache.fresh_seconds
        return Asked(CacheState.FRESH if is_fresh else CacheState.STALE, kept.answer, age)


class MemoryAnswers:
    def __init__(self, store: MemoryStore, router: RouterName) -> None:
        self._store = store
        self._router = router

    async def read(self) -> AsyncIterator[tuple[str, Answer]]:
        inbox: asyncio.Queue[tuple[str, Answer]] = asyncio.Queue()
        readers = self._store.readers.setdefault(self._router, [])
        readers.append(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            readers.remove(inbox)


class MemoryJobQueue:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._expired_jobs = 0

    @property
    def expired_jobs(self) -> int:
        return self._expired_jobs

    async def take(self, most: int) -> list[TakenJob]:
        store = self._store
        if most <= 0:
            return []
        if store.outage is not None or not store.waiting:
            store.has_work.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TAKE_WAIT_SECONDS):
                    await store.has_work.wait()
        taken: list[TakenJob] = []
        while store.waiting and len(taken) < most and store.outage is None:
            entry = self._next()
            if store.deadline_of(entry) <= store.now():
                self._expired_jobs += 1
                store.end(entry)
            else:
                taken.append(self._hand_out(entry))
        return taken

    async def settle(self, taken: TakenJob, answer: Answer) -> int:
        store = self._store
        store.check()
        key = taken.job.key
        seconds = kept_seconds(taken.job, answer)
        if seconds > 0:
            store.cache[key] = _Kept(answer, store.now(), seconds)
        store.held.pop(taken.id, None)
        flight = store.flights.get(key)
        # An answer that is good for everybody also serves those who wait for a later job of the same key.
        if flight is None or (flight.job_id != taken.id and not answer.is_cacheable):
            return 0
        del store.flights[key]
        store.deliver(list(flight.waiters), answer)
        return len(flight.waiters)

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        store = self._store
        store.check()
        taken: list[TakenJob] = []
        for entry in list(store.held.values()):
            if store.now() - entry.delivered_at < idle_seconds:
                continue
            if store.deadline_of(entry) <= store.now():
                self._expired_jobs += 1
                store.end(entry)
                continue
            again = self._hand_out(entry)
            if again.deliveries > DELIVERIES_MOST:
                await self.settle(again, poisoned_answer(again.deliveries))
            else:
                taken.append(again)
        return taken

    def _next(self) -> _Entry:
        tenant, entries = self._store.waiting.popitem(last=False)
        entry = entries.popleft()
        if entries:
            self._store.waiting[tenant] = entries
        return entry

    def _hand_out(self, entry: _Entry) -> TakenJob:
        store = self._store
        entry.delivered_at = store.now()
        entry.deliveries += 1
        store.held[entry.id] = entry
        left = store.deadline_of(entry) - store.now()
        return TakenJob(entry.id, entry.job.key.tenant, entry.job, left, entry.deliveries)


class MemoryDecisionStream:
    def __init__(self, store: MemoryStore, kept: int) -> None:
        self._store = store
        self._kept: deque[tuple[str, Decision]] = deque(maxlen=kept)
        self._times: deque[float] = deque(maxlen=kept)
        self._recorded = 0
        self._seen: set[tuple[str, str, int]] = set()
        self._followers: list[asyncio.Queue[Decision]] = []

    def forget(self) -> None:
        self._kept.clear()
        self._times.clear()
        self._seen.clear()

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        self._store.check()
        parking = (decision.server, decision.call_id, decision.parking)
        if not is_only_witness and parking in self._seen:
            return
        self._seen.add(parking)
        self._recorded += 1
        self._kept.append((f"{self._recorded}-0", decision))
        self._times.append(self._store.now())
        for follower in self._followers:
            follower.put_nowait(decision)

    async def latest(self, most: int) -> list[Decision]:
        self._store.check()
        return [decision for _, decision in reversed(self._kept)][:most]

    async def after(self, last_id: str, most: int) -> DecisionPage:
        self._store.check()
        ids = [entry_id for entry_id, _ in self._kept]
        is_gone = bool(last_id) and last_id not in ids
        start = 0 if is_gone or not last_id else ids.index(last_id) + 1
        page = list(self._kept)[start : start + most]
        rest = "" if is_gone else last_id
        return DecisionPage(tuple(decision for _, decision in page), page[-1][0] if page else rest, is_gone)

    async def recent(self, last_id: str, seconds: float, most: int) -> RecentDecisions:
        self._store.check()
        ids = [entry_id for entry_id, _ in self._kept]
        start = ids.index(last_id) + 1 if last_id in ids else 0
        now = self._store.now()
        told = [
            (now - at, entry)
            for at, entry in list(zip(self._times, self._kept, strict=True))[start:]
            if now - at < seconds
        ][:most]
        rest = told[-1][1][0] if told else last_id
        aged = tuple((age, decision) for age, (_, decision) in told)
        return RecentDecisions(aged, rest, is_all=len(told) < most)

    def age(self, seconds: float) -> None:
        """Make everything recorded older."""
        self._times = deque((at - seconds for at in self._times), self._times.maxlen)

    async def follow(self) -> AsyncIterator[Decision]:
        inbox: asyncio.Queue[Decision] = asyncio.Queue()
        self._followers.append(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            self._followers.remove(inbox)

    async def find(self, call_id: str) -> list[Decision]:
        self._store.check()
        return [decision for _, decision in self._kept if decision.call_id == call_id]
