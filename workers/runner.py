"""The worker's loop: takes jobs, has each one looked up in a task of its own, and settles it.

Only as many jobs are taken as there are slots free, and no more of one tenant and of one CRM than their
shares (`workers.slots`). The rest waits in the store, which knows what an integration may be asked over all
workers and which call goes first. With each answer the store is told what it says of the CRM.

A job made from other settings than the worker has (an edit that one of the two has not read yet) is looked up
with what the worker has, and the answer is not kept in the cache.

A look-up that its CRM answers too late for the caller keeps its place for a moment, so that what comes is
kept for the next call of the same number.

When the store is away nothing is taken; answers that are ready are offered again until nobody waits for them.
The loss and the return are logged once each. A dead worker's jobs are taken over by `reclaim`; a job that is
still in hand here is then left alone.

Stopping: no further jobs are asked for, those in hand are finished within their deadlines; `run` returns.
"""

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from router.core.breakers import Health, Verdict
from router.core.identities import TenantId
from router.core.lookups import Answer
from router.core.rules import Outcome
from router.core.tenants import CacheAges
from router.settings.trouble import Trouble
from router.store.cached import is_kept
from router.store.errors import StoreError
from router.store.seams import NO_VERDICT, JobQueue, LaneName, Part, TakenJob
from workers.catalogue import Catalogue
from workers.crm_health import CrmHealth
from workers.errors import IntegrationUnusable
from workers.lookup import LATE_SECONDS, LateLookup, Lookups, named
from workers.slots import Slots

log = structlog.get_logger(__name__)

RECLAIM_EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.25
"""After a failure of the store, or of the loop itself."""
SETTLE_SLACK_SECONDS = 2.0
"""How long after its deadline an answer is still offered to a store that is away: it may serve others."""
NOT_KEPT = CacheAges(fresh_seconds=0, stale_seconds=0, absent_seconds=0)
NO_REQUEST = Verdict(requests=0)
NEVER_CAME = Answer(Outcome.TIMEOUT)
"""Ends a late look-up that brought nothing; its caller has been told long ago."""
OTHER_SETTINGS = "the worker and the router had read different versions of the configuration"


class Runner:
    """`reclaim_idle_seconds` gives how long a job is held at the longest by a worker that lives."""

    def __init__(
        self,
        jobs: JobQueue,
        catalogue: Catalogue,
        lookups: Lookups,
        slots: Slots,
        reclaim_idle_seconds: Callable[[], float],
        worker: str = "",
        health: CrmHealth | None = None,
    ) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._lookups = lookups
        self._slots = slots
        self._reclaim_idle_seconds = reclaim_idle_seconds
        self._worker = worker
        self._health = health
        self._in_hand: dict[_Name, asyncio.Task[None]] = {}
        self._store = Trouble(log, "worker.store_failing", "worker.store_working", (StoreError,))

    @property
    def in_hand(self) -> int:
        return len(self._in_hand)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and the last job in hand is settled. Cancelling it drops the jobs in hand."""
        reclaiming = asyncio.create_task(self._reclaim_for_ever(), name="reclaim")
        try:
            await self._take_until(stop)
            if self._in_hand:
                log.info("worker.finishing", jobs=len(self._in_hand))
            while self._in_hand:
                await asyncio.wait(list(self._in_hand.values()))
        finally:
            tasks = [reclaiming, *self._in_hand.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_until(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            while not stop.is_set():
                if not self._slots.free:
                    freed = asyncio.ensure_future(self._slots.freed.wait())
                    await asyncio.wait((freed, stopping), return_when=asyncio.FIRST_COMPLETED)
                    freed.cancel()
                    continue
                # A take under way is not cut off at the stop: jobs it has just been given would be lost.
                for taken in await self._take():
                    self._begin(taken)
        finally:
            stopping.cancel()

    async def _take(self) -> list[TakenJob]:
        try:
            return await self._jobs.take(self._slots.free, self._slots.room())
        except StoreError as error:
            self._store.failed(error)
        except Exception as error:
            log.exception("worker.take_broken", error=type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
        return []

    async def _reclaim_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RECLAIM_EVERY_SECONDS)
            try:
                reclaimed = await self._jobs.reclaim(self._reclaim_idle_seconds())
                self._store.worked()
                for taken in reclaimed:
                    if _name(taken) in self._in_hand:
                        continue
                    log.warning("worker.job_reclaimed", deliveries=taken.deliveries, **named(taken.job))
                    self._begin(taken)
            except StoreError as error:
                self._store.failed(error)
            except Exception as error:
                log.exception("worker.reclaim_broken", error=type(error).__name__)

    def _begin(self, taken: TakenJob) -> None:
        deadline_at = asyncio.get_running_loop().time() + taken.seconds_left
        self._slots.enter(_lane(taken))
        task = asyncio.create_task(self._do(taken, deadline_at), name=f"job {taken.id}")
        self._in_hand[_name(taken)] = task
        task.add_done_callback(lambda _: self._done(taken))

    def _done(self, taken: TakenJob) -> None:
        self._in_hand.pop(_name(taken), None)
        self._slots.leave(_lane(taken))

    async def _do(self, taken: TakenJob, deadline_at: float) -> None:
        try:
            found = self._catalogue.find(taken.job)
            is_current = found.revision == taken.job.key.revision
            judged = await self._lookups.judged(
                taken.job,
                found.subject,
                deadline_at - asyncio.get_running_loop().time(),
                late_seconds=LATE_SECONDS if is_current and is_kept(taken.job) else 0.0,
            )
        except IntegrationUnusable as unusable:
            failed = self._failed(unusable.problem)
            await self._settle(taken, failed, NO_REQUEST, deadline_at)
            return
        except Exception as error:
            log.exception("worker.job_broken", error=type(error).__name__, **named(taken.job))
            await self._settle(taken, self._failed(BROKEN), NO_VERDICT, deadline_at)
            return
        answer = judged.answer
        if not is_current:
            log.warning("worker.other_settings", **named(taken.job))
            taken = replace(taken, job=replace(taken.job, cache=NOT_KEPT))
            answer = replace(answer, problem=f"{answer.problem}; {OTHER_SETTINGS}".removeprefix("; "))
        part = Part.IN_TIME if judged.late else Part.WHOLE
        await self._settle(taken, answer, judged.verdict, deadline_at, part)
        if self._health is not None:
            await self._health.note_lookup(found, answer)
        if judged.late is not None:
            await self._settle_late(taken, judged.late, judged.verdict, deadline_at)

    async def _settle_late(
        self, taken: TakenJob, late: LateLookup, verdict: Verdict, deadline_at: float
    ) -> None:
        answer = await late.answer()
        verdict = replace(verdict, paused_seconds=0.0)
        if answer is not None:
            log.info("lookup.late", outcome=answer.outcome, **named(taken.job))
            if verdict.health is Health.UNWELL:
                verdict = replace(verdict, health=Health.SLOW)
        await self._offer(taken, answer or NEVER_CAME, verdict, deadline_at, Part.LATE)

    async def _settle(
        self, taken: TakenJob, answer: Answer, verdict: Verdict, deadline_at: float, part: Part = Part.WHOLE
    ) -> None:
        if not answer.is_cacheable:
            log.info("lookup.failed", outcome=answer.outcome, problem=answer.problem, **named(taken.job))
        await self._offer(taken, answer, verdict, deadline_at, part)

    async def _offer(
        self, taken: TakenJob, answer: Answer, verdict: Verdict, deadline_at: float, part: Part = Part.WHOLE
    ) -> None:
        """Until it is done, or nobody can want it any more."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                waiters = await self._jobs.settle(taken, answer, verdict, part)
                self._store.worked()
                log.debug("lookup.settled", outcome=answer.outcome, waiters=waiters, **named(taken.job))
                return
            except StoreError as error:
                self._store.failed(error)
            except Exception as error:
                log.exception("worker.settle_broken", error=type(error).__name__, **named(taken.job))
                return
            if loop.time() > deadline_at + SETTLE_SLACK_SECONDS:
                log.warning("worker.answer_lost", **named(taken.job))
                return
            await asyncio.sleep(PAUSE_SECONDS)

    def _failed(self, problem: str) -> Answer:
        return Answer(Outcome.CRM_ERROR, problem=problem, worker=self._worker)


BROKEN = "crmroute failed on this look-up (a mistake of its own; the worker's log has it)"


_Name = tuple[TenantId, str]


def _name(taken: TakenJob) -> _Name:
    """A job's id is unique among its tenant's jobs only."""
    return taken.tenant, taken.id


def _lane(taken: TakenJob) -> LaneName:
    return taken.tenant, taken.job.key.integration
