"""An AGI script for each call, as PBXware has it: Asterisk starts a process that asks the CRM.

The script is Perl without modules beyond its core, because an interpreter that starts in milliseconds is what
an expert picks for a process per call: `lookup.agi`.
"""

from collections.abc import Mapping
from pathlib import Path

from tests.bench.peers.peer import BY_LEVEL, LOOKUP_SECONDS, RINGING, Peer, lookup_url

SCRIPT = Path(__file__).with_name("lookup.agi")


class AgiScript(Peer):
    name = "agi"
    title = "AGI script per call"
    modules = ("res_speech.so", "res_agi.so")

    def files(self) -> Mapping[str, str]:
        return {SCRIPT.name: SCRIPT.read_text()}

    def dialplan(self, tenant: int) -> str:
        script = f"${{ASTETCDIR}}/{SCRIPT.name}"
        return f"""
 same => n,{RINGING}
 same => n,AGI(/usr/bin/perl,{script},{lookup_url(self.crms[tenant])},{LOOKUP_SECONDS})
{BY_LEVEL}
"""
