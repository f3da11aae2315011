"""Writing finished calls into the CRMs: takes what is due from the queue, has it written, settles it.

A few calls are written at a time, in places of their own: a look-up never waits for one. Of one integration
two are in hand at most, over all workers, which the queue sees to.

What a failure means:

- the CRM does not take this very call (`FINAL_FAULTS`): it is given up, and kept for a person to see
- anything else between us and the CRM: the call is tried again after a pause that doubles, from seconds to a
  quarter of an hour, or the one the CRM asks for. Its integration rests as a whole, as long as it fails, and
  a CRM that is down is asked by one call at a time. After two days the call is given up
- another call of the same caller makes the caller's record, or a mistake of our own: this call alone is tried
  again

A worker that ends between the CRM's answer and its settling leaves the call to the end of its lease; it is
then handed out as a repeat, and the connector looks for the entry before it writes another. A call that ends
one worker after the other is given up.

When the store is away nothing is taken; what was written is offered for settling until it is back.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from router.core.call_logs import FinishedCall, Logged
from router.core.faults import Fault
from router.settings.trouble import Trouble
from router.store.call_log_seam import CallLogQueue, TakenCall
from router.store.errors import StoreError
from router.store.limits import CallLogLimits, given_up_text
from workers.errors import IntegrationUnusable, LookupFailed, LookupUnavailable, RecordAwaited

log = structlog.get_logger(__name__)

Write = Callable[[FinishedCall], Awaitable[Logged]]
"""Writes one call into its CRM, as `workers.call_log_writer` does. Raises LookupFailed, IntegrationUnusable,
RecordAwaited, StoreError; it may hang."""

PLACES = 8
WRITE_SECONDS = 60.0
"""A write that takes longer is given up, and repeated later."""
LEASE_SECONDS = WRITE_SECONDS + 60.0
EVERY_SECONDS = 1.0
"""How often the queue is looked at while nothing is due."""
FINISHING_SECONDS = 5.0
"""How long a worker that stops waits for the calls in hand."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 900.0
LONGEST_ASKED_SECONDS = 21_600.0
"""Of the pauses that a CRM may ask for: a quota that ends at midnight is tried now and then."""
LOST_MOST = 5
PROBLEM_MOST = 300
FINAL_FAULTS = frozenset({Fault.QUERY, Fault.MODULE, Fault.FIELD})
"""The CRM does not take this call as it is; the same request would bring the same answer."""
BROKEN = "crmroute failed on this call (a mistake of its own; the worker's log has it)"
STORE_AWAY = "crmroute's Redis was away"


class CallLogSender:
    """`jitter` gives a number from 0 to 1; random, unless a test says otherwise."""

    def __init__(
        self,
        queue: CallLogQueue,
        write: Write,
        *,
        limits: CallLogLimits | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._write = write
        self._limits = limits or CallLogLimits()
        self._jitter = jitter
        self._in_hand: set[asyncio.Task[None]] = set()
        self._store = Trouble(log, "call_log.store_failing", "call_log.store_working", (StoreError,))

    @property
    def in_hand(self) -> int:
        return len(self._in_hand)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, and a few seconds more for the calls in hand; the rest ends with its lease."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            while not stop.is_set():
                taken = await self._take()
                for one in taken:
                    self._begin(one)
                if self.in_hand < PLACES and not taken:
                    await asyncio.wait((stopping,), timeout=EVERY_SECONDS)
                elif self.in_hand >= PLACES:
                    await asyncio.wait((stopping, *self._in_hand), return_when=asyncio.FIRST_COMPLETED)
            if self._in_hand:
                await asyncio.wait(self._in_hand, timeout=FINISHING_SECONDS)
        finally:
            tasks = [stopping, *self._in_hand]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self) -> list[TakenCall]:
        try:
            taken = await self._queue.take(PLACES - self.in_hand, LEASE_SECONDS)
        except StoreError as error:
            self._store.failed(error)
            return []
        except Exception as error:
            log.exception("call_log.take_broken", error=type(error).__name__)
            return []
        self._store.worked()
        return taken

    def _begin(self, taken: TakenCall) -> None:
        task = asyncio.create_task(self._send(taken), name=f"call log {taken.id}")
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)

    async def _send(self, taken: TakenCall) -> None:
        if taken.lost >= LOST_MOST:
            await self._fail(taken, f"it was tried {taken.lost} times and its worker ended each time")
            return
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                logged = await self._write(taken.call)
        except TimeoutError:
            await self._rest(taken, f"the CRM did not take it within {WRITE_SECONDS:g} s", None)
        except LookupFailed as error:
            await self._refused(taken, error)
        except IntegrationUnusable as unusable:
            await self._rest(taken, unusable.problem, None)
        except RecordAwaited as awaited:
            await self._again(taken, awaited.problem, awaited.seconds, 0.0)
        except StoreError as error:
            self._store.failed(error)
            await self._again(taken, STORE_AWAY, self._pause(taken.tries), 0.0)
        except Exception as error:
            log.exception("call_log.broken", error=type(error).__name__, **named(taken.call))
            await self._again(taken, BROKEN, self._pause(taken.tries), 0.0)
        else:
            log.info("call_log.written", entry=logged.id, was_there=logged.was_there, **named(taken.call))
            await self._settle(taken, lambda: self._queue.done(taken))

    async def _refused(self, taken: TakenCall, error: LookupFailed) -> None:
        if error.fault in FINAL_FAULTS:
            await self._fail(taken, error.problem)
            return
        asked = error.retry_after_seconds if isinstance(error, LookupUnavailable) else None
        await self._rest(taken, error.problem, asked)

    async def _rest(self, taken: TakenCall, problem: str, asked_seconds: float | None) -> None:
        """Let the whole integration wait."""
        asked = min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS)
        delay = max(asked, self._pause(taken.tries))
        await self._again(taken, problem, delay, max(asked, self._pause(taken.failures + 1)))

    async def _again(self, taken: TakenCall, problem: str, delay: float, pause: float) -> None:
        limit = self._limits.given_up_seconds
        if taken.age_seconds + delay > limit:
            await self._fail(taken, given_up_text(limit / 3600, problem))
            return
        problem = problem[:PROBLEM_MOST]
        log.warning("call_log.postponed", problem=problem, seconds=round(delay), **named(taken.call))
        await self._settle(taken, lambda: self._queue.postpone(taken, problem, delay, pause))

    async def _fail(self, taken: TakenCall, problem: str) -> None:
        problem = problem[:PROBLEM_MOST]
        log.error("call_log.given_up", problem=problem, tries=taken.tries, **named(taken.call))
        await self._settle(taken, lambda: self._queue.fail(taken, problem))

    async def _settle(self, taken: TakenCall, settle: Callable[[], Awaitable[None]]) -> None:
        """Until it is done; a store that stays away longer hands the call out again, as a repeat."""
        deadline_at = asyncio.get_running_loop().time() + LEASE_SECONDS
        while True:
            try:
                await settle()
                self._store.worked()
                return
            except StoreError as error:
                self._store.failed(error)
            except Exception as error:
                log.exception("call_log.settle_broken", error=type(error).__name__, **named(taken.call))
                return
            if asyncio.get_running_loop().time() > deadline_at:
                log.warning("call_log.not_settled", **named(taken.call))
                return
            await asyncio.sleep(EVERY_SECONDS)

    def _pause(self, failures: int) -> float:
        """Half to all of a pause that doubles."""
        longest = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_SECONDS)
        return longest * (1 + self._jitter()) / 2


def named(call: FinishedCall) -> dict[str, str]:
    """A call's fields in every log line."""
    return {"tenant": call.tenant, "uniqueid": call.call_id, "integration": call.integration}
