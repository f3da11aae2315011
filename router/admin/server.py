"""Building an admin process: the page and the API over HTTP, the publisher and the recorder
of decisions beside them.

Any number of them may run on the same records behind a proxy: none keeps anything of its own.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from litestar import Litestar

from router.admin.app import build_app
from router.admin.authenticator import Authenticator
from router.admin.crm_fields import CrmFields
from router.admin.decision_recorder import DecisionRecorder
from router.admin.issuer import open_issuer
from router.admin.live import LiveBoard
from router.admin.pages.routes import page_side
from router.admin.pages.streams import Streams
from router.admin.publisher import Publisher
from router.admin.site import Site
from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.database import open_database
from router.settings.checking import tenant_check
from router.settings.errors import ConfigurationError
from router.settings.manifest_files import load_manifests
from router.settings.model import Settings
from router.settings.vault import open_vault
from router.store.redis_store import open_store

log = structlog.get_logger(__name__)

STOP_SECONDS = 10
Beside = Callable[[], Coroutine[Any, Any, None]]
FILES_DECIDE = (
    'Calls are decided by the tenants\' files, not by what is published here: set tenants.source = "records".'
)


async def run_admin(
    settings: Settings, folder: Path, stop: asyncio.Event, tell: Callable[[str], None], version: str = ""
) -> None:
    """Serve until `stop` is set. `tell` gets what a person at the terminal should know.

    Raises RecordsError, RecordsMisconfigured, StoreMisconfigured, ConfigurationError.
    """
    vault = open_vault(settings.vault)
    issuer = open_issuer(settings.admin, time.time)
    async with AsyncExitStack() as opened:
        if issuer is not None:
            opened.push_async_callback(issuer.aclose)
        database = await open_database(settings.records.url)
        opened.push_async_callback(database.aclose)
        store = await open_store(settings.redis)
        opened.push_async_callback(store.aclose)
        manifests = load_manifests(folder)
        check = tenant_check(settings, manifests)
        accounts = Accounts(database, time.time, vault)
        site = Site(
            settings=settings,
            folder=folder,
            database=database,
            configuration=Configuration(database, time.time, check),
            publisher=Publisher(database, store.plans),
            accounts=accounts,
            vault=vault,
            store=store,
            crm_fields=CrmFields(store.errands, time.monotonic),
            live=LiveBoard(store),
            manifests=manifests,
            check=check,
            clock=time.time,
            issuer=issuer,
        )
        await _tell_setup(accounts, settings, tell)
        if settings.tenants.source != "records":
            tell(FILES_DECIDE)
        authenticator = Authenticator(accounts, is_encrypted=settings.admin.is_encrypted)
        label = issuer.settings.label if issuer else None
        streams = Streams()
        app = build_app(lambda: site, authenticator, version, page_side(authenticator, streams, label))
        recorder = DecisionRecorder(store.decisions, database, time.time)
        beside = {"publisher": site.publisher.run, "recorder": recorder.run}
        await _serve(app, settings, beside, stop, streams)


async def _tell_setup(accounts: Accounts, settings: Settings, tell: Callable[[str], None]) -> None:
    key = await accounts.setup_key()
    if key is not None:
        tell(f"Make the first account at {settings.admin.base_url}/set-up/{key} (once, within a day)")


async def _serve(
    app: Litestar, settings: Settings, beside: Mapping[str, Beside], stop: asyncio.Event, streams: Streams
) -> None:
    """`beside`: what runs as long as the pages are served, by name."""
    listener = _listener(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.admin.trusted_proxies),
        forwarded_allow_ips=list(settings.admin.trusted_proxies),
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config)
    tasks = [
        asyncio.create_task(server.serve([listener]), name="http"),
        *(asyncio.create_task(work(), name=name) for name, work in beside.items()),
    ]
    stopping = asyncio.create_task(stop.wait(), name="stop")
    log.info("admin.started", host=settings.admin.host, port=settings.admin.port)
    try:
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
        streams.stop()  # HTTP waits for those who are served, and these would be served for ever
        server.should_exit = True
        await tasks[0]
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
    log.info("admin.stopped")


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: signals are the process's own business."""
        yield


def _listener(settings: Settings) -> socket.socket:
    """Raises ConfigurationError."""
    admin = settings.admin
    try:
        return socket.create_server((admin.host, admin.port), reuse_port=False)
    except OSError as error:
        told = f"nothing can listen at {admin.host}:{admin.port} (admin.host, admin.port): {error.strerror}"
        raise ConfigurationError(told) from error
