"""No CRM is asked: what a call costs Asterisk and this harness anyway, below every other figure."""

from tests.bench.peers.peer import RINGING, Peer


class Direct(Peer):
    name = "direct"
    title = "no CRM asked"
    asks = False

    def dialplan(self, tenant: int) -> str:
        """The caller's last digit chooses, as it does in the CRM."""
        return f"""
 same => n,{RINGING}
 same => n,Set(LEVEL=$[${{CALLERID(num):-1}} % 3])
 same => n,GotoIf($["${{LEVEL}}" = "0"]?bench-land,gold,1)
 same => n,GotoIf($["${{LEVEL}}" = "1"]?bench-land,silver,1)
 same => n,Goto(bench-land,bronze,1)
"""
