"""A router's questions, on Redis: one script reads the cache, puts the job on its integration's queue, or
says why the CRM is not to be asked.

Two hundred calls of one number are one job: a flight carries the question, and whoever asks meanwhile joins
it. Its deadline is reckoned by Redis's clock from the budget, so that no other clock matters.
"""

import structlog

from router.core.lookups import Asked, CacheState, LookupJob, Waiter
from router.core.refusals import Refusal, Refused
from router.store.batches import Batcher
from router.store.errors import StoreOverloaded
from router.store.keys import Keys
from router.store.limits import FLIGHT_SLACK_SECONDS, SHARD_KEPT_TIMES, overloaded_text, refused_answer
from router.store.packing import Unreadable, pack, unpack_cached
from router.store.scripts import Scripts
from router.store.telling import Teller

log = structlog.get_logger(__name__)


class RedisLookupQueue:
    def __init__(
        self, batcher: Batcher, scripts: Scripts, keys: Keys, teller: Teller, jobs_kept: int
    ) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys
        self._teller = teller
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
        tenant, allowance = job.key.tenant, job.allowance
        state, value, age_ms, why, failures, wait_ms, gave_way = await self._scripts.run(
            "ask",
            self._keys.queue(self._keys.shard(tenant)),
            pack(job),
            pack(waiter),
            round(job.budget_seconds * 1000),
            job.cache.fresh_seconds * 1000,
            digest,
            tenant,
            job.key.integration,
            self._jobs_kept,
            self._jobs_kept * SHARD_KEPT_TIMES,
            round(FLIGHT_SLACK_SECONDS * 1000),
            allowance.in_flight,
            allowance.interval_seconds * 1000,
            allowance.requests_per_lookup,
        )
        if gave_way:
            self._teller.tell_soon(gave_way, refused_answer(Refused(Refusal.CROWDED)))
        if state == b"overloaded":
            raise StoreOverloaded(overloaded_text(tenant, self._jobs_kept))
        refused = Refused(Refusal(why.decode()), failures, wait_ms / 1000) if why else None
        met = CacheState(state.decode())
        if refused is not None and met is CacheState.REFUSED:
            return Asked(met, refused_answer(refused))
        if met in (CacheState.MISSING, CacheState.JOINED):
            return Asked(met)
        try:
            return Asked(met, unpack_cached(value), age_ms / 1000, refused)
        except Unreadable:
            return None
