"""Building a router process: every client is made here, once, and handed in.

`run_router` keeps the links to all Asterisk servers, reads the workers' answers, writes decisions, tells how
it fares and follows the tenants until it is told to stop. Stopping is graceful: it takes no new calls,
finishes those under way within their hold, and leaves the rest to another router or the dialplan.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from router.ami.link import AmiLink
from router.ami.seam import ServerNews
from router.core.calls import Moment
from router.core.identities import RouterName
from router.core.leases import LEASE_SECONDS
from router.core.manifests import Manifest
from router.core.plans import Plans
from router.engine.call_logger import CallLogger
from router.engine.engine import Engine
from router.engine.lease_keeper import LeaseKeeper
from router.engine.recorder import Recorder
from router.engine.status_teller import StatusTeller
from router.settings.checking import tenant_check
from router.settings.manifest_files import load_manifests
from router.settings.model import Settings
from router.settings.planning import limits_of, plan_of
from router.settings.tenant_files import Changes
from router.store.redis_store import open_store
from router.store.seams import Answers, Store
from router.store.tenant_sources import TenantSource, open_tenants

log = structlog.get_logger(__name__)

RECORDING_SECONDS = 2.0
"""How long a stopping router may take to write its last decisions, and as long for its last calls' ends, and
to say that it has stopped."""


def current_moment() -> Moment:
    return Moment(time.monotonic(), time.time())


def router_name(settings: Settings) -> RouterName:
    return settings.router.name or RouterName(socket.gethostname())


async def run_router(settings: Settings, folder: Path, stop: asyncio.Event, version: str = "") -> None:
    """Route calls until `stop` is set. Raises `StoreMisconfigured` when the store's address is wrong."""
    store = await open_store(settings.redis)
    try:
        manifests = load_manifests(folder)
        check = tenant_check(settings, manifests)
        tenants = await open_tenants(settings.tenants, folder, store.plans, check)
        await _Router(settings, manifests, store, tenants, version).run(stop)
    finally:
        await store.aclose()


class _Router:
    """The parts of one router process, and the tasks that keep them going."""

    def __init__(
        self,
        settings: Settings,
        manifests: Mapping[str, Manifest],
        store: Store,
        tenants: TenantSource,
        version: str,
    ) -> None:
        self._settings = settings
        self._tenants = tenants
        plans = Plans(plan_of(tenant, settings.destinations) for tenant in tenants.tenants().values())
        self._plans = plans
        self._name = router_name(settings)
        self._recorder = Recorder(store.decisions)
        self._call_logger = CallLogger(store.open_calls, plans)
        self._answers = store.answers(self._name)
        self._links = {
            server.name: AmiLink(server, settings.ami, self._on_news) for server in settings.asterisk
        }
        self._leases = LeaseKeeper(
            self._name, store.leases, lambda server: self._engine.on_lease(server), current_moment
        )
        self._engine = Engine(
            self._name,
            self._links,
            store.lookups,
            self._recorder,
            self._call_logger,
            plans,
            limits_of(settings, manifests),
            current_moment,
            self._leases,
        )
        self._statuses = StatusTeller(
            self._name, version, self._links, lambda: self._engine.calls, store.statuses, current_moment
        )

    async def run(self, stop: asyncio.Event) -> None:
        log.info("router.started", router=self._name, servers=list(self._links), tenants=len(self._plans))
        tasks = [
            asyncio.create_task(_read_answers(self._answers, self._engine), name="answers"),
            asyncio.create_task(self._recorder.run(), name="recorder"),
            asyncio.create_task(self._call_logger.run(), name="call log"),
            asyncio.create_task(self._statuses.run(), name="status"),
            asyncio.create_task(self._tenants.watch(self._on_changes), name="tenants"),
            *(asyncio.create_task(link.run(), name=f"link {name}") for name, link in self._links.items()),
        ]
        leasing = asyncio.create_task(self._leases.run(), name="leases")
        tasks.append(leasing)
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            # None of these ends by itself; one that does has failed, and so has the router.
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
            self._statuses.stop()
            leasing.cancel()
            await asyncio.gather(leasing, return_exceptions=True)
            await self._leases.give_up(LEASE_SECONDS)
            await self._engine.stop(self._settings.router.hold_seconds)
            await self._recorder.finish(RECORDING_SECONDS)
            await self._call_logger.finish(RECORDING_SECONDS)
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
        await self._statuses.finish(RECORDING_SECONDS)
        log.info("router.stopped", router=self._name, answers_late=self._engine.answers_late)

    def _on_news(self, news: ServerNews) -> None:
        self._leases.on_news(news)
        self._engine.on_news(news)
        self._statuses.on_news(news)

    async def _on_changes(self, changes: Changes) -> None:
        """New calls get the new plan; a call in progress keeps the one it started with."""
        for tenant in (*changes.added, *changes.changed):
            self._plans.put(plan_of(tenant, self._settings.destinations))
            log.info("tenant.loaded", tenant=tenant.id)
        for tenant_id in changes.removed:
            self._plans.remove(tenant_id)
            log.info("tenant.removed", tenant=tenant_id)
        for problem in changes.problems:
            log.error("tenant.problem", problem=str(problem))


async def _read_answers(answers: Answers, engine: Engine) -> None:
    async for token, answer in answers.read():
        engine.on_answer(token, answer)
