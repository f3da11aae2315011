"""The targets are held to what the files say, and what nobody measured is neither reached nor missed."""

from typing import Any

from tests.bench.book import Book
from tests.bench.files import Measurement
from tests.bench.parts import fails_by
from tests.bench.targets import Verdict, verdicts


def book(*results: dict[str, Any]) -> Book:
    return Book([Measurement("2026-01-01T00:00:00+00:00", {}, {}, results)])


def found(book_: Book, beginning: str) -> Verdict:
    return next(verdict for verdict in verdicts(book_) if verdict.what.startswith(beginning))


def calls(peer: str, p50: float, p99: float = 10.0, cpu: float = 5.0) -> dict[str, Any]:
    added = {"p50": p50, "p95": p99, "p99": p99, "most": p99}
    return {
        "what": "calls", "peer": peer, "rate": 100, "crm_ms": 100, "known": 0.0, "slow_rate": 0,
        "added_ms": added, "cpu_ms": {"asterisk": cpu, "router": 0.9, "worker": 1.3},
    }  # fmt: skip


def beside(p99: float, slow_rate: int) -> dict[str, Any]:
    return {
        "what": "beside",
        "peer": "crmroute",
        "rate": 100,
        "slow_rate": slow_rate,
        "added_ms": {"p99": p99},
    }


def highest(peer: str, rate: int, is_open: bool = False) -> dict[str, Any]:
    return {"what": "highest", "peer": peer, "known": 0.0, "highest": rate, "is_open": is_open}


def test_nothing_measured_is_neither_reached_nor_missed() -> None:
    assert {verdict.word for verdict in verdicts(book())} == {"not measured"}


def test_delays_are_held_to_the_peers_of_the_same_run() -> None:
    slow = book(calls("crmroute", 5.0), calls("curl", 2.4), calls("fastagi", 4.8))
    quick = book(calls("crmroute", 4.7), calls("curl", 2.4), calls("fastagi", 4.8))
    what = "added delay, new callers, 100/s, CRM 100 ms: p50 of"

    assert (found(slow, f"{what} FastAGI").word, found(slow, f"{what} CURL").word) == ("missed", "missed")
    assert (found(quick, f"{what} FastAGI").word, found(quick, f"{what} CURL").word) == ("reached", "reached")


def test_cpu_is_held_to_its_limits() -> None:
    measured = book(calls("crmroute", 5.0, cpu=5.4), calls("curl", 2.4, cpu=5.0))

    assert found(measured, "Asterisk's CPU").reached == "1.08 times"
    assert found(measured, "router's CPU per call, new").word == "reached"
    assert found(measured, "worker's CPU").word == "missed"


def test_a_search_that_ended_below_the_target_by_its_own_limit_says_nothing() -> None:
    what = "highest rate, no call lost, p99 under the CRM's time + 50 ms: new"

    assert found(book(highest("crmroute", 100, is_open=True)), what).word == "not measured"
    assert found(book(highest("crmroute", 250, is_open=True)), what).word == "reached"
    assert found(book(highest("crmroute", 150)), what).word == "missed"


def test_other_tenants_are_held_to_themselves_without_the_slow_one() -> None:
    assert found(book(beside(12.0, 0), beside(21.0, 20)), "other tenants").word == "reached"
    assert found(book(beside(12.0, 0), beside(23.0, 20)), "other tenants").word == "missed"


def test_scaling_is_the_share_of_linear_growth() -> None:
    one, eight = (
        {"what": "workers", "workers": n, "per_second": rate} for n, rate in ((1, 50.0), (8, 370.0))
    )

    assert found(book(one, eight), "workers 1 to 8").reached == "0.925 of linear"


def test_figures_of_several_files_are_their_median() -> None:
    files = [book(calls("crmroute", p50)).measurements[0] for p50 in (4.0, 9.0, 5.0)]

    figure = Book(files).figure("added_ms/p50", "calls", peer="crmroute")

    assert figure is not None
    assert figure.shown() == "5.0 (4.0–9.0)"


def test_a_rate_fails_by_a_call_at_another_place_and_by_its_p99() -> None:
    good = {"calls": 100, "arrived": 100, "crm_ms": 100, "total_ms": {"p99": 149.0}}

    assert fails_by(good) == ""
    assert fails_by(good | {"arrived": 99}) == "1 of 100 calls were not where they belong"
    assert fails_by(good | {"total_ms": {"p99": 150.0}}) == "p99 150 ms"
