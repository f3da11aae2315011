"""`crmroute admin` as a process of its own, on a site in a folder."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.store.servers import free_ports

PROGRAM = "import sys; from router.cli import main; sys.exit(main(sys.argv[1:]))"
LOCAL = """
[records]
url = "sqlite:///{folder}/records.db"
[redis]
embedded_folder = "{folder}/redis"
[tenants]
source = "records"
[vault]
keys = ["a key of the tests, long enough to be one"]
[admin]
port = {port}
base_url = "{url}"
[admin.single_sign_on]
issuer = "http://127.0.0.1:9"
client_id = "crmroute"
label = "Acme ID"
"""


class AdminProcess:
    """It listens, and has said its set-up link."""

    def __init__(self, folder: Path, local: str = LOCAL, **told: object) -> None:
        """`local`: the site's settings, with places for `folder`, `port`, `url` and what is `told`."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.setup_link = ""
        (folder / "tenants").mkdir(parents=True)
        (folder / "local.toml").write_text(local.format(folder=folder, port=port, url=self.url, **told))
        command = [sys.executable, "-c", PROGRAM, "--config", str(folder), "admin"]
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
        )

    def __enter__(self) -> Self:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(r"http\S+/set-up/\S+", line):
                self.setup_link = found[0]
            if "admin.started" in line:
                return self
        raise AssertionError("".join(said))

    def stop(self) -> str:
        """Ask it to stop, and wait; what it said meanwhile."""
        self._process.terminate()
        return self._process.communicate(timeout=20)[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process.poll() is None:
                self.stop()
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
