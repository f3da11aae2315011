"""What workers share of an integration's limits beside its look-ups, which the store counts where they are
queued.

A connection test, a field list or a finished call asks for a permit before each of its requests. It gets
what calls leave: none while a call waits, or while the CRM wants to be left alone. Without the store there
is nobody to ask, and it is sent.
"""

import asyncio
from functools import partial

import structlog

from router.core.faults import Fault
from router.settings.trouble import Trouble
from router.store.errors import StoreError
from router.store.lane_seam import Lanes
from workers.accounts import Subject
from workers.asking import Permit
from workers.errors import LookupUnavailable
from workers.quotas import IntegrationKey

log = structlog.get_logger(__name__)

NO_ROOM = "calls use up all that may be asked of this integration, and it was not asked"


class Permits:
    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._telling: set[asyncio.Task[None]] = set()
        self._store = Trouble(log, "permit.store_failing", "permit.store_working", (StoreError,))

    def of(self, subject: Subject) -> Permit:
        return partial(self._wait, subject)

    def pause(self, key: IntegrationKey, seconds: float) -> None:
        """Have all workers leave the CRM alone; returns at once."""
        task = asyncio.create_task(self._pause(key, seconds), name=f"pause {key}")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def aclose(self) -> None:
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _wait(self, subject: Subject, seconds: float) -> None:
        """Raises LookupUnavailable."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while (wait := await self._seconds_to_wait(subject)) > 0:
            if loop.time() + wait > ends_at:
                raise LookupUnavailable(NO_ROOM, wait, fault=Fault.THROTTLED)
            await asyncio.sleep(wait)

    async def _seconds_to_wait(self, subject: Subject) -> float:
        try:
            wait = await self._lanes.spend(subject.tenant, subject.integration, subject.allowance, 1)
        except StoreError as error:
            self._store.failed(error)
            return 0.0
        self._store.worked()
        return wait

    async def _pause(self, key: IntegrationKey, seconds: float) -> None:
        tenant, integration = key
        try:
            await self._lanes.pause(tenant, integration, seconds)
        except StoreError as error:
            self._store.failed(error)
            return
        self._store.worked()
        log.info("lookup.paused", tenant=tenant, integration=integration, seconds=round(seconds, 1))
