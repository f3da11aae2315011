"""A site whose Asterisk is the AMI program: crmroute's real processes, a real Redis, the sample CRM."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, cast

import msgspec

from deploy.rig.asterisk import PROJECT, RunningAsterisk
from deploy.rig.sample_site import Process, Site
from tests.bench.ceilings.loads import Load, LoadResult
from tests.bench.peers.crmroute import SETTINGS, write_tenant
from tests.bench.peers.peer import free_port

STALL_SECONDS = 0.002
"""A beat of the event loop that comes so much late is told of."""


class AmiProgram:
    """The process, told what to play over its standard input."""

    name = "pbx-a"
    ami_secret = "scripted"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.ceilings.ami_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )
        self.ami_port = int(json.loads(self._line())["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, load: Load) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(load) + b"\n")
        self._process.stdin.flush()

    def result(self) -> LoadResult:
        return msgspec.json.decode(self._line(), type=LoadResult)

    def play(self, load: Load) -> LoadResult:
        self.begin(load)
        return self.result()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def scripted_site(
    *, tenants: int = 1, crm_ms: int = 0, rule: str = "", settings: str = ""
) -> Iterator[tuple[Site, AmiProgram]]:
    """Tenants' rules may have further lines; routers and workers are the caller's to start."""
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        AmiProgram() as ami,
        Site(Path(folder), cast("list[RunningAsterisk]", [ami]), port := free_port()) as site,
    ):
        site.write_local_settings(SETTINGS + settings)
        site.start_crm(crm_ms)
        for tenant in range(tenants):
            write_tenant(site, tenant, f"http://127.0.0.1:{port}", rule)
        yield site, ami


def start_watched_router(site: Site) -> Process:
    """A router that tells how late its event loop was: `worst_stall_ms` reads it."""
    environment = site.environment() | {"WATCHED_STALL_SECONDS": str(STALL_SECONDS)}
    command = [sys.executable, "-m", "tests.faults.watched", "router", "router"]
    router = site.start("router", command, environment)
    router.wait_for("asterisk.connected")
    return router


def worst_stall_ms(router: Process, since: int = 0) -> float:
    """Of what the router said behind a length of its log; STALL_SECONDS when it was never later."""
    lines = router.text()[since:].splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{") and "loop.stalled" in line]
    return max((float(one["ms"]) for one in told), default=1000 * STALL_SECONDS)


def rest(seconds: float = 1.5) -> None:
    """Until what follows a call, its record and its end, is done: nobody tells that nothing is left."""
    time.sleep(seconds)
