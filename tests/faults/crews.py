"""The processes of a site: started, signalled and ended by their ids, and what they have said."""

import contextlib
import json
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.rig.sample_site import Process
from tests.faults.plans import ROUTERS


@dataclass(frozen=True)
class LogLine:
    at: float
    """Seconds since the epoch."""
    fields: dict[str, Any]


class Crew:
    """Each process keeps its name over all its lives; `folder` gets a log for each life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, Process] = {}
        self._lives: dict[str, int] = {}

    def begin(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
        life = self._lives[name] = self._lives.get(name, 0) + 1
        process = Process(name, arguments, self.folder / f"{name}.{life}.log", environment)
        self.processes[name] = process
        return process

    def running(self, name: str) -> Process | None:
        process = self.processes.get(name)
        return process if process is not None and not process.has_ended() else None

    def stop(self, name: str, seconds: float = 20.0) -> float:
        """SIGTERM, and SIGKILL to what takes longer; how many seconds it took."""
        began = time.monotonic()
        if (process := self.running(name)) is not None:
            process.signal(signal.SIGCONT)
            process.stop(seconds)
        return time.monotonic() - began

    def ending(self, name: str) -> int:
        """SIGTERM; the exit code."""
        return self.processes[name].end()

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes[name].signal(number)

    @property
    def workers(self) -> list[str]:
        return [name for name in self.processes if name.startswith("worker-") and self.running(name)]

    @property
    def routers(self) -> list[str]:
        return [name for name in ROUTERS if self.running(name)]

    @property
    def all_alive(self) -> bool:
        return not any(process.has_ended() for process in self.processes.values())

    def stop_all(self) -> None:
        for process in self.processes.values():
            if not process.has_ended():
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        for process in self.processes.values():
            process.stop(10)

    def logs(self, *names: str) -> str:
        """What processes of these names have said, over all their lives."""
        paths = [path for name in names for path in sorted(self.folder.glob(f"{name}.*.log"))]
        return "".join(path.read_text(errors="replace") for path in paths)

    def events(self, name: str, event: str) -> list[LogLine]:
        """What a process has said under this event name, in all its lives."""
        found = []
        for text in self.logs(name).splitlines():
            if f'"{event}"' in text:
                with contextlib.suppress(ValueError):
                    fields = json.loads(text)
                    told = fields.get("timestamp")
                    at = datetime.fromisoformat(told).timestamp() if told else 0.0
                    found.append(LogLine(at, fields))
        return [line for line in found if line.fields.get("event") == event]

    def moments(self, name: str, event: str) -> list[float]:
        return [line.at for line in self.events(name, event)]

    def errors_logged(self) -> int:
        """How many errors routers and workers have told in all their lives.

        A Redis that was slow for a moment is none: this machine is shared by all parts of the site.
        """
        lines = self.logs("router-[ab]", "worker-*").splitlines()
        told = [line for line in lines if '"level": "error"' in line and "StoreUnavailable" not in line]
        return len(told) + sum("Traceback" in line for line in lines if line not in told)

    def pids(self, *names: str) -> dict[str, int]:
        return {name: self.processes[name].pid for name in names}
