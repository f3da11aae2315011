"""The parts of the benchmark, as steps: each is one thing to measure, named for whoever waits for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.ceilings.held import held
from tests.bench.ceilings.router import router_ceiling
from tests.bench.ceilings.workers import worker_ceiling, workers
from tests.bench.options import Options
from tests.bench.peers import PEERS
from tests.bench.runs import Wanted, run
from tests.bench.search import RateSearch

KNOWN_SHARE = 0.8
CRM_MS = 100
"""Where a part has one CRM delay only."""
MOST_ADDED_MS = 50.0
SLOW_SHARE = 0.2
"""Calls of the tenant with the slow CRM, for each of the others."""

Result = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    name: str
    measure: Callable[[Say], list[Result]]
    """May say what it is at, while it measures."""


def steps(options: Options) -> list[Step]:
    return [step for part in options.parts for step in _PARTS[part](options)]


def _delays(options: Options) -> Iterator[Step]:
    for crm_ms in options.crm_ms:
        yield from _each(options, f"CRM {crm_ms} ms", crm_ms=crm_ms)


def _known(options: Options) -> Iterator[Step]:
    yield from _each(options, f"{KNOWN_SHARE:.0%} known", crm_ms=CRM_MS, known=KNOWN_SHARE)


def _beside(options: Options) -> Iterator[Step]:
    """Each rate without and with the slow tenant, one right after the other."""
    for rate in options.rates:
        for peer in (name for name in options.peers if PEERS[name].asks):
            for slow in (0, max(1, round(rate * SLOW_SHARE))):
                wanted = Wanted(peer, rate, options.seconds, CRM_MS, slow_rate=slow)
                beside = f"{slow}/s of a 5 s CRM beside" if slow else "nobody beside"
                yield _run_step(f"{peer}, {rate}/s, {beside}", wanted, "beside")


def _each(options: Options, what: str, *, crm_ms: int, known: float = 0.0) -> Iterator[Step]:
    for rate in options.rates:
        for peer in options.peers:
            wanted = Wanted(peer, rate, options.seconds, crm_ms, known)
            yield _run_step(f"{peer}, {rate}/s, {what}", wanted, "calls")


def _run_step(name: str, wanted: Wanted, what: str) -> Step:
    return Step(name, lambda _: [run(wanted) | {"what": what}])


def _rates(options: Options) -> Iterator[Step]:
    for known in options.search_known:
        for peer in options.peers:
            # One that remembers nobody is as fast with known callers as with new ones.
            if PEERS[peer].asks and (not known or PEERS[peer].remembers):
                yield _search_step(options, peer, known)


def _search_step(options: Options, peer: str, known: float) -> Step:
    def measure(say: Say) -> list[Result]:
        search = RateSearch(options.search_from, options.search_most)
        results = []
        while (rate := search.next()) is not None:
            say(f"{rate}/s")
            result = run(Wanted(peer, rate, options.search_seconds, CRM_MS, known))
            why = fails_by(result)
            search.tell(rate, not why)
            results.append(result | {"what": "tried", "fails_by": why})
        found = {"highest": search.highest, "is_open": search.is_open}
        highest = {"what": "highest", "peer": peer, "known": known, "crm_ms": CRM_MS, **found}
        return [*results, highest]

    share = f"{known:.0%} known" if known else "new callers"
    return Step(f"{peer}, highest rate, {share}", measure)


def fails_by(result: Result) -> str:
    """Why a rate does not hold; empty when it does. A call at the default is a caller at the wrong place."""
    missing = result["calls"] - result["arrived"]
    if missing:
        return f"{missing} of {result['calls']} calls were not where they belong"
    p99 = result["total_ms"].get("p99", 0.0)
    return f"p99 {p99:.0f} ms" if p99 >= result["crm_ms"] + MOST_ADDED_MS else ""


def _router(options: Options) -> Iterator[Step]:
    yield Step("one router, scripted AMI", lambda _: router_ceiling(options.calls))


def _worker(options: Options) -> Iterator[Step]:
    yield Step("one worker, CRM beside it", lambda _: [worker_ceiling(options.calls)])


def _held(options: Options) -> Iterator[Step]:
    yield Step(f"{options.held} calls held", lambda _: [held(options.held)])


def _workers(options: Options) -> Iterator[Step]:
    for number in options.workers:
        yield Step(f"{number} workers, CRM 1 s", partial(_of_workers, number))


def _of_workers(number: int, _say: Say) -> list[Result]:
    return [workers(number)]


_PARTS: dict[str, Callable[[Options], Iterator[Step]]] = {
    "delays": _delays,
    "known": _known,
    "beside": _beside,
    "rates": _rates,
    "router": _router,
    "worker": _worker,
    "held": _held,
    "workers": _workers,
}
