"""The short form: crmroute and a peer at the same time on one Asterisk, so that both meet the same machine.

    python -m tests.bench.short [--write]

What counts is the ratio of the two, held to `short_baseline.json`; whatever slows the machine slows both.
`--write` measures three times and makes the baseline of the middle one.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from deploy.rig.callers import start_calls
from tests.bench.dialplan import TRUNK_ADDRESS, callers, did_of
from tests.bench.figures import figures
from tests.bench.listener import Listener
from tests.bench.stage import SECRET, Stage, staged

BASELINE = Path(__file__).with_name("short_baseline.json")
PEER = "fastagi"
CRM_MS = 20
RATE = 15
CALLS = 150
WARM_CALLS = 30
MOST_FALLEN = 1 / 3
WRITTEN_OF = 3


def measure() -> dict[str, Any]:
    """`ratio` is the peer's added delay for each of crmroute's: higher is better for crmroute."""
    with staged(["crmroute", PEER], [CRM_MS]) as stage:
        _call_both(stage, WARM_CALLS, first=70_000_000)
        with Listener(stage.asterisk.ami_port, SECRET) as listener:
            _call_both(stage, CALLS, first=10_000_000)
        found = {
            peer: figures(
                [call for call in listener.calls if call.did == did_of(peer)], CALLS, lambda _: CRM_MS
            )
            for peer in stage.peers
        }
    p50 = {peer: one["added_ms"].get("p50", 0.0) for peer, one in found.items()}
    arrived = {peer: one["arrived"] for peer, one in found.items()}
    ratio = round(p50[PEER] / p50["crmroute"], 3) if p50["crmroute"] else 0.0
    return {"peer": PEER, "calls": CALLS, "arrived": arrived, "added_p50_ms": p50, "ratio": ratio}


def _call_both(stage: Stage, count: int, first: int) -> None:
    """Calls of both come in turn, a half of their distance apart, and from different callers."""
    placed = []
    for number, peer in enumerate(stage.peers):
        begun = start_calls(
            stage.asterisk.sip_port,
            did_of(peer),
            callers=callers(count, first + number * count),
            count=count,
            rate=RATE,
            stay_ms=200,
            source=TRUNK_ADDRESS,
        )
        placed.append(begun)
        time.sleep(0.5 / RATE)
    for begun in placed:
        begun.wait()


def has_fallen(ratio: float, baseline: float) -> bool:
    return ratio < baseline * (1 - MOST_FALLEN)


def baseline() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(BASELINE.read_text())
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="make the baseline anew")
    if parser.parse_args().write:
        measured = [measure() for _ in range(WRITTEN_OF)]
        middle = statistics.median(one["ratio"] for one in measured)
        chosen = next(one for one in measured if one["ratio"] == middle)
        BASELINE.write_text(json.dumps(chosen, indent=1) + "\n")
        print(json.dumps({"measured": [one["ratio"] for one in measured], **chosen}, indent=1))
        return 0
    measured_once = measure()
    print(json.dumps(measured_once | {"baseline": baseline()["ratio"]}, indent=1))
    return has_fallen(measured_once["ratio"], baseline()["ratio"])


if __name__ == "__main__":
    sys.exit(main())
