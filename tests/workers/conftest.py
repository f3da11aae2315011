"""Tests that meet a server or a file run on uvloop, as a worker does; every other one on virtual time."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from router.store.redis_store import RedisStore
from tests.store.servers import Server, running_server, settings_for
from tests.virtual_time import LOOPS
from tests.workers.processes import PROJECT, Crm, Router, Workers

WITH_SERVERS = (
    *("test_grant_files", "test_guard", "test_http", "test_ntlm", "test_process", "test_sample_crm"),
    "test_shared_limits",
)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in WITH_SERVERS:
        return {"uvloop": uvloop.new_event_loop}
    return LOOPS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed, for 127.0.0.1."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=crm"]
    subprocess.run(
        [*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
async def crm() -> AsyncIterator[tuple[Crm, str]]:
    made = Crm()
    app = web.Application()
    app.router.add_get("/", made.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, crm: tuple[Crm, str]) -> Path:
    made = tmp_path / "config"
    (made / "tenants").mkdir(parents=True)
    (made / "default.toml").symlink_to(PROJECT / "config" / "default.toml")
    (made / "tenants" / "acme.toml").write_text(
        'country = "FR"\ndefault = { destination = "queue", option = "desk" }\n'
        '[[integrations]]\nname = "crm"\n'
        f'settings = {{ url = "{crm[1]}", parameters = {{ caller = "caller" }} }}\n'
    )
    return made


@pytest.fixture
def workers(folder: Path, server: Server) -> Iterator[Workers]:
    environment = {
        "CRMROUTE__REDIS__URL": server.url,
        "CRMROUTE__WORKER__HTTPS_ONLY": "false",
        "CRMROUTE__WORKER__ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    made = Workers(folder, environment)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@pytest.fixture
async def router(server: Server, crm: tuple[Crm, str]) -> AsyncIterator[Router]:
    store = RedisStore(settings_for(server.url))
    made = Router(store, crm[1])
    collecting = asyncio.create_task(made.collect())
    yield made
    collecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting
    await store.aclose()
