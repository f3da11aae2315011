"""What crmroute shall reach, held to what was measured. Pure."""

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench.book import Book
from tests.bench.parts import CRM_MS, KNOWN_SHARE

RATE = 100
"""Calls a second of the targets that name no other."""
HELD = 10_000
Where = dict[str, object]
COLD: Where = {"rate": RATE, "crm_ms": CRM_MS, "known": 0.0, "slow_rate": 0}
CACHED: Where = {"rate": RATE, "crm_ms": CRM_MS, "known": KNOWN_SHARE}


@dataclass(frozen=True)
class Verdict:
    what: str
    target: str
    reached: str
    holds: bool | None
    """None: it was not measured."""

    @property
    def word(self) -> str:
        return {True: "reached", False: "missed", None: "not measured"}[self.holds]


def verdicts(book: Book) -> list[Verdict]:
    return [verdict for group in _GROUPS for verdict in group(book)]


def _most(what: str, value: float | None, limit: float, unit: str, decimals: int = 1) -> Verdict:
    target = f"at most {limit:g}{unit}"
    if value is None:
        return Verdict(what, target, "–", None)
    return Verdict(what, target, f"{value:.{decimals}f}{unit}", value <= limit)


def _least(what: str, value: float | None, limit: float, unit: str, decimals: int = 0) -> Verdict:
    target = f"at least {limit:g}{unit}"
    if value is None:
        return Verdict(what, target, "–", None)
    return Verdict(what, target, f"{value:.{decimals}f}{unit}", value >= limit)


def ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _delays(book: Book) -> Iterator[Verdict]:
    def p50(peer: str) -> float | None:
        return book.median("added_ms/p50", "calls", peer=peer, **COLD)

    what = f"added delay, new callers, {RATE}/s, CRM {CRM_MS} ms"
    yield _most(f"{what}: p50 of FastAGI's", ratio(p50("crmroute"), p50("fastagi")), 1.0, " times", 2)
    yield _most(f"{what}: p50 of CURL()'s", ratio(p50("crmroute"), p50("curl")), 2.0, " times", 2)
    yield _most(f"{what}: p99", book.median("added_ms/p99", "calls", peer="crmroute", **COLD), 25.0, " ms")

    known = f"added delay, caller in the cache, {RATE}/s"
    own = book.median("known_callers/total_ms/p50", "calls", peer="crmroute", **CACHED)
    yield _most(f"{known}: p50", own, 2.0, " ms", 2)
    totals = [
        total
        for peer in book.different("peer", "calls", **CACHED)
        if peer not in ("crmroute", "direct")
        and (total := book.median("known_callers/total_ms/p50", "calls", peer=peer, **CACHED)) is not None
    ]
    least = min(totals, default=None)
    yield _least(f"{known}: any peer's total is so many times it", ratio(least, own), 50.0, " times", 1)


def _rates(book: Book) -> Iterator[Verdict]:
    def highest(peer: str, known: float, target: float = math.inf) -> float | None:
        """None, too, when the search ended before the target: the true rate is higher than what was tried."""
        rate = book.median("highest", "highest", peer=peer, known=known)
        is_open = any(one["is_open"] for one in book.results("highest", peer=peer, known=known))
        return None if rate is None or (is_open and rate < target) else rate

    what = "highest rate, no call lost, p99 under the CRM's time + 50 ms"
    yield _least(f"{what}: new callers", highest("crmroute", 0.0, 200), 200, "/s")
    yield _least(f"{what}: {KNOWN_SHARE:.0%} known", highest("crmroute", KNOWN_SHARE, 280), 280, "/s")
    yield _least(
        f"{what}: of FastAGI's", ratio(highest("crmroute", 0.0), highest("fastagi", 0.0)), 1.5, " times", 2
    )


def _cpu(book: Book) -> Iterator[Verdict]:
    def cpu(process: str, peer: str = "crmroute", where: Where = COLD) -> float | None:
        return book.median(f"cpu_ms/{process}", "calls", peer=peer, **where)

    asterisk = ratio(cpu("asterisk"), cpu("asterisk", "curl"))
    yield _most("Asterisk's CPU per call: of CURL()'s", asterisk, 1.1, " times", 2)
    yield _most("router's CPU per call, new callers", cpu("router"), 1.0, " ms", 2)
    mixed, cold = cpu("router", where=CACHED), cpu("router")
    # Of the mixed run, what is left once its new callers have had their share.
    cached = None if mixed is None or cold is None else (mixed - (1 - KNOWN_SHARE) * cold) / KNOWN_SHARE
    yield _most("router's CPU per call, caller in the cache", cached, 0.7, " ms", 2)
    yield _most("worker's CPU per call, new callers", cpu("worker"), 1.2, " ms", 2)


def _ceilings(book: Book) -> Iterator[Verdict]:
    router = book.median("per_core", "router", callers="new")
    lost = [one for one in book.results("router") if one["arrived"] < one["calls"]]
    verdict = _least("one router, scripted AMI, all decided", router, 1000, " calls/s per core")
    yield verdict if not lost else Verdict(verdict.what, verdict.target, f"{verdict.reached}, not all", False)
    yield _least("one worker", book.median("per_core", "worker"), 1000, " look-ups/s per core")

    what = f"{HELD:,} calls held"
    yield _most(f"{what}: memory of each", book.median("kb_per_call", "held", calls=HELD), 4.0, " KB")
    stall = book.figure("worst_stall_ms", "held", calls=HELD)
    yield _most(
        f"{what}: longest stall of the event loop", max(stall.values) if stall else None, 50.0, " ms", 0
    )


def growth(book: Book) -> tuple[int, int, float] | None:
    """From so many workers to so many: the share of linear growth."""
    numbers = sorted(book.different("workers", "workers"))
    if len(numbers) < 2:
        return None
    first, last = numbers[0], numbers[-1]
    few, many = (book.median("per_second", "workers", workers=number) for number in (first, last))
    return (first, last, many / few * first / last) if few and many is not None else None


def _scaling(book: Book) -> Iterator[Verdict]:
    grown = growth(book)
    what = f"workers {grown[0]} to {grown[1]}, CRM 1 s" if grown else "workers, CRM 1 s"
    yield _least(what, grown[2] if grown else None, 0.95, " of linear", 3)

    def p99(slow: bool) -> float | None:
        runs = book.results("beside", peer="crmroute", rate=RATE)
        of_those = [one["added_ms"].get("p99") for one in runs if bool(one["slow_rate"]) == slow]
        values = [float(value) for value in of_those if value is not None]
        return statistics.median(values) if values else None

    alone, beside = p99(False), p99(True)
    more = None if alone is None or beside is None else beside - alone
    yield _most("other tenants beside a 5 s CRM: p99 above theirs alone", more, 10.0, " ms")


_GROUPS: tuple[Callable[[Book], Iterator[Verdict]], ...] = (_delays, _rates, _cpu, _ceilings, _scaling)
