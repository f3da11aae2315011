"""Worker processes on a real server of the store: start, stop, wrong configuration, and kill -9."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from router.core.identities import E164, RouterName
from router.core.lookups import Answer, Waiter
from router.core.numbers import Caller, CallerKind
from router.core.plans import digest_of
from router.core.rules import Outcome
from router.store.errors import StoreError
from router.store.redis_store import RedisStore
from tests.store.servers import Server, running_server, settings_for
from tests.workers.makers import job

PROJECT = Path(__file__).resolve().parents[2]
ROUTER = RouterName("router-1")
START_SECONDS = 20.0


class Crm:
    """Answers GOLD; hangs on the first question of each number that begins with +339."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_asked = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        caller = request.query["caller"]
        self.asked.append(caller)
        self.is_asked.set()
        if caller.startswith("+339") and self.asked.count(caller) == 1:
            await asyncio.sleep(3600)
        return web.Response(text="GOLD")


class Workers:
    """Worker processes with one configuration folder, their output in files."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", "--config", str(self.folder)],
                env={**self.environment, "CRMROUTE__WORKER__NAME": name},
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        deadline = time.monotonic() + START_SECONDS
        while b"worker.started" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return process

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{name}.log").read_text().splitlines()]


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


class Router:
    """Asks, and collects the answers."""

    def __init__(self, store: RedisStore, url: str) -> None:
        self._store = store
        self._revision = digest_of("custom", {"url": url, "parameters": {"caller": "caller"}}, None)
        self._answers: dict[str, Answer] = {}
        self._came = asyncio.Condition()

    async def collect(self) -> None:
        async for token, answer in self._store.answers(ROUTER).read():
            async with self._came:
                self._answers[token] = answer
                self._came.notify_all()

    async def ask(self, number: str, budget_seconds: float = 8.0) -> str:
        e164 = E164(number)
        caller = Caller(number, CallerKind.NUMBER, e164, "FR")
        made = job(
            key_revision=self._revision, key_subject=e164, caller=caller, budget_seconds=budget_seconds
        )
        await self._store.lookups.ask(made, Waiter(ROUTER, number))
        return number

    async def answer(self, token: str, seconds: float = START_SECONDS) -> Answer:
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: token in self._answers)
        return self._answers[token]


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


async def test_a_worker_answers_and_stops_when_told(workers: Workers, router: Router) -> None:
    process = await asyncio.to_thread(workers.start, "worker-1")
    answer = await router.answer(await router.ask("+33142345001"))

    process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, START_SECONDS)

    assert (answer.outcome, answer.worker) == (Outcome.FOUND, "worker-1")
    assert answer.problem == ""
    assert code == 0
    assert workers.events("worker-1")[-1]["event"] == "worker.stopped"


async def test_a_killed_workers_job_is_finished_by_another(
    workers: Workers, router: Router, crm: tuple[Crm, str]
) -> None:
    first = await asyncio.to_thread(workers.start, "worker-1")
    token = await router.ask("+33942345001")
    await crm[0].is_asked.wait()

    first.kill()
    await asyncio.to_thread(workers.start, "worker-2")
    answer = await router.answer(token)

    assert (answer.outcome, answer.worker) == (Outcome.FOUND, "worker-2")
    assert crm[0].asked.count("+33942345001") == 2


async def test_no_caller_notices_that_a_worker_was_killed_between_jobs(
    workers: Workers, router: Router
) -> None:
    first = await asyncio.to_thread(workers.start, "worker-1")
    await asyncio.to_thread(workers.start, "worker-2")
    await router.answer(await router.ask("+33142345001"))

    first.kill()
    tokens = [await router.ask(f"+331423451{number:02d}") for number in range(20)]
    answers = [await router.answer(token) for token in tokens]

    assert {(answer.outcome, answer.worker) for answer in answers} == {(Outcome.FOUND, "worker-2")}


async def test_a_server_that_comes_back_finds_the_worker_at_work(
    workers: Workers, router: Router, server: Server
) -> None:
    await asyncio.to_thread(workers.start, "worker-1")
    server.stop()
    await asyncio.sleep(2)
    await asyncio.to_thread(server.start)

    answered = 0
    for number in range(20, 99):
        # The first ones may fail, or their answers find no stream: the router has lost everything too.
        try:
            token = await router.ask(f"+331423452{number}")
            answered += (await router.answer(token, 1.0)).outcome is Outcome.FOUND
        except (StoreError, TimeoutError):
            await asyncio.sleep(0.1)
        if answered == 3:
            break

    assert answered == 3
    events = [event["event"] for event in workers.events("worker-1")]
    assert (events.count("worker.store_failing"), events.count("worker.store_working")) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--config", "no-such-folder"], {}, "no configuration folder"),
        ([], {"CRMROUTE__WORKER__LOOKUPS": "none"}, "CRMROUTE__WORKER__LOOKUPS"),
        ([], {"CRMROUTE__REDIS__URL": "http://redis"}, "redis"),
    ],
)
def test_wrong_configuration_ends_with_2(
    folder: Path, arguments: list[str], environment: dict[str, str], told: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        env={**os.environ, "CRMROUTE_CONFIG": str(folder), **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
