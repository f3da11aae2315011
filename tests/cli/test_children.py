"""Keeping child processes: started again, stopped gracefully, given up when their configuration is wrong."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from router.cli.children import Children, Command, Happening, Pace
from router.cli.errors import WrongUsage

QUICK = Pace(first_pause=0.01, longest_pause=0.04, steady_after=30.0, stop_within=10.0)
LASTING = "import signal\nwhile True: signal.pause()"


class Watched:
    """Children whose happenings can be awaited."""

    def __init__(self, pace: Pace = QUICK, **programs: str) -> None:
        self.happenings: asyncio.Queue[Happening] = asyncio.Queue()
        commands = [Command(name, (sys.executable, "-c", program)) for name, program in programs.items()]
        self.children = Children(commands, os.environ, self.happenings.put_nowait, pace)
        self.running = asyncio.create_task(self.children.run())

    async def until(self, what: str) -> Happening:
        async with asyncio.timeout(20):
            while True:
                happening = await self.happenings.get()
                if happening.what == what:
                    return happening


@pytest.fixture
async def watched_programs() -> AsyncIterator[list[Watched]]:
    watched: list[Watched] = []
    yield watched
    for one in watched:
        one.children.stop()
        one.children.stop()
        with suppress(WrongUsage):
            await one.running


@pytest.fixture
def ignored_sigterm() -> Iterator[None]:
    """A child is born ignoring what its parent ignores."""
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, former)


async def test_child_that_ends_is_started_again_after_growing_pauses(watched_programs: list[Watched]) -> None:
    watched = Watched(router="raise SystemExit(7)")
    watched_programs.append(watched)

    ends = [await watched.until("ended") for _ in range(4)]

    assert [end.code for end in ends] == [7, 7, 7, 7]
    assert [end.again_in_seconds for end in ends] == [0.01, 0.02, 0.04, 0.04]


async def test_child_that_is_killed_is_started_again(watched_programs: list[Watched]) -> None:
    watched = Watched(router=LASTING)
    watched_programs.append(watched)
    first = await watched.until("started")

    os.kill(first.pid, signal.SIGKILL)

    assert (await watched.until("ended")).code == -signal.SIGKILL
    assert (await watched.until("started")).pid != first.pid


async def test_stop_reaches_all_children_and_waits_for_them(watched_programs: list[Watched]) -> None:
    watched = Watched(router=LASTING, worker=LASTING)
    watched_programs.append(watched)
    pids = [(await watched.until("started")).pid for _ in range(2)]

    watched.children.stop()
    await watched.running

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_second_stop_kills_a_child_that_will_not_end(
    watched_programs: list[Watched], ignored_sigterm: None
) -> None:
    watched = Watched(router=LASTING)
    watched_programs.append(watched)
    await watched.until("started")
    watched.children.stop()
    await watched.until("stopping")

    watched.children.stop()
    await watched.running

    assert watched.happenings.get_nowait().what == "killed"


async def test_child_that_does_not_end_in_time_is_killed(
    watched_programs: list[Watched], ignored_sigterm: None
) -> None:
    watched = Watched(Pace(stop_within=0.05), router=LASTING)
    watched_programs.append(watched)
    await watched.until("started")

    watched.children.stop()
    await watched.running


async def test_wrong_configuration_stops_everything(watched_programs: list[Watched]) -> None:
    watched = Watched(router=LASTING, worker="raise SystemExit(2)")
    watched_programs.append(watched)

    with pytest.raises(WrongUsage, match="worker"):
        await watched.running
