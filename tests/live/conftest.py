"""What the tests on a real Asterisk stand on: servers, a sample CRM, routers, workers; all real."""

import itertools
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.rig.asterisk import PROJECT, RunningAsterisk, get_asterisk
from deploy.rig.sample_site import Site
from tests.cli.conftest import crmroute as crmroute

HOLD, GRACE = 6, 2


@pytest.fixture(scope="session")
def rig() -> None:
    """Asterisk and SIPp, brought once if they are not here."""
    get_asterisk()
    subprocess.run([PROJECT / "deploy" / "rig" / "get-tools"], check=True)


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    numbers = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"site{next(numbers)}")


@pytest.fixture(scope="module")
def pbx(rig: None) -> Iterator[RunningAsterisk]:
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE) as server:
        yield server


@pytest.fixture(scope="module")
def site(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[Site]:
    """One Asterisk, one router, one worker and the sample CRM, as `make run` has them."""
    with Site(site_folder(), [pbx], free_port()) as running:
        running.write_local_settings()
        running.start_crm()
        running.start_worker()
        running.start_router()
        yield running


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
