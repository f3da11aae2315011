"""`make bench`: calls through a real Asterisk by SIPp, looked up at a CRM that takes 100 ms; prints JSON.

Everything shares this machine: Asterisk, SIPp, Redis, router, worker, CRM. Every caller is new, so every
look-up is asked of the CRM. The added delay is what crmroute costs a caller: from parked to landed by
Asterisk's own clock, less the CRM's time.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from deploy.rig.asterisk import PROJECT, RunningAsterisk
from deploy.rig.callers import Caller, start_calls
from deploy.rig.sample_site import Site
from tests.bench.listener import Listener, Parking

FOLDER = PROJECT / ".cache" / "bench"
DID = "+33142345001"
STAY_MS = 1000
# Where calls land: what a queue or a phone costs Asterisk afterwards is not what is measured.
LANDING = """
[bench-land]
exten => _[a-z]!,1,NoOp()
 same => n,NoOp()
 same => n,Answer()
 same => n,Wait(10)
"""


def main() -> int:
    arguments = _arguments()
    result = run(arguments.rate, arguments.seconds, arguments.crm_ms, arguments.known)
    print(json.dumps(result, indent=2))
    return 0 if result["lost"] == 0 else 1


def run(rate: int, seconds: int, crm_ms: int, known_callers: int = 0) -> dict[str, Any]:
    """`known_callers`: so many share the calls, after one warm-up call of each; 0: every caller is new."""
    count = rate * seconds
    shutil.rmtree(FOLDER, ignore_errors=True)  # no answer of an earlier run is in the cache
    with RunningAsterisk("pbx-a", verbose=0, dialplan=LANDING) as asterisk, Site(FOLDER, [asterisk]) as site:
        site.write_local_settings('[destinations]\nqueue = "bench-land,{option},1"\n')
        site.start_crm(crm_ms)
        router, worker = site.start_router(), site.start_worker()
        warm = _callers(max(known_callers, 50), first=70_000_000)
        start_calls(asterisk.sip_port, DID, callers=warm, count=len(warm), rate=50, stay_ms=200).wait()
        callers = warm[:known_callers] if known_callers else _callers(count)
        with Listener(asterisk.ami_port, asterisk.ami_secret) as listener:
            before = _cpu_seconds(asterisk.pid, router.pid, worker.pid)
            counts = start_calls(
                asterisk.sip_port, DID, callers=callers, count=count, rate=rate, stay_ms=STAY_MS
            ).wait()
            after = _cpu_seconds(asterisk.pid, router.pid, worker.pid)
        used = [round((late - early) * 1000 / count, 2) for early, late in zip(before, after, strict=True)]
    crm_share = 0 if known_callers else crm_ms
    return {
        "what": "known callers, from the cache" if known_callers else "new callers, each asked of the CRM",
        "calls_per_second": rate,
        "seconds": seconds,
        "crm_ms": crm_ms,
        "sipp": {"successful": counts.successful, "failed": counts.failed},
        **_figures(list(listener.parkings.values()), count, crm_share),
        "cpu_ms_per_call": dict(zip(("asterisk", "router", "worker"), used, strict=True)),
    }


def _figures(parkings: list[Parking], count: int, crm_ms: int) -> dict[str, Any]:
    added = sorted(held * 1000 - crm_ms for one in parkings if (held := one.held_seconds) is not None)
    defaulted = sum(1 for one in parkings if one.landed_at is None and one.defaulted_at is not None)
    figures: dict[str, Any] = {
        "calls": count,
        "taken": len(added),
        "defaulted": defaulted,
        "lost": count - len(added) - defaulted,
    }
    if len(added) > 100:
        cuts = statistics.quantiles(added, n=100)
        figures["added_ms"] = {
            "p50": round(cuts[49], 2),
            "p95": round(cuts[94], 2),
            "p99": round(cuts[98], 2),
            "most": round(added[-1], 2),
        }
    return figures


def _callers(count: int, first: int = 10_000_000) -> list[Caller]:
    return [Caller(f"+336{first + number:08d}") for number in range(count)]


def _cpu_seconds(*pids: int) -> list[float]:
    """User and system time of each process so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = []
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found.append((int(fields[11]) + int(fields[12])) / ticks)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=100, help="calls per second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--crm-ms", type=int, default=100, help="how long the CRM takes")
    parser.add_argument(
        "--known", type=int, default=0, help="so many callers share the calls; 0: all are new"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
