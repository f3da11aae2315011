"""Child processes that are kept running: started again when they end, after a growing pause, and stopped
gracefully.

Each child has a session of its own, so that a Ctrl-C on the terminal reaches the parent alone, which passes
it on as SIGTERM and waits. A child that says its configuration is wrong (exit code 2) is not started again:
nothing but a person can mend that.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from router.cli.errors import ExitCode, WrongUsage


class Command(Struct, frozen=True):
    """A program to keep running."""

    name: str
    arguments: tuple[str, ...]


class Pace(Struct, frozen=True):
    """How long things take, in seconds."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    steady_after: float = 60.0
    """A child that lived this long starts over with the first pause."""
    stop_within: float = 30.0
    """A router finishes its calls in HOLD, at most 20 seconds, and a few more."""


class Happening(Struct, frozen=True, omit_defaults=True):
    """What became of a child."""

    child: str
    what: str
    pid: int = 0
    code: int | None = None
    again_in_seconds: float | None = None


class Children:
    def __init__(
        self,
        commands: Sequence[Command],
        environment: Mapping[str, str],
        tell: Callable[[Happening], None],
        pace: Pace,
    ) -> None:
        self._commands = commands
        self._environment = dict(environment)
        self._tell = tell
        self._pace = pace
        self._stopping = asyncio.Event()
        self._killing = asyncio.Event()
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def stop(self) -> None:
        """Ask every child to end; asked a second time, do not wait for it."""
        if self._stopping.is_set():
            self._killing.set()
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. Raises WrongUsage when a child says that its configuration is wrong."""
        keepers = [asyncio.create_task(self._keep(command)) for command in self._commands]
        try:
            await asyncio.gather(*keepers)
        finally:
            self._stopping.set()
            results = await asyncio.gather(*keepers, return_exceptions=True)
            del results  # the first failure is on its way up already

    async def _keep(self, command: Command) -> None:
        loop = asyncio.get_running_loop()
        pause = self._pace.first_pause
        while not self._stopping.is_set():
            started_at = loop.time()
            code = await self._live(command)
            if self._stopping.is_set():
                return
            if code == ExitCode.USAGE:
                raise WrongUsage(f"the {command.name} cannot work with this configuration; it said why above")
            if loop.time() - started_at >= self._pace.steady_after:
                pause = self._pace.first_pause
            self._tell(Happening(command.name, "ended", code=code, again_in_seconds=pause))
            await _set_within(self._stopping, pause)
            pause = min(pause * 2, self._pace.longest_pause)

    async def _live(self, command: Command) -> int:
        """One life of the child, its graceful end included; its exit code."""
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._tell(Happening(command.name, "started", pid=process.pid))
        stopper = asyncio.create_task(self._end_in_time(command, process))
        try:
            return await process.wait()
        finally:
            stopper.cancel()
            with suppress(asyncio.CancelledError):
                await stopper

    async def _end_in_time(self, command: Command, process: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        self._tell(Happening(command.name, "stopping", pid=process.pid))
        await _set_within(self._killing, self._pace.stop_within)
        self._tell(Happening(command.name, "killed", pid=process.pid))
        with suppress(ProcessLookupError):
            process.kill()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
