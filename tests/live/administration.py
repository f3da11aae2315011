"""A site on a real Asterisk with `crmroute admin` beside it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.sample_site import Process, Site
from tests.live.conftest import free_port

SETTINGS = """
{tenants}
[records]
url = "sqlite:///{folder}/records.db"
[vault]
keys = ["a key of the tests, long enough to be one"]
[admin]
port = {port}
base_url = "http://127.0.0.1:{port}"
"""
FROM_RECORDS = '[tenants]\nsource = "records"'


class Admin:
    """`crmroute admin` of the site."""

    def __init__(self, site: Site, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process: Process = site.start("admin", [sys.executable, "-m", "router", "admin"])
        self._process.wait_for("admin.started")

    @property
    def setup_link(self) -> str:
        found = re.search(r"http\S+/set-up/\S+", self._process.text())
        assert found is not None
        return found[0]


@contextmanager
def administered(
    folder: Path, pbx: RunningAsterisk, *, tenants: str = "", routers: tuple[str, ...] = ("router-a",)
) -> Iterator[tuple[Site, Admin]]:
    """With the sample CRM, a worker and these routers. `tenants`: the settings of where they come from."""
    port = free_port()
    with Site(folder, [pbx], free_port()) as running:
        running.write_local_settings(SETTINGS.format(folder=folder, port=port, tenants=tenants))
        running.start_crm()
        admin = Admin(running, port)
        running.start_worker()
        for name in routers:
            running.start_router(name, name)
        yield running, admin
