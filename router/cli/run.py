"""`crmroute run`: Redis if none is configured, a router and a worker, in one command for a small site.

Router and worker are child processes, for neither may import the other; they are kept running and stopped
gracefully (`router.cli.children`). The embedded Redis belongs to whoever uses it (`router.store.embedded`).
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.text import Text

from router.cli.children import Children, Command, Happening, Pace
from router.cli.configuration import CONFIG_VARIABLE, read_settings, read_tenants
from router.cli.errors import ExitCode
from router.cli.output import Screen, counted
from router.settings.model import Settings
from router.store.addresses import parse_address
from router.store.embedded import Embedded, join_embedded


def run_site(screen: Screen, folder: Path) -> ExitCode:
    folder = folder.absolute()
    settings = read_settings(folder, with_asterisk=True)
    embedded = None if settings.redis.url else join_embedded(settings.redis.embedded_folder)
    try:
        _tell_beginning(screen, settings, embedded, _tenants_text(folder, settings))
        asyncio.run(_keep_running(screen, folder))
    finally:
        if embedded is not None:
            embedded.leave()
    _tell(screen, "crmroute", "has stopped.")
    return ExitCode.OK


def become_worker(folder: Path) -> ExitCode:
    """This process becomes the worker, which reads the settings itself; here they are read to fail early."""
    read_settings(folder)
    command = worker_command()
    os.environ[CONFIG_VARIABLE] = str(folder.absolute())
    sys.stdout.flush()
    os.execv(command.arguments[0], command.arguments)  # noqa: S606 - our own interpreter and module


def router_command() -> Command:
    return Command("router", (sys.executable, "-m", "router", "router"))


def worker_command() -> Command:
    return Command("worker", (sys.executable, "-m", "workers"))


async def _keep_running(screen: Screen, folder: Path) -> None:
    def tell(happening: Happening) -> None:
        screen.answer(happening, is_one_of_many=True)
        _tell(screen, happening.child, _sentence(happening))

    environment = {**os.environ, CONFIG_VARIABLE: str(folder)}
    children = Children((router_command(), worker_command()), environment, tell, Pace())
    _on_signals(children.stop)
    await children.run()


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _tenants_text(folder: Path, settings: Settings) -> str:
    if settings.tenants.source == "records":
        return "as they are published (`crmroute admin`, `crmroute apply`)"
    files = read_tenants(folder, settings)
    known, problems = counted(len(files.tenants()), "tenant"), len(files.problems())
    return f"{known}; {counted(problems, 'problem')}, see `crmroute check`" if problems else known


def _tell_beginning(screen: Screen, settings: Settings, embedded: Embedded | None, tenants: str) -> None:
    redis = embedded.text if embedded else f"is at {parse_address(settings.redis.url).shown}"
    _tell(screen, "redis", redis)
    for server in settings.asterisk:
        _tell(screen, "asterisk", f"{server.name} at {server.host}:{server.port}, as {server.username}")
    _tell(screen, "tenants", tenants)


def _sentence(happening: Happening) -> str:
    match happening.what:
        case "started":
            return f"started as process {happening.pid}"
        case "stopping":
            return "was asked to end what it has begun and stop"
        case "killed":
            return "did not stop in time and was killed"
        case _:
            again = f"; starting it again in {happening.again_in_seconds:g} s"
            return f"ended {_end(happening.code or 0)}{again}"


def _end(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"


def _tell(screen: Screen, who: str, what: str) -> None:
    screen.show(Text.assemble((f"{who:<9}", "bold cyan"), what))
