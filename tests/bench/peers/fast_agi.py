"""FastAGI: Asterisk connects to a server for each call, which asks the CRM and sets a variable."""

import json
import sys
from collections.abc import Mapping, Sequence

from deploy.rig.sample_site import Site
from tests.bench.peers.peer import BY_LEVEL, LOOKUP_SECONDS, RINGING, Peer, free_port, lookup_url


class FastAgi(Peer):
    name = "fastagi"
    title = "FastAGI"
    modules = ("res_speech.so", "res_agi.so")

    def __init__(self, crms: Sequence[str]) -> None:
        super().__init__(crms)
        self._port = free_port()

    def dialplan(self, tenant: int) -> str:
        return f"""
 same => n,{RINGING}
 same => n,AGI(agi://127.0.0.1:{self._port}/lookup,{tenant})
{BY_LEVEL}
"""

    def start(self, site: Site) -> Mapping[str, int]:
        given = {
            "port": self._port,
            "urls": [lookup_url(crm) for crm in self.crms],
            "seconds": LOOKUP_SECONDS,
        }
        server = site.start(
            self.name, [sys.executable, "-m", "tests.bench.peers.fast_agi_server", json.dumps(given)]
        )
        server.wait_for("serving")
        return {self.name: server.pid}
