"""Building a worker process: every client is made here, once, and handed in.

`run_worker` takes look-ups from the store, asks the tenants' CRMs, and follows the tenants' files, until it
is told to stop.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import structlog

from router.core.tenants import Tenant
from router.settings.model import Settings
from router.settings.tenant_files import Changes, TenantFiles
from router.store.redis_store import open_store
from router.store.seams import Store
from workers.catalogue import Catalogue
from workers.http import HttpClient
from workers.lookup import LookupLimits, Lookups
from workers.runner import Runner
from workers.slots import Slots

log = structlog.get_logger(__name__)


def worker_name(settings: Settings) -> str:
    return settings.worker.name or f"{socket.gethostname()}-{os.getpid()}"


async def run_worker(settings: Settings, folder: Path, stop: asyncio.Event) -> None:
    """Look up until `stop` is set. Raises `StoreMisconfigured` when the store's address is wrong."""
    files = TenantFiles(folder)
    for problem in files.load_all().problems:
        log.error("tenant.problem", problem=str(problem))
    gc.freeze()  # ten thousand tenants stay: collecting garbage among them stops look-ups
    store = await open_store(settings.redis)
    try:
        http = HttpClient(settings.worker)
        try:
            await _Worker(settings, store, files, http).run(stop)
        finally:
            await http.aclose()
    finally:
        await store.aclose()


class _Worker:
    """The parts of one worker process, and the tasks that keep them going."""

    def __init__(self, settings: Settings, store: Store, files: TenantFiles, http: HttpClient) -> None:
        self._settings = settings
        self._files = files
        self._name = worker_name(settings)
        self._reclaim_idle_seconds = self._longest_hold()
        limits = LookupLimits(settings.worker.attempt_seconds, settings.worker.retry_first_seconds)
        self._runner = Runner(
            store.jobs,
            Catalogue(files, asyncio.get_running_loop().time),
            Lookups(http, limits, self._name),
            Slots(settings.worker.lookups),
            lambda: self._reclaim_idle_seconds,
            self._name,
        )

    async def run(self, stop: asyncio.Event) -> None:
        tenants = len(self._files.tenants())
        log.info("worker.started", worker=self._name, tenants=tenants, lookups=self._settings.worker.lookups)
        watching = asyncio.create_task(self._files.watch(self._on_changes), name="tenants")
        running = asyncio.create_task(self._runner.run(stop), name="runner")
        try:
            # Following the files never ends by itself: when it does it has failed, and so has the worker.
            done, _ = await asyncio.wait((watching, running), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (watching, running):
                task.cancel()
            await asyncio.gather(watching, running, return_exceptions=True)
        log.info("worker.stopped", worker=self._name)

    async def _on_changes(self, changes: Changes) -> None:
        """The catalogue sees new tenants by itself; what is left is to say so."""
        self._reclaim_idle_seconds = self._longest_hold()
        for tenant in (*changes.added, *changes.changed):
            log.info("tenant.loaded", tenant=tenant.id)
        for tenant_id in changes.removed:
            log.info("tenant.removed", tenant=tenant_id)
        for problem in changes.problems:
            log.error("tenant.problem", problem=str(problem))

    def _longest_hold(self) -> float:
        """How long a living worker may hold a job: the longest budget of all rules, and a moment.

        With less, a patient rule's job would be handed out again while its first worker still waits for the
        CRM, and in the end be given up as one that kills workers.
        """
        tenants = self._files.tenants().values()
        longest = max((self._settings.router.lookup_seconds, *_budgets(tenants)))
        return longest + self._settings.worker.reclaim_slack_seconds


def _budgets(tenants: Iterable[Tenant]) -> Iterable[float]:
    return (rule.lookup_seconds for tenant in tenants for rule in tenant.rules if rule.lookup_seconds)
