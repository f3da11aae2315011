"""What the engine, the workers and the command line may ask of the store, and nothing more.

Two things stand behind these seams: Redis (`router.store.redis_store`) and its twin in one process' memory
(`router.store.memory`), which serves tests. The same test suite holds both.

A question travels so: a router `ask`s with a job and a waiter; the cache answers at once, or the job waits
on its integration's queue, where every further question with the same key joins it; a worker `take`s it and
`settle`s it with an answer; that answer reaches each waiter's router through its `Answers`, as (token,
answer).

All of it is at-least-once: a look-up only reads, and a call is moved once because it is claimed on the
channel.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from router.core.breakers import Verdict
from router.core.crm_states import AskedFor, LastAsked
from router.core.decisions import Decision
from router.core.errands import AnyErrand, Reply
from router.core.identities import IntegrationName, RouterName, TenantId
from router.core.lookups import Answer, Asked, LookupJob, Waiter
from router.store.call_log_seam import CallLogDesk, CallLogQueue, OpenCalls
from router.store.lane_seam import Lanes
from router.store.lease_seam import ServerLeases
from router.store.plan_seam import PlanBoard
from router.store.status_seam import StatusBoard


class TakenJob(Struct, frozen=True):
    """A job in a worker's hands."""

    id: str
    """The queue's own name for it; opaque."""
    tenant: TenantId
    job: LookupJob
    seconds_left: float
    """Until the last of its waiters stops waiting, by the store's clock, at the moment it was taken."""
    deliveries: int
    """How often it was handed out; above one, a worker died or was too slow with it."""
    first_waiter: Waiter | None = None
    """Who put the question; None for a refresh. It is told the answer before the job is ended."""


class StoreHealth(Struct, frozen=True, kw_only=True):
    """What an operator should know of the server behind the store."""

    server: str
    """`redis`, `valkey` or `memory`."""
    version: str
    mode: str
    """`standalone`, `sentinel`, `cluster`, `embedded` or `memory`."""
    role: str
    """`master` is the only one that can serve."""
    nodes: int
    """Masters behind the address."""
    appends_only: bool
    """Changes are kept in an append-only file; without it a restart forgets jobs, cache and decisions."""
    memory_policy: str
    """`noeviction` and the `volatile-` ones keep jobs; the `allkeys-` ones may throw them away."""
    time: float
    """Seconds since the epoch, by the server's clock."""
    round_trip_ms: float


class Part(StrEnum):
    """What of a look-up is settled."""

    WHOLE = "whole"
    IN_TIME = "in time"
    """Its callers' part; it goes on for the cache alone."""
    LATE = "late"


LaneName = tuple[TenantId, IntegrationName]


class Room(Struct, frozen=True):
    """How much a worker can take, so that no tenant fills all of its slots and no CRM all of a tenant's."""

    each: int = 1_000_000
    """Jobs of one tenant."""
    each_lane: int = 1_000_000
    """Jobs of one of its integrations."""
    left: dict[TenantId, int] = {}
    """Of tenants with less room than that, because jobs of them are in hand."""
    left_lanes: dict[LaneName, int] = {}

    def of(self, tenant: TenantId) -> int:
        return self.left.get(tenant, self.each)

    def of_lane(self, lane: LaneName) -> int:
        return self.left_lanes.get(lane, self.each_lane)


ROOM_FOR_ALL = Room()
NO_VERDICT = Verdict()


class LookupQueue(Protocol):
    """A router's side of look-ups."""

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        """The cached answer, the promise of one for the waiter, or at once why the CRM is not asked.

        Asking again with the same waiter changes nothing. A queue that is full loses the oldest job of this
        integration, whose callers are told. Raises `StoreUnavailable`, `StoreOverloaded`.
        """


class Answers(Protocol):
    """A router's own stream of answers."""

    def read(self) -> AsyncIterator[tuple[str, Answer]]:
        """Each waiter's token with its answer, for ever; one reader per router process.

        It outlives outages of the store. An answer may come twice, late, or for an earlier process' token.
        """


class JobQueue(Protocol):
    """A worker's side of look-ups."""

    @property
    def expired_jobs(self) -> int:
        """Jobs this worker found with nobody left to wait for them, and dropped."""

    @property
    def refused_jobs(self) -> int:
        """Jobs this worker found that nobody may or can look up in time, and told their callers."""

    async def take(self, most: int, room: Room = ROOM_FOR_ALL) -> list[TakenJob]:
        """Wait at most about two seconds for work and take up to `most` jobs, tenants in turn.

        Only what its integration's allowance and breaker have room for is handed out, over all workers. It
        may return none, and does so while the store is away: call it again.
        """

    async def settle(
        self, taken: TakenJob, answer: Answer, verdict: Verdict = NO_VERDICT, part: Part = Part.WHOLE
    ) -> int:
        """Cache the answer, end the job, note what it tells of its CRM, and answer its waiters; how many
        they were.

        Where it failed, an answer in the cache stands in for it. Settling what somebody else has settled
        changes nothing. A look-up that goes on for the cache alone is settled twice: in time, after which it
        still counts as in flight, and late, when it tells of its CRM. Raises `StoreError`.
        """

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        """Take over the jobs that their workers have held for longer than this. Raises `StoreError`."""


class DecisionPage(Struct, frozen=True):
    """A stretch of the decision stream, the oldest first."""

    decisions: tuple[Decision, ...]
    """Entries that nobody can read are left out."""
    last_id: str
    """Where the next page begins. The same as before: there is nothing new."""
    was_cut: bool = False
    """The entry to begin after is gone, and others may be gone with it."""


class RecentDecisions(Struct, frozen=True):
    """What was recorded a moment ago."""

    decisions: tuple[tuple[float, Decision], ...]
    """Each with the seconds since it was recorded, by the store's clock; the oldest first."""
    last_id: str
    """For the next reading."""
    is_all: bool
    """False: there is more, and it may be read at once."""


class DecisionStream(Protocol):
    """The latest decisions, newest kept."""

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        """Keep a decision. Raises `StoreError`.

        A router that did not win the claim is not the only witness: each router on that server sees the same
        end, and the first to record it is enough.
        """

    async def latest(self, most: int) -> list[Decision]:
        """Newest first. Raises `StoreError`."""

    async def after(self, last_id: str, most: int) -> DecisionPage:
        """Up to `most` entries recorded after that one; with "" from the oldest that is kept.

        Where that one is gone, because the stream dropped it or was lost and began anew, it begins with the
        oldest as well: a reader then may meet decisions again, and misses none that is there. It returns at
        once. Raises `StoreError`.
        """

    async def recent(self, last_id: str, seconds: float, most: int) -> RecentDecisions:
        """Up to `most` entries after that one that were recorded in the last so many seconds.

        With "" all of these. What is older is passed over, and so nobody waits for a long way through it.
        It returns at once. Raises `StoreError`.
        """

    def follow(self) -> AsyncIterator[Decision]:
        """Each decision recorded from this moment on, for ever; it outlives outages of the store."""

    async def find(self, call_id: str) -> list[Decision]:
        """All that is kept of one call, oldest first. Raises `StoreError`."""


class StoredGrant(Struct, frozen=True):
    """What signing in to a CRM brought, sealed. `router.store` cannot read it."""

    sealed: bytes
    """Empty when there is only a problem."""
    serial: int
    """Counts the sign-ins; a lower one is older, and is never written over a higher one."""
    lives_seconds: float | None
    """How long the token lives from its sign-in on; None when nobody knows."""
    left_seconds: float | None
    """How much of that is left, by the store's clock; 0 when it is over, None when nobody knows."""
    problem: str = ""
    """Why the last attempt to sign in failed; empty when it worked."""
    problem_age_seconds: float = 0.0
    problem_since_seconds: float = 0.0
    """Since the first of the attempts that failed in a row."""


class GrantStore(Protocol):
    """Grants of a tenant's integrations, shared by all workers. `name` is the grant's own, without spaces."""

    async def read(self, tenant: TenantId, name: str) -> StoredGrant | None:
        """Raises `StoreError`."""

    async def begin(self, tenant: TenantId, name: str, holder: str, seconds: float) -> bool:
        """Become the one who signs in, for so long at the most. Raises `StoreError`."""

    async def write(
        self, tenant: TenantId, name: str, sealed: bytes, serial: int, lives_seconds: float | None
    ) -> bool:
        """Keep a newer grant, and forget the problem; False when there is one as new. Raises `StoreError`."""

    async def note_problem(self, tenant: TenantId, name: str, problem: str) -> None:
        """Raises `StoreError`."""

    async def end(self, tenant: TenantId, name: str, holder: str) -> None:
        """Let others sign in. Raises `StoreError`."""

    async def forget(self, tenant: TenantId, name: str) -> None:
        """Raises `StoreError`."""


class TakenErrand(Struct, frozen=True):
    """An errand in a worker's hands."""

    id: str
    errand: AnyErrand
    seconds_left: float
    """Until its asker stops waiting."""


class CrmHealthStore(Protocol):
    """How each integration's CRM did when a worker asked it last. `revision` is that of its settings."""

    async def note(
        self, tenant: TenantId, integration: IntegrationName, revision: str, purpose: AskedFor, problem: str
    ) -> None:
        """`problem` is empty when it answered. Raises `StoreError`."""

    async def read(self, tenant: TenantId, integration: IntegrationName, revision: str) -> LastAsked | None:
        """None when nobody has asked with these settings. Raises `StoreError`."""


class Errands(Protocol):
    """What a person asks of a CRM through any worker; nothing is kept for later."""

    async def run(self, errand: AnyErrand, seconds: float) -> Reply | None:
        """The reply, or None when no worker gave one in time. Raises `StoreError`."""

    async def take(self) -> TakenErrand | None:
        """Wait at most about two seconds for one. Raises `StoreError`."""

    async def reply(self, taken: TakenErrand, reply: Reply) -> None:
        """Raises `StoreError`."""

    async def keep_sign_in(self, state: str, sealed: bytes, seconds: float) -> None:
        """Keep what a person's sign-in needs when the browser comes back. Raises `StoreError`."""

    async def kept_sign_in(self, state: str) -> bytes | None:
        """Raises `StoreError`."""

    async def take_sign_in(self, state: str) -> bytes | None:
        """The same for one alone of those who ask: it is gone then. Raises `StoreError`."""

    async def end_sign_in(self, state: str) -> None:
        """Raises `StoreError`."""


class Store(Protocol):
    """One store for one process. Opening it needs no server; closing it ends every wait."""

    @property
    def lookups(self) -> LookupQueue: ...

    @property
    def jobs(self) -> JobQueue: ...

    @property
    def lanes(self) -> Lanes: ...

    @property
    def decisions(self) -> DecisionStream: ...

    @property
    def grants(self) -> GrantStore: ...

    @property
    def crm_health(self) -> CrmHealthStore: ...

    @property
    def errands(self) -> Errands: ...

    @property
    def open_calls(self) -> OpenCalls: ...

    @property
    def call_log(self) -> CallLogQueue: ...

    @property
    def call_log_desk(self) -> CallLogDesk: ...

    @property
    def plans(self) -> PlanBoard: ...

    @property
    def statuses(self) -> StatusBoard: ...

    @property
    def leases(self) -> ServerLeases: ...

    def answers(self, router: RouterName) -> Answers: ...

    async def health(self) -> StoreHealth:
        """Ask the server about itself. Raises `StoreError`."""

    async def aclose(self) -> None: ...
