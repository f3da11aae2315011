"""What look-ups keep in one process' memory: the cache, questions under way, jobs, and each integration's
lane.

`memory_lookups` and `memory_jobs` are the two sides of it; what is decided of a breaker or an allowance is
decided in `router.core`, as the scripts of the store on Redis do it. A lane's jobs stand in the order of
their newest question.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from router.core.allowances import Allowance, Spent, seconds_to_wait, spend
from router.core.breakers import CLOSED, Breaker, BreakerState, Verdict, noted, refusal_of, with_probe
from router.core.identities import IntegrationName, RouterName, TenantId
from router.core.lookups import Answer, LookupJob, LookupKey, Waiter
from router.core.refusals import Refusal, Refused
from router.store.limits import FLIGHT_SLACK_SECONDS, HOPELESS_SECONDS
from router.store.seams import LaneName


@dataclass
class Kept:
    """An answer in the cache."""

    answer: Answer
    written_at: float
    seconds: float


@dataclass
class Flight:
    """A question under way: the job that carries it and who waits for it."""

    job_id: str
    deadline_at: float
    waiters: dict[Waiter, float] = field(default_factory=dict)


@dataclass
class Entry:
    """A job on its lane, or in a worker's hands."""

    id: str
    job: LookupJob
    deadline_at: float
    asked_at: float
    """The newest question's moment."""
    first_waiter: Waiter | None
    delivered_at: float = 0.0
    deliveries: int = 0


@dataclass
class Lane:
    waiting: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    held: dict[str, Entry] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)
    """Jobs that are settled, and still asked about for the cache alone; and since when."""
    breaker: Breaker = CLOSED
    spent: Spent = field(default_factory=Spent)

    @property
    def in_flight(self) -> int:
        return len(self.held) + len(self.late)

    def refusal(self, now: float, until: float, job_id: str = "") -> Refused | None:
        """Why a job that is waited for `until` then may not be looked up."""
        if (refused := refusal_of(self.breaker, now, job_id)) is not None:
            return refused
        paused = self.spent.paused_until
        if paused > now and paused >= until - HOPELESS_SECONDS:
            return Refused(Refusal.PAUSED, wait_seconds=paused - now)
        return None

    def become_probe(self, job_id: str, until: float) -> None:
        if self.breaker.is_open:
            self.breaker = with_probe(self.breaker, job_id, until)

    def note(self, job_id: str, verdict: Verdict, now: float) -> None:
        self.breaker = noted(self.breaker, job_id, verdict, now, random.random())  # noqa: S311 - no secret

    def spend_more(self, allowance: Allowance, verdict: Verdict, now: float) -> None:
        """What a look-up needed beyond what was expected, or less."""
        sent, expected = verdict.requests, allowance.requests_per_lookup
        more = 0 if sent is None else sent - expected
        self.spent = spend(self.spent, allowance, more, now)

    def pause(self, until: float) -> None:
        self.spent = replace(self.spent, paused_until=max(until, self.spent.paused_until))


class MemoryLanes:
    def __init__(self, check: Callable[[], None], jobs_kept: int) -> None:
        self.check = check
        self.jobs_kept = jobs_kept
        self.cache: dict[LookupKey, Kept] = {}
        self.flights: dict[LookupKey, Flight] = {}
        self.readers: dict[RouterName, list[asyncio.Queue[tuple[str, Answer]]]] = {}
        self.has_work = asyncio.Event()
        self._lanes: dict[LaneName, Lane] = {}
        self.turns: OrderedDict[TenantId, OrderedDict[IntegrationName, None]] = OrderedDict()
        """Tenants with jobs that wait, the next one to serve first; and of each, its integrations
        likewise.
        """
        self._jobs_named = 0

    async def pause(self, tenant: TenantId, integration: IntegrationName, seconds: float) -> None:
        self.check()
        self.lane(tenant, integration).pause(self.now() + seconds)

    async def spend(
        self, tenant: TenantId, integration: IntegrationName, allowance: Allowance, requests: int
    ) -> float:
        self.check()
        lane, interval = self.lane(tenant, integration), allowance.interval_seconds
        even = replace(allowance, requests_per_lookup=allowance.burst)
        wait = seconds_to_wait(lane.spent, even, self.now())
        if wait > 0:
            return wait
        if interval and lane.waiting:
            return interval
        lane.spent = spend(lane.spent, allowance, requests, self.now())
        return 0.0

    async def state(self, tenant: TenantId, integration: IntegrationName) -> BreakerState:
        self.check()
        lane, now = self.lane(tenant, integration), self.now()
        breaker = lane.breaker
        return BreakerState(
            failures=breaker.failures,
            problem=breaker.problem,
            is_open=breaker.is_open,
            open_seconds=now - breaker.opened_at if breaker.is_open else 0.0,
            retry_seconds=max(breaker.retry_at - now, 0.0) if breaker.is_open else 0.0,
            paused_seconds=max(lane.spent.paused_until - now, 0.0),
            waiting=len(lane.waiting),
            in_flight=lane.in_flight,
        )

    def forget(self) -> None:
        self.cache.clear()
        self.flights.clear()
        self._lanes.clear()
        self.turns.clear()
        self.has_work.clear()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def lane(self, tenant: TenantId, integration: IntegrationName) -> Lane:
        return self._lanes.setdefault((tenant, integration), Lane())

    def lane_of(self, key: LookupKey) -> Lane:
        return self.lane(key.tenant, key.integration)

    def lanes(self) -> list[Lane]:
        return list(self._lanes.values())

    def queued(self, tenant: TenantId) -> int:
        """Jobs of a tenant, taken or not."""
        own = [lane for (owner, _), lane in self._lanes.items() if owner == tenant]
        return sum(len(lane.waiting) + len(lane.held) for lane in own)

    def all_queued(self) -> int:
        return sum(len(lane.waiting) + len(lane.held) for lane in self._lanes.values())

    def enqueue(self, job: LookupJob, waiter: Waiter | None) -> Flight:
        self._jobs_named += 1
        now = self.now()
        entry = Entry(f"{self._jobs_named}-0", job, now + job.budget_seconds, now, waiter)
        lane = self.lane_of(job.key)
        lane.waiting[entry.id] = entry
        lane.become_probe(entry.id, entry.deadline_at)
        self.ring(job.key)
        flight = self.flights.setdefault(job.key, Flight(entry.id, entry.deadline_at))
        flight.job_id, flight.deadline_at = entry.id, entry.deadline_at
        return flight

    def ring(self, key: LookupKey) -> None:
        self.turns.setdefault(key.tenant, OrderedDict()).setdefault(key.integration, None)
        self.has_work.set()

    def deadline_of(self, entry: Entry) -> float:
        """When the last of its waiters goes; long ago for a job whose question is settled."""
        flight = self.flights.get(entry.job.key)
        if flight is None or flight.job_id != entry.id:
            return float("-inf")
        return max([entry.deadline_at, *flight.waiters.values()])

    def flight_of(self, key: LookupKey) -> Flight | None:
        """The question under way, unless its job has been dead for too long to be waited for."""
        flight = self.flights.get(key)
        if flight and self.now() > flight.deadline_at + FLIGHT_SLACK_SECONDS:
            return None
        return flight

    def dismiss(self, entry: Entry, answer: Answer | None = None) -> None:
        """Forget a job with the flight it carries; its waiters are told, if there is anything to tell."""
        lane = self.lane_of(entry.job.key)
        lane.waiting.pop(entry.id, None)
        lane.held.pop(entry.id, None)
        flight = self.flights.get(entry.job.key)
        if flight and flight.job_id == entry.id:
            del self.flights[entry.job.key]
            if answer is not None:
                self.deliver(flight.waiters, answer)

    def deliver(self, waiters: Iterable[Waiter], answer: Answer) -> None:
        for waiter in waiters:
            for reader in self.readers.get(waiter.router, ()):
                reader.put_nowait((waiter.token, answer))
