"""What the engine, the workers and the command line may ask of the store, and nothing more.

Two things stand behind these seams: Redis (`router.store.redis_store`) and its twin in one process' memory
(`router.store.memory`), which serves tests. The same test suite holds both.

A question travels so: a router `ask`s with a job and a waiter; the cache answers at once, or the job waits on
its tenant's queue, where every further question with the same key joins it; a worker `take`s it and `settle`s
it with an answer; that answer reaches each waiter's router through its `Answers`, as (token, answer).

All of it is at-least-once: a look-up only reads, and a call is moved once because it is claimed on the
channel.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from router.core.decisions import Decision
from router.core.identities import RouterName, TenantId
from router.core.lookups import Answer, Asked, LookupJob, Waiter


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


class LookupQueue(Protocol):
    """A router's side of look-ups."""

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        """The cached answer, or the promise of one for the waiter.

        Asking again with the same waiter changes nothing. Raises `StoreUnavailable`, `StoreOverloaded`.
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

    async def take(self, most: int) -> list[TakenJob]:
        """Wait at most about two seconds for work and take up to `most` jobs, tenants in turn.

        It may return none, and does so while the store is away: call it again.
        """

    async def settle(self, taken: TakenJob, answer: Answer) -> int:
        """Cache the answer, end the job and answer its waiters; how many they were.

        Settling what somebody else has settled changes nothing. Raises `StoreError`.
        """

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        """Take over the jobs that their workers have held for longer than this. Raises `StoreError`."""


class DecisionStream(Protocol):
    """The latest decisions, newest kept."""

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        """Keep a decision. Raises `StoreError`.

        A router that did not win the claim is not the only witness: each router on that server sees the same
        end, and the first to record it is enough.
        """

    async def latest(self, most: int) -> list[Decision]:
        """Newest first. Raises `StoreError`."""

    def follow(self) -> AsyncIterator[Decision]:
        """Each decision recorded from this moment on, for ever; it outlives outages of the store."""

    async def find(self, call_id: str) -> list[Decision]:
        """All that is kept of one call, oldest first. Raises `StoreError`."""


class Store(Protocol):
    """One store for one process. Opening it needs no server; closing it ends every wait."""

    @property
    def lookups(self) -> LookupQueue: ...

    @property
    def jobs(self) -> JobQueue: ...

    @property
    def decisions(self) -> DecisionStream: ...

    def answers(self, router: RouterName) -> Answers: ...

    async def health(self) -> StoreHealth:
        """Ask the server about itself. Raises `StoreError`."""

    async def aclose(self) -> None: ...
