"""Runs one of crmroute's processes with a heart in its event loop, which says when the loop stood still.

    python -m tests.faults.watched router router

A beat is due each 20 ms. One that comes over 100 ms late (WATCHED_STALL_SECONDS) is told on stderr as
`loop.stalled`, less the time for which the kernel let other processes run instead: on a shared machine that
is nobody's fault. SIGUSR1 puts the process's time of day, `time.time`, forward by an hour.
"""

import asyncio
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

BEAT_SECONDS = 0.02
STALL_SECONDS = float(os.environ.get("WATCHED_STALL_SECONDS", "0.1"))
JUMP_SECONDS = 3600.0


async def beat() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_at, queued = loop.time() + BEAT_SECONDS, _queued_seconds()
        await asyncio.sleep(BEAT_SECONDS)
        late = loop.time() - due_at - (_queued_seconds() - queued)
        if late > STALL_SECONDS:
            print(
                json.dumps({"event": "loop.stalled", "ms": round(late * 1000)}), file=sys.stderr, flush=True
            )


def _queued_seconds() -> float:
    """How long this process was ready to run, and did not."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


async def beside_a_heart(main: Coroutine[Any, Any, Any]) -> Any:
    heart = asyncio.create_task(beat())
    try:
        return await main
    finally:
        heart.cancel()


def jump() -> None:
    former = time.time
    time.time = lambda: former() + JUMP_SECONDS


def main() -> None:
    run = uvloop.run

    def watched(work: Coroutine[Any, Any, Any], **more: Any) -> Any:
        return run(beside_a_heart(work), **more)

    signal.signal(signal.SIGUSR1, lambda *_: jump())
    uvloop.run = watched  # type: ignore[assignment]  # the same for whoever gives a coroutine, as ours do
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
