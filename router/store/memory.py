"""The store's twin in one process' memory: every seam, the same meanings, no server.

Tests of the engine and the workers run on it, and `tests/store` holds it to the suite that Redis passes. Time
is the event loop's own, so that a virtual clock moves the cache's ages and the deadlines too. `outage` makes
every call fail as a lost Redis does; `forget` is FLUSHALL.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from router.core.identities import RouterName
from router.core.lookups import Answer, LookupKey
from router.store.errors import StoreError
from router.store.memory_call_log import MemoryCallLog
from router.store.memory_crm_health import MemoryCrmHealth
from router.store.memory_decisions import MemoryDecisionStream
from router.store.memory_errands import MemoryErrands
from router.store.memory_grants import MemoryGrantStore
from router.store.memory_jobs import MemoryJobQueue
from router.store.memory_lanes import Flight, Kept, MemoryLanes
from router.store.memory_leases import MemoryServerLeases
from router.store.memory_lookups import MemoryLookupQueue
from router.store.memory_plans import MemoryPlanBoard
from router.store.memory_statuses import MemoryStatusBoard
from router.store.seams import StoreHealth


class MemoryStore:
    """The one object behind all seams."""

    def __init__(self, jobs_kept: int = 10_000, decisions_kept: int = 10_000) -> None:
        self.outage: StoreError | None = None
        self.lanes = MemoryLanes(self.check, jobs_kept)
        self.lookups = MemoryLookupQueue(self.lanes)
        self.jobs = MemoryJobQueue(self.lanes)
        self.decisions = MemoryDecisionStream(self.check, decisions_kept)
        self.grants = MemoryGrantStore(self.check)
        self.crm_health = MemoryCrmHealth(self.check)
        self.errands = MemoryErrands(self.check)
        self.plans = MemoryPlanBoard(self.check)
        self.statuses = MemoryStatusBoard(self.check)
        self.leases = MemoryServerLeases(self.check)
        self.open_calls = self.call_log = self.call_log_desk = MemoryCallLog(self.check)

    @property
    def cache(self) -> dict[LookupKey, Kept]:
        return self.lanes.cache

    @property
    def flights(self) -> dict[LookupKey, Flight]:
        return self.lanes.flights

    def answers(self, router: RouterName) -> "MemoryAnswers":
        return MemoryAnswers(self.lanes, router)

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
        self.lanes.forget()
        self.decisions.forget()
        self.grants.clear()
        self.crm_health.clear()
        self.errands.clear()
        self.plans.clear()
        self.statuses.clear()
        self.leases.clear()
        self.call_log.clear()

    def check(self) -> None:
        if self.outage is not None:
            raise self.outage


class MemoryAnswers:
    def __init__(self, lanes: MemoryLanes, router: RouterName) -> None:
        self._lanes = lanes
        self._router = router

    async def read(self) -> AsyncIterator[tuple[str, Answer]]:
        inbox: asyncio.Queue[tuple[str, Answer]] = asyncio.Queue()
        readers = self._lanes.readers.setdefault(self._router, [])
        readers.append(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            readers.remove(inbox)
