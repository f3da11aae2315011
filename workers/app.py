"""Building a worker process: every client is made here, once, and handed in.

`run_worker` takes look-ups and finished calls from the store, asks the tenants' CRMs, and follows the
tenants, until it is told to stop.
"""

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from router.core.manifests import Manifest
from router.core.tenants import Tenant
from router.settings.manifest_files import load_manifests
from router.settings.model import Settings
from router.settings.tenant_files import Changes
from router.settings.vault import open_vault
from router.store.redis_store import open_store
from router.store.seams import Store
from router.store.tenant_sources import TenantSource, open_tenants
from workers.abilities import Abilities
from workers.accounts import Accounts
from workers.asking import Asker, AskingLimits
from workers.call_log_sender import CallLogSender
from workers.call_log_writer import CallLogWriter
from workers.catalogue import Catalogue, load_connectors
from workers.crm_health import CrmHealth
from workers.errand_runner import ErrandRunner
from workers.grant_files import GrantFiles
from workers.grants import Grants
from workers.http import HttpClient
from workers.lookup import Lookups
from workers.permits import Permits
from workers.quotas import Quotas
from workers.runner import Runner
from workers.slots import Slots

log = structlog.get_logger(__name__)


def worker_name(settings: Settings) -> str:
    return settings.worker.name or f"{socket.gethostname()}-{os.getpid()}"


async def run_worker(settings: Settings, folder: Path, stop: asyncio.Event) -> None:
    """Look up until `stop` is set. Raises `StoreMisconfigured` when the store's address is wrong."""
    store = await open_store(settings.redis)
    try:
        manifests = load_manifests(folder)
        tenants = await open_tenants(settings.tenants, folder, store.plans)
        http = HttpClient(settings.worker)
        try:
            await _Worker(settings, manifests, store, tenants, http).run(stop)
        finally:
            await http.aclose()
    finally:
        await store.aclose()


class _Worker:
    """The parts of one worker process, and the tasks that keep them going."""

    def __init__(
        self,
        settings: Settings,
        manifests: Mapping[str, Manifest],
        store: Store,
        tenants: TenantSource,
        http: HttpClient,
    ) -> None:
        self._settings = settings
        self._tenants = tenants
        self._name = worker_name(settings)
        self._reclaim_idle_seconds = self._longest_hold()
        limits = AskingLimits(settings.worker.attempt_seconds, settings.worker.retry_first_seconds)
        asker = Asker(http, limits)
        vault = open_vault(settings.vault)
        self._grants = Grants(store.grants, vault, asker, GrantFiles(Path(settings.vault.folder)))
        self._permits = Permits(store.lanes)
        accounts = Accounts(self._grants, Quotas(tell=self._permits.pause))
        lookups = Lookups(asker, accounts, self._name)
        clock = asyncio.get_running_loop().time
        catalogue = Catalogue(tenants, clock, load_connectors(), vault=vault, manifests=manifests)
        health = CrmHealth(store.crm_health)
        abilities = Abilities(asker, accounts, lookups, self._permits)
        self._errands = ErrandRunner(store.errands, catalogue, abilities, self._grants, asker, vault, health)
        writer = CallLogWriter(store.call_log, catalogue, abilities)
        self._call_log = CallLogSender(store.call_log, writer.write)
        self._runner = Runner(
            store.jobs,
            catalogue,
            lookups,
            Slots(settings.worker.lookups),
            lambda: self._reclaim_idle_seconds,
            self._name,
            health,
        )

    async def run(self, stop: asyncio.Event) -> None:
        tenants = len(self._tenants.tenants())
        log.info("worker.started", worker=self._name, tenants=tenants, lookups=self._settings.worker.lookups)
        finishing = [
            asyncio.create_task(self._runner.run(stop), name="runner"),
            asyncio.create_task(self._call_log.run(stop), name="call log"),
        ]
        # None of the others ends by itself: one that does has failed, and so has the worker.
        tasks = [
            *finishing,
            asyncio.create_task(self._tenants.watch(self._on_changes), name="tenants"),
            asyncio.create_task(self._errands.run(), name="errands"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if stop.is_set():
                await asyncio.gather(*finishing)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._permits.aclose()
            await self._grants.aclose()
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
        tenants = self._tenants.tenants().values()
        longest = max((self._settings.router.lookup_seconds, *_budgets(tenants)))
        return longest + self._settings.worker.reclaim_slack_seconds


def _budgets(tenants: Iterable[Tenant]) -> Iterable[float]:
    return (rule.lookup_seconds for tenant in tenants for rule in tenant.rules if rule.lookup_seconds)
