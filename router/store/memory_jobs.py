"""A worker's side of the queue in one process' memory: the twin of `router.store.job_queue`."""

import asyncio
from contextlib import suppress

from router.core.allowances import seconds_to_wait, spend
from router.core.breakers import Verdict
from router.core.identities import TenantId
from router.core.lookups import Answer
from router.core.refusals import Refusal, Refused
from router.store.cached import kept_seconds
from router.store.errors import StoreError
from router.store.limits import (
    BEHIND_SECONDS,
    DELIVERIES_MOST,
    HOPELESS_SECONDS,
    TAKE_WAIT_SECONDS,
    poisoned_answer,
    refused_answer,
    stale_answer,
)
from router.store.memory_lanes import Entry, Kept, Lane, MemoryLanes
from router.store.seams import NO_VERDICT, ROOM_FOR_ALL, LaneName, Part, Room, TakenJob

ROOM_PAUSE_SECONDS = 0.02
SHORTEST_SECONDS = 0.001
"""A timer may come a moment early."""


class MemoryJobQueue:
    def __init__(self, lanes: MemoryLanes) -> None:
        self._lanes = lanes
        self._expired_jobs = 0
        self._refused_jobs = 0

    @property
    def expired_jobs(self) -> int:
        return self._expired_jobs

    @property
    def refused_jobs(self) -> int:
        return self._refused_jobs

    async def take(self, most: int, room: Room = ROOM_FOR_ALL) -> list[TakenJob]:
        lanes = self._lanes
        ends_at = lanes.now() + TAKE_WAIT_SECONDS
        while most > 0:
            taken, looks_at = self._take(most, room) if self._is_there() else ([], None)
            if taken or lanes.now() >= ends_at - SHORTEST_SECONDS:
                return taken
            lanes.has_work.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(ends_at, looks_at or ends_at)):
                    await lanes.has_work.wait()
            if room.left or room.left_lanes:
                return []  # there may be more room by now
        return []

    def _is_there(self) -> bool:
        try:
            self._lanes.check()
        except StoreError:
            return False
        return True

    def _take(self, most: int, room: Room) -> tuple[list[TakenJob], float | None]:
        """Jobs, and when it is worth another look at what must wait."""
        taken: list[TakenJob] = []
        looks_at: float | None = None
        must_wait: set[TenantId] = set()
        while len(taken) < most and (tenant := self._next_tenant(must_wait)) is not None:
            served = self._serve_tenant(tenant, _what_is_left(room, taken))
            if isinstance(served, TakenJob):
                taken.append(served)
            else:
                must_wait.add(tenant)
                looks_at = _sooner(looks_at, served)
        return taken, looks_at

    def _next_tenant(self, passed_over: set[TenantId]) -> TenantId | None:
        turns = self._lanes.turns
        tenant = next((tenant for tenant in turns if tenant not in passed_over), None)
        if tenant is not None:
            turns.move_to_end(tenant)
        return tenant

    def _serve_tenant(self, tenant: TenantId, room: Room) -> TakenJob | float | None:
        """A job of one of its lanes, or when one may be served."""
        names = self._lanes.turns[tenant]
        looks_at: float | None = None
        if room.of(tenant) <= 0:
            return self._lanes.now() + ROOM_PAUSE_SECONDS
        for name in list(names):
            served = self._serve((tenant, name), room)
            if isinstance(served, TakenJob):
                names.move_to_end(name)
                return served
            if served is None:
                del names[name]
            looks_at = _sooner(looks_at, served)
        if not names:
            del self._lanes.turns[tenant]
        return looks_at

    def _serve(self, name: LaneName, room: Room) -> TakenJob | float | None:
        lane, now = self._lanes.lane(*name), self._lanes.now()
        while (entry := self._next_in_time(lane, now)) is not None:
            oldest_ends = self._lanes.deadline_of(next(iter(lane.waiting.values()))) - HOPELESS_SECONDS
            until = self._lanes.deadline_of(entry)
            if (refused := lane.refusal(now, until, entry.id)) is not None:
                self._refuse(entry, refused)
                continue
            if room.of_lane(name) <= 0:
                return now + ROOM_PAUSE_SECONDS
            allowance = entry.job.allowance
            wait = seconds_to_wait(lane.spent, allowance, now)
            if wait > 0:
                return max(min(now + wait, oldest_ends), now + SHORTEST_SECONDS)
            if not lane.breaker.is_open and lane.in_flight >= allowance.in_flight:
                return max(oldest_ends, now + SHORTEST_SECONDS)
            lane.become_probe(entry.id, until)
            lane.spent = spend(lane.spent, allowance, allowance.requests_per_lookup, now)
            return self._hand_out(lane, entry)
        return None

    def _next_in_time(self, lane: Lane, now: float) -> Entry | None:
        """The oldest that comes in time, or the newest where not all can be served."""
        for entry in list(lane.waiting.values()):
            left = self._lanes.deadline_of(entry) - now
            if left <= 0:
                self._expired_jobs += 1
                self._lanes.dismiss(entry)
            elif left <= HOPELESS_SECONDS < now - entry.asked_at:
                self._refuse(entry, Refused(Refusal.CROWDED))
            elif now - entry.asked_at <= BEHIND_SECONDS:
                return entry
            else:
                newest = next(reversed(lane.waiting.values()))
                is_in_time = self._lanes.deadline_of(newest) - now > HOPELESS_SECONDS
                return newest if is_in_time else entry
        return None

    def _refuse(self, entry: Entry, refused: Refused) -> None:
        self._refused_jobs += 1
        self._lanes.dismiss(entry, refused_answer(refused))

    async def settle(
        self, taken: TakenJob, answer: Answer, verdict: Verdict = NO_VERDICT, part: Part = Part.WHOLE
    ) -> int:
        lanes = self._lanes
        lanes.check()
        key, now = taken.job.key, lanes.now()
        seconds = kept_seconds(taken.job, answer)
        if seconds > 0:
            lanes.cache[key] = Kept(answer, now, seconds)
        lane = lanes.lane_of(key)
        is_first = lane.held.pop(taken.id, None) is not None
        if is_first:
            lane.spend_more(taken.job.allowance, verdict, now)
        if part is Part.IN_TIME:
            lane.late[taken.id] = now
        elif lane.late.pop(taken.id, None) is not None or is_first:
            lane.note(taken.id, verdict, now)
        if verdict.paused_seconds > 0:
            lane.pause(now + verdict.paused_seconds)
        if lane.waiting:
            lanes.ring(key)
        flight = lanes.flights.get(key)
        # An answer that is good for everybody also serves those who wait for a later job of the same key.
        if flight is None or (flight.job_id != taken.id and not answer.is_cacheable):
            return 0
        del lanes.flights[key]
        lanes.deliver(flight.waiters, self._best(taken, answer))
        return len(flight.waiters)

    def _best(self, taken: TakenJob, answer: Answer) -> Answer:
        """An answer that came meanwhile serves better than a failure."""
        kept = self._lanes.cache.get(taken.job.key)
        if answer.is_cacheable or kept is None or self._lanes.now() - kept.written_at >= kept.seconds:
            return answer
        return stale_answer(kept.answer, answer)

    async def reclaim(self, idle_seconds: float) -> list[TakenJob]:
        lanes = self._lanes
        lanes.check()
        taken: list[TakenJob] = []
        for lane in lanes.lanes():
            for id_ in [one for one, at in lane.late.items() if lanes.now() - at >= idle_seconds]:
                del lane.late[id_]
                lanes.has_work.set()
            for entry in list(lane.held.values()):
                if lanes.now() - entry.delivered_at < idle_seconds:
                    continue
                if lanes.deadline_of(entry) <= lanes.now():
                    self._expired_jobs += 1
                    lanes.dismiss(entry)
                    continue
                again = self._hand_out(lane, entry)
                if again.deliveries > DELIVERIES_MOST:
                    await self.settle(again, poisoned_answer(again.deliveries))
                else:
                    taken.append(again)
        return taken

    def _hand_out(self, lane: Lane, entry: Entry) -> TakenJob:
        lanes = self._lanes
        entry.delivered_at = lanes.now()
        entry.deliveries += 1
        lane.waiting.pop(entry.id, None)
        lane.held[entry.id] = entry
        left = lanes.deadline_of(entry) - lanes.now()
        tenant = entry.job.key.tenant
        return TakenJob(entry.id, tenant, entry.job, left, entry.deliveries, entry.first_waiter)


def _what_is_left(room: Room, taken: list[TakenJob]) -> Room:
    left, left_lanes = dict(room.left), dict(room.left_lanes)
    for job in taken:
        name = (job.tenant, job.job.key.integration)
        left[job.tenant] = left.get(job.tenant, room.each) - 1
        left_lanes[name] = left_lanes.get(name, room.each_lane) - 1
    return Room(room.each, room.each_lane, left, left_lanes)


def _sooner(one: float | None, other: float | None) -> float | None:
    moments = [moment for moment in (one, other) if moment is not None]
    return min(moments, default=None)
