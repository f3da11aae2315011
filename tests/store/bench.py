"""How long a question takes to be answered: `python -m tests.store.bench [calls per second] [seconds] [url]`.

Router and worker are two stores in two processes, as they are in life; the CRM takes no time.
"""

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from router.store.redis_store import RedisStore
from tests.store.rigs import FOUND, ROUTER, a_job, a_waiter, reading
from tests.store.servers import running_valkey, settings_for


async def work(url: str) -> None:
    store = RedisStore(settings_for(url))

    async def settle_all() -> None:
        tasks: set[asyncio.Task[int]] = set()
        while True:
            for taken in await store.jobs.take(50):
                task = asyncio.ensure_future(store.jobs.settle(taken, FOUND))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    await settle_all()


async def route(url: str, rate: float, seconds: float) -> None:
    store = RedisStore(settings_for(url))
    sent: dict[str, float] = {}
    asked_ms: list[float] = []
    took_ms: list[float] = []
    async with reading(store.answers(ROUTER)) as inbox:
        await asyncio.sleep(0.5)

        async def read() -> None:
            while True:
                token, _ = await inbox.get()
                took_ms.append((time.perf_counter() - sent[token]) * 1000)

        reader = asyncio.create_task(read())
        total = int(rate * seconds)
        started, cpu = time.perf_counter(), time.process_time()

        async def ask(number: int) -> None:
            token = str(number)
            sent[token] = time.perf_counter()
            await store.lookups.ask(a_job(f"+331{number:08}", f"tenant-{number % 50}"), a_waiter(token))
            asked_ms.append((time.perf_counter() - sent[token]) * 1000)

        asks = []
        for number in range(total):
            await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
            asks.append(asyncio.create_task(ask(number)))
        await asyncio.gather(*asks)
        await asyncio.sleep(1)
        cpu = time.process_time() - cpu
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    await store.aclose()
    print(f"{rate:.0f}/s, {total} questions, {len(took_ms)} answers")
    print(f"  router CPU {cpu / total * 1000:.2f} ms a question")
    for name, values in (("ask", asked_ms), ("ask to answer", took_ms)):
        cuts = statistics.quantiles(values, n=100)
        print(
            f"  {name}: p50 {cuts[49]:.2f}  p95 {cuts[94]:.2f}  p99 {cuts[98]:.2f}  max {max(values):.2f} ms"
        )


def run_worker(url: str) -> None:
    uvloop.run(work(url))


def main(rate: float = 100, seconds: float = 10) -> None:
    with tempfile.TemporaryDirectory() as folder, running_valkey(Path(folder)) as url:
        worker = multiprocessing.get_context("spawn").Process(target=run_worker, args=(url,), daemon=True)
        worker.start()
        time.sleep(1.5)
        uvloop.run(route(url, rate, seconds))
        worker.kill()
        worker.join()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
