"""A whole small site on this machine: Asterisk servers, a sample CRM, `crmroute run`, all on loopback.

The demo, the live tests and the benchmark stand on it. Everything is started as a child of this process and
ended by its process id; logs are kept in the site's folder.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.rig.asterisk import PROJECT, RunningAsterisk

START_SECONDS = 30.0
CRM_PORT = 8090
"""Where the sample tenant looks for its CRM."""


class SiteFailed(Exception):
    """A part of the site did not start, or ended by itself."""


class Process:
    """A child process with its output in a file."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                cwd=PROJECT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, count: int = 1, seconds: float = START_SECONDS) -> None:
        """Until the output holds `text` that often; raises SiteFailed if it never does."""
        wait_until(
            lambda: self.text().count(text) >= count or self.has_ended(), seconds, f"{self.name}: {text}"
        )
        if self.text().count(text) < count:
            raise SiteFailed(f"{self.name} ended: {self.text()[-2000:]}")

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self, seconds: float = 20.0) -> None:
        if not self.has_ended():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def end(self, seconds: float = 20.0) -> int:
        """SIGTERM, and the exit code; SIGKILL to what takes longer."""
        self.stop(seconds)
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if not self.has_ended():
            self._process.kill()
        self._process.wait()


class Site:
    """Asterisk servers, a CRM, routers and workers, in one folder."""

    def __init__(self, folder: Path, servers: Sequence[RunningAsterisk], crm_port: int = CRM_PORT) -> None:
        """On another port than the sample tenant names, the site works on a copy of the tenants' files."""
        self.folder = folder
        self.servers = servers
        self.crm_port = crm_port
        self.processes: dict[str, Process] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.config = _config_folder(folder, crm_port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def environment(self, account: str = "router-a") -> dict[str, str]:
        """What crmroute's processes and commands of this site are told."""
        return {
            "CRMROUTE_CONFIG": str(self.config),
            "CRMROUTE__WORKER__HTTPS_ONLY": "false",
            "CRMROUTE__WORKER__ALLOWED_NETWORKS": "127.0.0.0/8",
            "CRMROUTE__REDIS__EMBEDDED_FOLDER": str(self.folder / "redis"),
            "CRMROUTE__ROUTER__NAME": account,
            "CRMROUTE__LOG__FORMAT": "json",
        }

    def write_local_settings(self, more: str = "") -> None:
        """The Asterisk servers, as an operator writes them, and further settings."""
        servers = [
            "\n".join(
                [
                    "[[asterisk]]",
                    f'name = "{server.name}"',
                    'host = "127.0.0.1"',
                    f"port = {server.ami_port}",
                    'username = "router-a"',
                    f'secret = "{server.ami_secret}"',
                ]
            )
            for server in self.servers
        ]
        (self.config / "local.toml").write_text("\n\n".join([*servers, more]) + "\n")

    def start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Process:
        process = Process(name, arguments, self.folder / f"{name}.log", environment or self.environment())
        self.processes[name] = process
        return process

    def start_crm(self, delay_ms: int = 0, port: int = 0, name: str = "crm") -> Process:
        """The site's CRM, or a further one on another port."""
        port = port or self.crm_port
        crm = self.start(
            name,
            [
                sys.executable,
                "-m",
                "deploy.rig.sample_crm",
                "--port",
                str(port),
                "--delay-ms",
                str(delay_ms),
            ],
        )
        wait_until(lambda: _listens(port) or crm.has_ended(), START_SECONDS, "the sample CRM listens")
        return crm

    def start_router(self, name: str = "router-a", account: str = "router-a") -> Process:
        """One router on all servers; returns when it is connected to each."""
        environment = {**self.environment(account), "CRMROUTE__ROUTER__NAME": name}
        for number in range(len(self.servers)):
            environment[f"CRMROUTE__ASTERISK__{number}__USERNAME"] = account
        router = self.start(name, [sys.executable, "-m", "router", "router"], environment)
        router.wait_for("asterisk.connected", len(self.servers))
        return router

    def start_worker(self, name: str = "worker") -> Process:
        worker = self.start(name, [sys.executable, "-m", "workers"])
        worker.wait_for("worker.started")
        return worker

    def redis_pid(self) -> int:
        """The embedded server of this site, known by the socket it was told to listen on."""
        socket_path = str(self.folder / "redis" / "redis.sock")
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = path.read_bytes().decode(errors="replace").replace("\0", " ")
                # Its keeper, a Python, was told the same words.
                if socket_path in command and Path(command.split()[0]).name.endswith("-server"):
                    return int(path.parent.name)
        raise SiteFailed("no embedded Redis runs for this site")

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes.clear()

    def ask(self, *words: str) -> Any:
        """Run one `crmroute` command with --json and read its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "router", *words, "--json"],
            env={**os.environ, **self.environment()},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise SiteFailed(f"crmroute {' '.join(words)}: {done.stderr[-2000:]}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def _config_folder(folder: Path, crm_port: int) -> Path:
    """The project's own configuration, with room for this site's local.toml."""
    config = folder / "config"
    shutil.rmtree(config, ignore_errors=True)
    config.mkdir()
    for name in ("default.toml", "connectors"):
        (config / name).symlink_to(PROJECT / "config" / name)
    if crm_port == CRM_PORT:
        (config / "tenants").symlink_to(PROJECT / "config" / "tenants")
        return config
    (config / "tenants").mkdir()
    for path in (PROJECT / "config" / "tenants").glob("*.toml"):
        (config / "tenants" / path.name).write_text(path.read_text().replace(f":{CRM_PORT}", f":{crm_port}"))
    return config


def wait_until(is_true: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every 20 ms until it is so; raises SiteFailed when it is not in time."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise SiteFailed(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def progress(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """One line for each stage, with its seconds."""
    started = time.monotonic()
    yield
    say(f"{what:<46} {time.monotonic() - started:5.1f} s")
