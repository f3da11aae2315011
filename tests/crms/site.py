"""The whole product on the local CRMs: a store, a worker process, one tenant with an integration for each
rig.

The CRMs run in a thread of their own, so that the command line can be run as a shell would run it.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from router.core.identities import IntegrationName
from router.settings.model import RedisSettings
from router.settings.tenant_files import TenantFiles
from router.settings.vault import Vault
from router.store.redis_store import open_store
from tests.crms.product import ACME, KEY
from tests.crms.rig import CrmRig
from tests.crms.server import StrictCrm
from tests.store.servers import running_server, settings_for
from tests.workers.makers import WORKER
from workers.asking import Asker, AskingLimits
from workers.catalogue import Catalogue
from workers.grants import Grants
from workers.http import HttpClient

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
R = TypeVar("R")


class RunningCrms:
    """Local CRMs in a thread of their own, by their rigs' names. `work` runs a coroutine there."""

    def __init__(self, rigs: tuple[CrmRig, ...]) -> None:
        self.rigs = rigs
        self.by_name: dict[str, StrictCrm] = {}
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        for rig in self.rigs:
            crm = rig.make()
            self.work(crm.start())
            self.by_name[rig.name] = crm

    def stop(self) -> None:
        for crm in self.by_name.values():
            self.work(crm.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def work(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(START_SECONDS)

    def integrations(self) -> str:
        """Each rig's, as a tenant's file has it; every kind of finished call is logged."""
        return "\n".join(
            f'[[integrations]]\nname = "{rig.name}"\nconnector = "{rig.slug}"\n'
            f"settings = {toml(rig.settings(self.by_name[rig.name]))}\n"
            'log = { calls = ["answered", "missed", "abandoned", "voicemail"] }\n'
            for rig in self.rigs
        )

    def put_grants(self, folder: Path, redis: RedisSettings) -> None:
        """What people's sign-ins brought, as `crmroute crm authorise` leaves it."""
        self.work(self._put_grants(folder, redis))

    async def _put_grants(self, folder: Path, redis: RedisSettings) -> None:
        store = await open_store(redis)
        files = TenantFiles(folder)
        files.load_all()
        catalogue = Catalogue(files, asyncio.get_running_loop().time)
        http = HttpClient(WORKER)
        asker = Asker(http, AskingLimits(attempt_seconds=1.0, retry_first_seconds=0.1))
        grants = Grants(store.grants, Vault([KEY]), asker)
        for rig in self.rigs:
            if rig.grant is not None:
                found = catalogue.integration(ACME, IntegrationName(rig.name))
                await grants.put(found.subject.grant, rig.grant(self.by_name[rig.name]))
        await http.aclose()
        await store.aclose()


class Site:
    """A store, one tenant with an integration for each rig, and a worker process."""

    def __init__(self, folder: Path, url: str, rigs: tuple[CrmRig, ...]) -> None:
        self.folder = folder
        self.url = url
        self._running = RunningCrms(rigs)
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def crms(self) -> dict[str, StrictCrm]:
        return self._running.by_name

    def work(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return self._running.work(coroutine)

    def start(self) -> None:
        self._running.start()
        (self.folder / "tenants").mkdir(parents=True)
        head = 'country = "FR"\ndefault = { destination = "queue", option = "desk" }\n'
        (self.folder / "tenants" / "acme.toml").write_text(head + self._running.integrations())
        (self.folder / "local.toml").write_text(self.local())
        self._running.put_grants(self.folder, settings_for(self.url))
        self._worker = start_worker(self.folder)

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait()
        self._running.stop()

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def local(self) -> str:
        return f"""
[redis]
url = "{self.url}"
[worker]
https_only = false
allowed_networks = ["127.0.0.0/8"]
[vault]
keys = ["{KEY}"]
folder = "{self.folder / "grants"}"
"""


def start_worker(folder: Path) -> "subprocess.Popen[bytes]":
    """A worker process on a folder's settings, ready; its log is beside them."""
    log = folder / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "workers", "--config", str(folder)],
            env={**os.environ, "CRMROUTE__WORKER__NAME": "worker-1"},
            cwd=PROJECT,
            stdout=output,
            stderr=output,
        )
    deadline = time.monotonic() + START_SECONDS
    while "worker.started" not in log.read_text():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return worker


@contextmanager
def running_site(folder: Path, rigs: tuple[CrmRig, ...]) -> Iterator[Site]:
    with running_server(folder / "valkey") as server:
        site = Site(folder / "config", server.url, rigs)
        site.start()
        try:
            yield site
        finally:
            site.stop()


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    match value:
        case dict():
            return (
                "{ "
                + ", ".join(f"{json.dumps(str(key))} = {toml(item)}" for key, item in value.items())
                + " }"
            )
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
