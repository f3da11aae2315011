"""A router's questions, on Redis: one script reads the cache or puts the job on its tenant's queue.

Two hundred calls of one number are one job: a flight carries the question, and whoever asks meanwhile joins
it. Its deadline is reckoned by Redis's clock from the budget, so that no other clock matters.
"""

import structlog

from router.core.lookups import Asked, CacheState, LookupJob, Waiter
from router.store.batches import Batcher
from router.store.errors import StoreOverloaded
from router.store.keys import Keys
from router.store.limits import FLIGHT_SLACK_SECONDS, JOBS_IDLE_SECONDS, overloaded_text
from router.store.packing import Unreadable, pack, unpack_cached
from router.store.scripts import Scripts

log = structlog.get_logger(__name__)


class RedisLookupQueue:
    def __init__(self, batcher: Batcher, scripts: Scripts, keys: Keys, jobs_kept: int) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys
        self._jobs_kept = jobs_kept

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        digest = job.key.digest()
        asked = await self._ask(job, waiter, digest)
        if asked is None:
            # An answer that nobody can read is no answer.
            await self._batcher.call(*self._forget(job, digest))
            asked = await self._ask(job, waiter, digest)
        return asked or Asked(CacheState.MISSING)

    def _forget(self, job: LookupJob, digest: str) -> tuple[str, str, str]:
        key = self._keys.cache(job.key.tenant, digest)
        log.warning("store.cache_unreadable", tenant=job.key.tenant, uniqueid=job.call_id)
        return key, "UNLINK", key

    async def _ask(self, job: LookupJob, waiter: Waiter, digest: str) -> Asked | None:
        """None when the cached answer cannot be read."""
        tenant = job.key.tenant
        keys, shard = self._keys, self._keys.shard(tenant)
        state, value, age_ms = await self._scripts.run(
            "ask",
            (
                keys.cache(tenant, digest),
                keys.waiters(tenant, digest),
                keys.jobs(tenant),
                keys.ready(shard),
                keys.ringed(shard),
                keys.busy(shard),
            ),
            pack(job),
            pack(waiter),
            round(job.budget_seconds * 1000),
            job.cache.fresh_seconds * 1000,
            digest,
            tenant,
            self._jobs_kept,
            round(FLIGHT_SLACK_SECONDS * 1000),
            JOBS_IDLE_SECONDS * 1000,
        )
        if state == b"overloaded":
            raise StoreOverloaded(overloaded_text(tenant, self._jobs_kept))
        if state in (b"missing", b"joined"):
            return Asked(CacheState(state.decode()))
        try:
            return Asked(CacheState(state.decode()), unpack_cached(value), age_ms / 1000)
        except Unreadable:
            return None
