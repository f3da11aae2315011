"""The faulty CRM of a site, as a test commands it."""

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from tests.store.servers import free_ports


class CrmControl:
    """Its ports are chosen here; the site starts the process."""

    def __init__(self, folder: Path) -> None:
        self._certificate = folder / "crm.pem"
        self._port, self._tls_port = free_ports(2)

    def command(self) -> list[str]:
        if not self._certificate.exists():
            write_certificate(self._certificate)
        words = ["--port", self._port, "--tls-port", self._tls_port, "--certificate", self._certificate]
        return [sys.executable, "-m", "tests.faults.crm", *map(str, words)]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def tls_address(self) -> str:
        return f"https://127.0.0.1:{self._tls_port}"

    def behave(
        self,
        what: str = "well",
        *,
        low_ms: float = 0,
        high_ms: float = 0,
        tenant: str = "all",
        text: str = "",
    ) -> None:
        words = urllib.parse.urlencode({"what": what, "low_ms": low_ms, "high_ms": high_ms})
        place = f"{self.address}/behave/{tenant}?{words}"
        request = urllib.request.Request(place, text.encode(), method="POST")  # noqa: S310 - our own CRM
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own CRM

    def seen(self) -> dict[str, int]:
        """How often each caller was looked up."""
        with urllib.request.urlopen(f"{self.address}/seen", timeout=10) as answer:  # noqa: S310 - our own CRM
            found: dict[str, int] = json.load(answer)
            return found


def write_certificate(path: Path) -> None:
    """One that nobody signed, for another name."""
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=elsewhere"]
    files = ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
    path.write_text(Path(f"{path}.key").read_text() + Path(f"{path}.crt").read_text())
