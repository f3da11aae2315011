"""The connector of docs/connectors.md, taken from the page, installed from outside the tree, and used by a whole
product: a worker process, the store, the command line.
"""

import ast
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from router.core.allowances import Allowance
from router.core.lookups import Answer, Waiter
from router.core.numbers import understand_caller
from router.core.plans import digest_of
from router.core.rules import Outcome
from router.store.redis_store import RedisStore
from tests.crms import people
from tests.crms.server import Refused, StrictCrm
from tests.crms.table import code_lines_of
from tests.settings.added_packages import install
from tests.store.servers import Server, running_server, settings_for
from tests.workers.makers import job
from tests.workers.processes import PROJECT, ROUTER, Router, Workers

PAGE = (PROJECT / "docs" / "connectors.md").read_text()
FILES: dict[str, str] = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
"""The page's files by their paths: each block says in its first line which one it is."""
PACKAGE = ("tiny_crm/__init__.py", "tiny_crm/tiny.toml")
TOKEN = "canary-tiny-token"


class Tiny(StrictCrm):
    """The CRM that the page's connector is for."""

    slug = "tiny"

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/people", self.search), web.get("/me", self.me)]

    def check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"error": "who are you?"})

    async def me(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response({"name": "Tiny CRM of Acme"})

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        ((field, value),) = request.query.items()
        rows = [
            {"id": one.key, "name": one.name, "phone": one.phone or one.mobile, "tier": one.tier,
             "account_no": one.account_no}
            for one in self.of_kind("contact")
        ]  # fmt: skip
        return web.json_response({"people": [row for row in rows if self.holds(row[field], value)]})

    def holds(self, stored: Any, value: str) -> bool:
        return value in re.sub(r"\D", "", str(stored))


@pytest.fixture
async def tiny() -> AsyncIterator[Tiny]:
    made = Tiny()
    await made.start()
    yield made
    await made.stop()
    assert made.broken == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where the page's package is installed, as its pyproject.toml says."""
    folder = tmp_path / "site-packages"
    project = msgspec.toml.decode(FILES["pyproject.toml"])["project"]
    points = project["entry-points"]["crmroute.connectors"]
    install(folder, project["name"], points, {path: FILES[path] for path in PACKAGE})
    return folder


@pytest.fixture
def config(tmp_path: Path, tiny: Tiny) -> Path:
    """The page's tenant, with the address of the CRM that runs here."""
    folder = tmp_path / "config"
    (folder / "tenants").mkdir(parents=True)
    (folder / "default.toml").symlink_to(PROJECT / "config" / "default.toml")
    tenant = FILES["tenants/acme.toml"].replace("https://tiny.example", tiny.url)
    (folder / "tenants" / "acme.toml").write_text(tenant)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
def environment(site: Path, server: Server) -> dict[str, str]:
    return {
        "PYTHONPATH": str(site),
        "TINY_TOKEN": TOKEN,
        "CRMROUTE_AMI_SECRET": "canary",
        "CRMROUTE__REDIS__URL": server.url,
        "CRMROUTE__WORKER__HTTPS_ONLY": "false",
        "CRMROUTE__WORKER__ALLOWED_NETWORKS": "127.0.0.0/8",
    }


@pytest.fixture
async def workers(config: Path, environment: dict[str, str]) -> AsyncIterator[Workers]:
    made = Workers(config, environment)
    await asyncio.to_thread(made.start, "worker-1")
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


class Asker(Router):
    """A router that asks as the page's rule does."""

    def __init__(self, store: RedisStore, url: str) -> None:
        super().__init__(store, url)
        self._revision = digest_of("tiny", {"url": url, "token": {"env": "TINY_TOKEN"}}, None)

    async def ask(self, number: str, budget_seconds: float = 8.0, token: str = "", **allowance: Any) -> str:
        made = job(
            "tier",
            key_integration="people",
            key_revision=self._revision,
            key_subject=number,
            caller=understand_caller(number, "", "FR"),
            budget_seconds=budget_seconds,
            allowance=Allowance(**allowance),
        )
        await self._store.lookups.ask(made, Waiter(ROUTER, token or number))
        return token or number


@pytest.fixture
async def router(server: Server, tiny: Tiny) -> AsyncIterator[Asker]:
    store = RedisStore(settings_for(server.url))
    made = Asker(store, tiny.url)
    collecting = asyncio.create_task(made.collect())
    yield made
    collecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting
    await store.aclose()


def run(arguments: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_has_under_fifty_lines_of_code() -> None:
    assert 20 < code_lines_of(FILES["tiny_crm/__init__.py"]) < 50


def test_the_pages_files_are_those_it_tells_of() -> None:
    assert set(FILES) == {*PACKAGE, "pyproject.toml", "tenants/acme.toml", "test_tiny_crm.py"}
    for path in ("tiny_crm/__init__.py", "test_tiny_crm.py"):
        ast.parse(FILES[path])


async def test_a_worker_process_looks_a_caller_up_with_it(
    workers: Workers, router: Asker, tiny: Tiny
) -> None:
    answers = [await looked_up(router, number) for number in (people.ALICE, people.NOBODY)]

    assert [answer.outcome for answer in answers] == [Outcome.FOUND, Outcome.NOT_FOUND]
    (record,) = answers[0].records
    assert (record.name, record.values) == ("Alice Martin", {"tier": "Gold"})
    assert answers[0].worker == "worker-1"
    assert len(tiny.seen) == 2
    assert TOKEN not in (workers.folder / "worker-1.log").read_text()


async def looked_up(router: Asker, number: str) -> Answer:
    return await router.answer(await router.ask(number))


async def test_the_command_line_lists_tests_and_tries_it(
    workers: Workers, config: Path, environment: dict[str, str]
) -> None:
    async def told(*arguments: str) -> str:
        command = ["-m", "router", *arguments, "--config", str(config), "--json"]
        ran = await asyncio.to_thread(run, command, environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    listed = await told("crm", "list")
    checked = await told("check")
    tested = await told("crm", "test", "people", "--tenant", "acme")
    found = await told("crm", "find", "people", "--tenant", "acme", "--from", "0639980001")

    assert "Tiny CRM" in listed
    assert json.loads(checked)["errors"] == 0
    assert "Tiny CRM of Acme" in tested
    assert "Alice Martin" in found
    assert "Gold" in found


def test_the_manifest_is_read_without_the_code(config: Path, environment: dict[str, str]) -> None:
    code = (
        "import sys; from pathlib import Path; from router.settings.manifest_files import load_manifests\n"
        f"print(load_manifests(Path({str(config)!r}))['tiny'].label)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('tiny_crm', 'workers')])"
    )

    ran = run(["-c", code], environment)

    assert ran.stdout.splitlines() == ["Tiny CRM", "[]"], ran.stderr


def test_the_pages_own_tests_pass(site: Path, environment: dict[str, str]) -> None:
    tests = site.parent / "test_tiny_crm.py"
    tests.write_text(FILES["test_tiny_crm.py"])
    paths = os.pathsep.join((str(site), str(PROJECT)))
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(site.parent)]

    ran = run(["-m", "pytest", *options, str(tests)], {"PYTHONPATH": paths})

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout
