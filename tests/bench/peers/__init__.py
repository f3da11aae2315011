"""What a user would pick instead of crmroute, each as an expert would write it for that way.

Each is a dialplan, what of Asterisk it needs, and a program where it has one. All of them ring, ask the same
CRM for the same field, give up after the same time, and end in the same places. `crmroute` and `direct` (no
CRM at all: what the harness and Asterisk themselves cost) are measured in the same way.
"""

from collections.abc import Mapping

from tests.bench.peers.agi_script import AgiScript
from tests.bench.peers.ari import Ari
from tests.bench.peers.crmroute import Crmroute
from tests.bench.peers.curl import Curl
from tests.bench.peers.direct import Direct
from tests.bench.peers.fast_agi import FastAgi
from tests.bench.peers.peer import Peer

PEERS: Mapping[str, type[Peer]] = {one.name: one for one in (Crmroute, Curl, FastAgi, AgiScript, Ari, Direct)}
