"""Worker processes on a real server of the store, a CRM that is no more than its answers, and a router's
side.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from router.core.allowances import Allowance
from router.core.breakers import BreakerState
from router.core.identities import E164, RouterName
from router.core.lookups import Answer, Waiter
from router.core.numbers import Caller, CallerKind
from router.core.plans import digest_of
from router.store.redis_store import RedisStore
from tests.workers.makers import ACME, CRM, job

PROJECT = Path(__file__).resolve().parents[2]
ROUTER = RouterName("router-1")
START_SECONDS = 20.0


class Crm:
    """Answers GOLD; hangs on the first question of each number that begins with +339, and on all while it
    is dead.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.asked_at: list[float] = []
        self.is_asked = asyncio.Event()
        self.is_dead = False
        self.takes_seconds = 0.0
        self.refusal: web.Response | None = None
        """What it says once, instead of an answer."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        caller = request.query["caller"]
        self.asked.append(caller)
        self.asked_at.append(asyncio.get_running_loop().time())
        self.is_asked.set()
        if self.is_dead or (caller.startswith("+339") and self.asked.count(caller) == 1):
            await asyncio.sleep(3600)
        refusal, self.refusal = self.refusal, None
        await asyncio.sleep(self.takes_seconds)
        return refusal or web.Response(text="GOLD")


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

    async def heard(self, event: str) -> None:
        """One of them has logged this: a log is written a moment after what it tells of."""
        async with asyncio.timeout(START_SECONDS):
            while not self._has_logged(event):  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(0.02)

    def _has_logged(self, event: str) -> bool:
        return any(f'"{event}"' in log.read_text() for log in self.folder.glob("*.log"))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{name}.log").read_text().splitlines()]


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

    async def ask(self, number: str, budget_seconds: float = 8.0, token: str = "", **allowance: Any) -> str:
        """The token by which its answer is known. `allowance`: fields of `Allowance`."""
        e164, token = E164(number), token or number
        made = job(
            key_revision=self._revision,
            key_subject=e164,
            caller=Caller(number, CallerKind.NUMBER, e164, "FR"),
            budget_seconds=budget_seconds,
            allowance=Allowance(**allowance),
        )
        asked = await self._store.lookups.ask(made, Waiter(ROUTER, token))
        if asked.answer is not None:
            self._answers[token] = asked.answer
        return token

    async def state(self) -> BreakerState:
        return await self._store.lanes.state(ACME, CRM)

    async def answer(self, token: str, seconds: float = START_SECONDS) -> Answer:
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: token in self._answers)
        return self._answers[token]
