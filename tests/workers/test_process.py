"""Worker processes on a real server of the store: start, stop, wrong configuration, and kill -9."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from router.core.rules import Outcome
from router.store.errors import StoreError
from tests.store.servers import Server
from tests.workers.processes import PROJECT, START_SECONDS, Crm, Router, Workers


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
