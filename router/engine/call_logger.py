"""From a call's end to the queue of the CRM's call log, off the call's path.

An account of a call is kept in the store when its decision is recorded, and not in this process: whoever
hears the call's end closes it, be it another router or this one's next life. All routers on a server hear it,
and the store lets one of them close the call.

What is put here waits in bounded memory (`router.engine.backlog`). Of one call the account always comes
before the end, so a batch writes its accounts first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog
from msgspec import Struct

from router.core.call_ends import CallSummary
from router.core.calls import Call
from router.core.decisions import Decision
from router.core.identities import Uniqueid
from router.core.open_calls import OpenCall, finished_call, log_options, open_call, writes_calls
from router.core.plans import Plans
from router.engine.backlog import Backlog
from router.store.call_log_seam import OpenCalls
from router.store.errors import StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class _Ended(Struct, frozen=True):
    call_id: Uniqueid
    summary: CallSummary
    ended_at: float


class CallLogger:
    """`put` and `end` are called in the event loop, and return at once."""

    def __init__(self, calls: OpenCalls, plans: Plans, most_waiting: int = 20_000) -> None:
        self._calls = calls
        self._plans = plans
        self._backlog = Backlog("call log", self._write, most_waiting)

    @property
    def dropped(self) -> int:
        return self._backlog.dropped

    def put(self, call: Call, decision: Decision) -> None:
        """Keep what is known of a call whose decision is recorded, where anything of it is to be written."""
        opened = open_call(call, decision)
        if opened is not None:
            self._backlog.put(opened)

    def end(self, call_id: Uniqueid, summary: CallSummary, ended_at: float) -> None:
        """The call is over; `ended_at` is the time of day, in seconds since the epoch."""
        plan = self._plans.plan(summary.tenant)
        if plan is not None and writes_calls(plan):
            self._backlog.put(_Ended(call_id, summary, ended_at))

    async def run(self) -> None:
        """Write for ever; ends by cancellation."""
        await self._backlog.run()

    async def finish(self, seconds: float) -> None:
        """Write what waits, as far as the time allows."""
        await self._backlog.finish(seconds)

    async def _write(self, batch: list[OpenCall | _Ended]) -> None:
        await _all_of(self._open, (entry for entry in batch if isinstance(entry, OpenCall)))
        await _all_of(self._close, (entry for entry in batch if isinstance(entry, _Ended)))

    async def _open(self, call: OpenCall) -> None:
        await self._calls.open(call)

    async def _close(self, ended: _Ended) -> None:
        tenant = ended.summary.tenant
        kept = await self._calls.find(tenant, ended.call_id)
        plan = self._plans.plan(tenant)
        if kept is None or plan is None:
            return
        call = kept.merged()
        options = log_options(plan, call.integration)
        finished = finished_call(kept, ended.summary, options, ended.ended_at) if options else None
        is_closed = await self._calls.close(call, finished)
        if is_closed and finished is not None:
            named = {"tenant": tenant, "uniqueid": ended.call_id, "integration": call.integration}
            log.debug("call_log.queued", ending=finished.ending, **named)


async def _all_of(write: Callable[[T], Awaitable[None]], entries: Iterable[T]) -> None:
    await asyncio.gather(*(_one(write, entry) for entry in entries))


async def _one(write: Callable[[T], Awaitable[None]], entry: T) -> None:
    try:
        await write(entry)
    except StoreError:
        raise
    except Exception:
        # One entry that we cannot handle must not keep the others from the store.
        log.exception("call_log.broken")
