"""An ARI Stasis application: Asterisk tells it of each call, and it continues the call in the dialplan."""

import json
import sys
from collections.abc import Mapping, Sequence

from deploy.rig.sample_site import Site
from tests.bench.peers.peer import LEVELS, LOOKUP_SECONDS, RINGING, Peer, free_port, lookup_url

APPLICATION = "crm-lookup"
ACCOUNT, PASSWORD = "lookup", "lookup"


class Ari(Peer):
    name = "ari"
    title = "ARI Stasis"
    modules = (
        "res_http_websocket.so",
        "res_websocket_client.so",
        "res_stasis_answer.so",
        "res_stasis_playback.so",
        "res_stasis_recording.so",
        "res_stasis_snoop.so",
        "app_stasis.so",
        "res_ari.so",
        "res_ari_model.so",
        "res_ari_applications.so",
        "res_ari_channels.so",
        "res_ari_events.so",
    )

    def __init__(self, crms: Sequence[str]) -> None:
        super().__init__(crms)
        self._port = free_port()

    def files(self) -> Mapping[str, str]:
        http = (
            f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {self._port}\nsessionlimit = 1000\n"
        )
        user = f"[{ACCOUNT}]\ntype = user\nread_only = no\npassword = {PASSWORD}\n"
        return {"http.conf": http, "ari.conf": f"[general]\nenabled = yes\n\n{user}"}

    def dialplan(self, tenant: int) -> str:
        """The last line serves when the application is not there: Stasis() then goes on at once."""
        return f"""
 same => n,{RINGING}
 same => n,Stasis({APPLICATION},{tenant})
 same => n,Goto(bench-land,default,1)
"""

    def start(self, site: Site) -> Mapping[str, int]:
        given = {
            "ari": f"http://127.0.0.1:{self._port}/ari",
            "application": APPLICATION,
            "account": [ACCOUNT, PASSWORD],
            "urls": [lookup_url(crm) for crm in self.crms],
            "seconds": LOOKUP_SECONDS,
            "levels": LEVELS,
        }
        server = site.start(
            self.name, [sys.executable, "-m", "tests.bench.peers.ari_server", json.dumps(given)]
        )
        server.wait_for("serving")
        return {self.name: server.pid}
