"""Instances that a killed run left behind: known by the lock that nobody holds, ended and removed."""

import contextlib
import fcntl
import os
import shutil
import signal
from pathlib import Path
from typing import IO


def remove_leftovers(instances: Path) -> None:
    """Kill and remove what runs that were killed left: instances whose lock nobody holds."""
    for directory in instances.iterdir():
        lock = locked_or_none(directory)
        if lock is None:
            continue
        with lock:
            _kill_leftover(directory)
            shutil.rmtree(directory, ignore_errors=True)


def _kill_leftover(directory: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid = int((directory / "pid").read_text())
        # The number may be another program's by now: only a command line that names this directory is ours.
        if directory.name in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)


def locked(directory: Path) -> IO[str]:
    lock = (directory / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def locked_or_none(directory: Path) -> IO[str] | None:
    """The lock of an abandoned instance, or None when its owner lives or it is just being made."""
    try:
        lock = (directory / "lock").open("r+")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
