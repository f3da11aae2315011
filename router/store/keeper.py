"""The embedded server's parent: `python -m router.store.keeper <folder> <data> <server command …>`.

It starts the server, starts it again should it die, and ends it when nobody uses it any longer
(`router.store.embedded` tells how that is known). It ends the process it started, by its id, and no other.

The command returns when the server answers, or fails when it does not; the keeper itself stays behind, as no
child of the process that happened to be first. `<data>` is a folder to remove at the end, or `-`.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

START_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.2
RESTART_SECONDS = 1.0
END_SECONDS = 10.0
USERS_LOCK = "users.lock"
SOCKET_NAME = "redis.sock"
NO_DATA = "-"
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def answers(socket_path: Path) -> bool:
    """Whether a server answers on the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def main(folder: Path, passing_data: Path | None, command: list[str]) -> int:
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        with os.fdopen(read_end, "rb") as said:
            return 0 if said.read() == b"up" else 1
    os.close(read_end)
    os.setsid()
    # A terminal's Ctrl-C and a service's stop are for the users; the server stays until they have left.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(write_end, "wb") as starter:
        server = _start(command)
        if not _came_up(server, folder / SOCKET_NAME):
            _end(server)
            return 1
        starter.write(b"up")
    _keep(server, folder, passing_data, command)
    return 0


def _keep(
    server: "subprocess.Popen[bytes]", folder: Path, passing_data: Path | None, command: list[str]
) -> None:
    with (folder / USERS_LOCK).open("ab") as users_lock:
        try:
            while not _is_alone(users_lock):
                if server.poll() is not None:
                    time.sleep(RESTART_SECONDS)
                    server = _start(command)
                time.sleep(LOOK_EVERY_SECONDS)
        finally:
            _end(server)
            # Still under the lock: nobody can have started the next server yet.
            if passing_data is not None:
                shutil.rmtree(passing_data, ignore_errors=True)


def _came_up(server: "subprocess.Popen[bytes]", socket_path: Path) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        if answers(socket_path):
            return True
        time.sleep(0.02)
    return False


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    def heed_signals() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=heed_signals)  # noqa: S603 - our own command


def _is_alone(users_lock: BinaryIO) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _end(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), None if sys.argv[2] == NO_DATA else Path(sys.argv[2]), sys.argv[3:]))
