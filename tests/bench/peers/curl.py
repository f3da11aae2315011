"""Dialplan `CURL()` and a `GotoIf` for each value: what FreePBX's Dynamic Routes generates.

Two lines are better than what it generates: the caller hears ringing, and a CRM that does not answer is
given up in time.
"""

from tests.bench.peers.peer import BY_LEVEL, LOOKUP_SECONDS, RINGING, Peer, lookup_url


class Curl(Peer):
    name = "curl"
    title = "dialplan CURL()"
    modules = ("res_curl.so", "func_curl.so")

    def dialplan(self, tenant: int) -> str:
        url = lookup_url(self.crms[tenant])
        return f"""
 same => n,{RINGING}
 same => n,MSet(CURLOPT(conntimeout)=1,CURLOPT(httptimeout)={LOOKUP_SECONDS})
 same => n,Set(LEVEL=${{CURL({url}${{FILTER(0-9,${{CALLERID(num)}})}})}})
{BY_LEVEL}
"""
