"""What is measured, from the command line: everything, a slice of it, or the short form."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.rig.asterisk import PROJECT
from tests.bench.peers import PEERS

PARTS = {
    "delays": "added delay and CPU per call, every caller new, for each peer, rate and CRM delay",
    "known": "the same with 80 % of the callers known",
    "beside": "the same while another tenant's CRM takes 5 s",
    "rates": "the highest rate that loses no call and stays under the CRM's time + 50 ms",
    "router": "one router's ceiling, on a scripted AMI server",
    "worker": "one worker's ceiling",
    "held": "10,000 calls held at once: memory, and the longest stall of the event loop",
    "workers": "look-ups a second of 1, 2, 4 and 8 workers, with a CRM that takes 1 s",
}
FOLDER = PROJECT / ".cache" / "bench"
DEFAULT_PEERS = ("crmroute", "curl", "fastagi", "agi", "ari", "direct")


@dataclass(frozen=True)
class Options:
    parts: tuple[str, ...] = tuple(PARTS)
    peers: tuple[str, ...] = DEFAULT_PEERS
    rates: tuple[int, ...] = (100,)
    crm_ms: tuple[int, ...] = (20, 100, 1000)
    seconds: int = 30
    """Of each run."""
    search_seconds: int = 15
    """Of each run of a search."""
    search_from: int = 50
    search_most: int = 500
    search_known: tuple[float, ...] = (0.0, 0.8)
    calls: int = 20_000
    """On the scripted AMI server."""
    held: int = 10_000
    workers: tuple[int, ...] = (1, 2, 4, 8)
    into: Path = FOLDER / "result.json"
    page_from: tuple[Path, ...] = ()
    """Measure nothing: make the page of these files."""


SHORT = {
    "rates": (20,),
    "crm_ms": (100,),
    "seconds": 6,
    "search_seconds": 4,
    "search_most": 100,
    "search_known": (0.0,),
    "calls": 2_000,
    "held": 1_000,
    "workers": (1, 2),
}


def parsed(words: Sequence[str] | None = None) -> Options:
    """Raises SystemExit with what is wrong."""
    given = vars(_parser().parse_args(words))
    chosen = SHORT if given.pop("short") else {}
    if given["page_from"]:
        given["page_from"] = tuple(given["page_from"])
    return Options(**{**chosen, **{name: value for name, value in given.items() if value is not None}})


def _parser() -> argparse.ArgumentParser:
    shown = "\n".join(f"  {name:<8} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures crmroute beside what a user would pick instead, on this machine, in one run.",
        epilog=f"parts:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--short", action="store_true", help="every part in a few minutes; figures to look at, not to keep")
    add("--parts", type=_listed(PARTS), metavar="PART,…", help="all unless chosen")
    add("--peers", type=_listed(PEERS), metavar="PEER,…", help=f"of {','.join(PEERS)}")
    add("--rates", type=_numbers, metavar="N,…", help="calls per second of delays, known and beside")
    add("--crm-ms", type=_numbers, metavar="MS,…", help="how long the CRM takes, for delays")
    add("--seconds", type=int, help="of each run")
    add("--search-seconds", type=int, help="of each run of a search for the highest rate")
    add("--search-from", type=int, metavar="N", help="the search's first rate")
    add("--search-most", type=int, metavar="N", help="the search's highest rate")
    add("--search-known", type=_shares, metavar="SHARE,…", help="shares of known callers to search with")
    add("--calls", type=int, help="on the scripted AMI server, for router and worker")
    add("--held", type=int, help="calls held at once")
    add("--workers", type=_numbers, metavar="N,…", help="how many workers, one after the other")
    add("--into", type=Path, metavar="FILE", help="the JSON file; .cache/bench/result.json unless named")
    add("--page-from", type=Path, nargs="+", metavar="FILE", help="make docs/benchmarks.md of JSON files")
    return parser


def _listed(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: known are {', '.join(known)}")
        return names

    return read


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _shares(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))
