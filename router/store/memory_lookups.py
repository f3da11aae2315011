"""A router's questions in one process' memory: the twin of `router.store.lookup_queue`."""

from router.core.lookups import Asked, CacheState, LookupJob, Waiter
from router.core.refusals import Refusal, Refused
from router.core.rules import Outcome
from router.store.errors import StoreOverloaded
from router.store.limits import (
    BEHIND_SECONDS,
    SHARD_KEPT_TIMES,
    WAITERS_MOST,
    overloaded_text,
    refused_answer,
)
from router.store.memory_lanes import Flight, MemoryLanes


class MemoryLookupQueue:
    def __init__(self, lanes: MemoryLanes) -> None:
        self._lanes = lanes

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        self._lanes.check()
        flight = self._lanes.flight_of(job.key)
        cached = self._cached(job)
        if cached is not None and cached.state is CacheState.FRESH:
            return cached
        if (refused := self._refused(job, flight)) is not None:
            if cached is not None:
                return Asked(cached.state, cached.answer, cached.age_seconds, refused)
            return Asked(CacheState.REFUSED, refused_answer(refused))
        if cached is not None:
            if flight is None and self._may_refresh(job):
                self._lanes.enqueue(job, None)
            return cached
        if flight is None:
            self._make_room(job)
            flight, state = self._lanes.enqueue(job, waiter), CacheState.MISSING
        else:
            self._join(job, flight)
            state = CacheState.JOINED
        flight.waiters[waiter] = self._lanes.now() + job.budget_seconds
        return Asked(state)

    def _refused(self, job: LookupJob, flight: Flight | None) -> Refused | None:
        now = self._lanes.now()
        lane = self._lanes.lane_of(job.key)
        refused = lane.refusal(now, now + job.budget_seconds, flight.job_id if flight else "")
        return None if refused and flight and refused.why is Refusal.PAUSED else refused

    def _join(self, job: LookupJob, flight: Flight) -> None:
        if len(flight.waiters) >= WAITERS_MOST:
            raise StoreOverloaded(overloaded_text(job.key.tenant, self._lanes.jobs_kept))
        waiting = self._lanes.lane_of(job.key).waiting
        if (entry := waiting.get(flight.job_id)) is not None:
            # A call that joins makes its job as new as itself.
            entry.asked_at = self._lanes.now()
            waiting.move_to_end(entry.id)

    def _make_room(self, job: LookupJob) -> None:
        """The newest call is served first, so a full queue loses its oldest job. Raises `StoreOverloaded`."""
        lanes = self._lanes
        if lanes.queued(job.key.tenant) >= lanes.jobs_kept:
            victims = list(lanes.lane_of(job.key).waiting.values())
        elif lanes.all_queued() >= lanes.jobs_kept * SHARD_KEPT_TIMES:
            longest = max(lanes.turns, key=lanes.queued, default=job.key.tenant)
            names = lanes.turns.get(longest, ())
            victims = [entry for name in names for entry in lanes.lane(longest, name).waiting.values()]
        else:
            return
        if not victims:
            raise StoreOverloaded(overloaded_text(job.key.tenant, lanes.jobs_kept))
        lanes.dismiss(victims[0], refused_answer(Refused(Refusal.CROWDED)))

    def _may_refresh(self, job: LookupJob) -> bool:
        lanes = self._lanes
        oldest = next(iter(lanes.lane_of(job.key).waiting.values()), None)
        is_behind = oldest is not None and lanes.now() - oldest.asked_at > BEHIND_SECONDS
        return not is_behind and lanes.queued(job.key.tenant) < lanes.jobs_kept

    def _cached(self, job: LookupJob) -> Asked | None:
        kept = self._lanes.cache.get(job.key)
        if kept is None:
            return None
        age = self._lanes.now() - kept.written_at
        if age >= kept.seconds:
            del self._lanes.cache[job.key]
            return None
        is_fresh = kept.answer.outcome is Outcome.NOT_FOUND or age < job.cache.fresh_seconds
        return Asked(CacheState.FRESH if is_fresh else CacheState.STALE, kept.answer, age)
