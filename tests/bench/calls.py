"""One run of `make bench`, by itself: calls through a real Asterisk at a steady rate; prints JSON.

    python -m tests.bench.calls --peer fastagi --rate 100 --crm-ms 100

Everything shares this machine: Asterisk, SIPp, the CRM, and crmroute or the peer. The added delay is what a
caller waits beyond the CRM's own time, from coming in to landing, by Asterisk's own clock.
"""

import argparse
import json
import sys

from tests.bench.peers import PEERS
from tests.bench.runs import Wanted, run


def main() -> int:
    given = _arguments()
    result = run(Wanted(given.peer, given.rate, given.seconds, given.crm_ms, given.known, given.slow_rate))
    print(json.dumps(result, indent=2))
    return 0 if result["lost"] == 0 else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", choices=PEERS, default="crmroute")
    parser.add_argument("--rate", type=int, default=100, help="calls per second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--crm-ms", type=int, default=100, help="how long the CRM takes")
    parser.add_argument("--known", type=float, default=0.0, help="share of calls whose callers are known")
    parser.add_argument(
        "--slow-rate", type=int, default=0, help="calls per second of a tenant with a 5 s CRM"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
