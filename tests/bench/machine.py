"""Where it was measured: the machine, and the versions of what took part; no host's name, no path."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.rig.asterisk import PROJECT, ROOT

PACKAGES = ("panoramisk", "redis", "hiredis", "httpx", "httpx-aiohttp", "aiohttp", "uvloop", "msgspec")


def described() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "asterisk": _asterisk(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _asterisk() -> str:
    stamp = ROOT / ".complete"
    command = ["asterisk", "-V"]
    told = stamp.read_text() if stamp.exists() else subprocess.check_output(command, text=True)
    return told.strip().removeprefix("Asterisk ")


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
