"""The ledger of test calls and its verdicts, from events as Asterisk sends them."""

from collections.abc import Sequence

import pytest

from router.ami.inspection import Headers
from router.cli.prove.account import read_grace
from router.cli.prove.ledger import RIVAL, Ledger, PlacedCall
from router.cli.prove.scenarios import PAUSED, ROUTED, Deed, Scenario, scenarios
from router.cli.prove.verdicts import Row, judge, prove

NUMBER = "482193000700"
GRACE = 2.0
TAKEN = ("RouteTaken", {"To": "route-prove/landed/1"})
GONE = ("RouteGone", {"Where": "landed"})
HUNG_UP = ("RouteGone", {"Where": "parked"})


def defaulted(why: str, claim: str = "0") -> tuple[str, dict[str, str]]:
    return "RouteDefaulted", {"Why": why, "Claim": claim, "To": "route-prove/default/1"}


def event(name: str, at: float, **fields: str) -> Headers:
    said = {"Event": "UserEvent", "UserEvent": name, "Uniqueid": "pbx-a-1.1", "Timestamp": f"{at:.6f}"}
    return {key: [value] for key, value in {**said, **fields}.items()}


def parked(at: float = 100.0, **fields: str) -> Headers:
    said = {"Channel": "Local/1@x-1;2", "Did": NUMBER, "N": "1", "HoldMs": "6000", "Tenant": "crmroute-test"}
    return event("RouteParked", at, **{**said, **fields})


def call_of(*news: tuple[float, tuple[str, dict[str, str]]], wins: int = 0) -> PlacedCall:
    """Parked at 0, and then what happened so many seconds later."""
    ledger = Ledger()
    call = ledger.enter(NUMBER)
    ledger.hear(parked(), 0.0)
    call.wins = wins
    for after, (name, fields) in news:
        ledger.hear(event(name, 100.0 + after, **fields), 0.0)
    return call


def scenario(deed: Deed = Deed.WATCH, ends: Sequence[str] = ("hold",), context: str = PAUSED) -> Scenario:
    return Scenario("x", "x", context, 1, tuple(ends), deed, may_wait_for_grace=deed is not Deed.WATCH)


def test_call_is_known_by_its_number_and_then_by_its_id() -> None:
    call = call_of((6.004, defaulted("hold", "1")), (6.2, ("RouteGone", {"Where": "defaulted"})))

    assert (call.uniqueid, call.hold_seconds, call.is_over, call.wins) == ("pbx-a-1.1", 6.0, True, 1)
    assert call.parked_seconds == pytest.approx(6.004)
    assert [end.what for end in call.ends] == ["defaulted"]


def test_other_calls_of_the_server_are_passed_over() -> None:
    ledger = Ledger()
    call = ledger.enter(NUMBER)

    ledger.hear(parked(Did="33140000001", Uniqueid="pbx-a-1.9"), 0.0)
    ledger.hear(event("RouteTaken", 101.0, Uniqueid="pbx-a-1.9"), 0.0)

    assert not call.is_parked
    assert list(ledger.calls) == [NUMBER]


def test_moments_are_ours_where_asterisk_tells_none() -> None:
    ledger = Ledger()
    call = ledger.enter(NUMBER)
    for headers, arrived_at in ((parked(), 10.0), (event("RouteTaken", 0), 10.25)):
        del headers["Timestamp"]
        ledger.hear(headers, arrived_at)

    assert call.parked_seconds == 0.25


def test_what_a_caller_wrote_into_an_event_is_counted_for_the_call_it_came_with() -> None:
    ledger = Ledger()
    call = ledger.enter(NUMBER)

    ledger.hear({**parked(), "Tenant": ["crmroute-test", RIVAL]}, 0.0)

    assert (call.forged, ledger.forged_events) == (1, 0)


def test_a_whole_event_that_a_caller_wrote_is_counted() -> None:
    ledger = Ledger()
    ledger.enter(NUMBER)

    ledger.hear({"Event": ["UserEvent"], "UserEvent": ["RouteParked"], "Tenant": [RIVAL]}, 0.0)

    assert ledger.forged_events == 1


KEPT = {
    "taken": (scenario(ends=("taken",), context=ROUTED), call_of((0.004, TAKEN), (0.3, GONE))),
    "hold": (scenario(), call_of((6.4, defaulted("hold", "1")))),
    "grace": (scenario(Deed.CLAIM, ("grace",)), call_of((8.4, defaulted("grace", "2")), wins=1)),
    "missing": (scenario(Deed.MISLEAD, ("missing",)), call_of((0.1, defaulted("missing")), wins=1)),
    "race of the dialplan": (scenario(Deed.RACE, ("taken", "hold")), call_of((6.0, defaulted("hold", "1")))),
    "race of a rival": (scenario(Deed.RACE, ("taken", "hold")), call_of((5.99, TAKEN), wins=1)),
    "hung up": (scenario(Deed.HANG_UP, ("gone",)), call_of((2.0, HUNG_UP))),
    "went on": (
        scenario(ends=("taken",), context=ROUTED),
        call_of((0.004, TAKEN), (3.0, defaulted("ended")), (4.0, GONE)),
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_promise_has_no_problem(name: str) -> None:
    row = judge(KEPT[name][0], [KEPT[name][1]], GRACE)

    assert (row.problems, row.mend, row.lost, row.double) == ([], "", 0, 0)


# What was done, the call, the figure that tells it, what is said, and the word that its mend has.
BROKEN: dict[str, tuple[Scenario, PlacedCall, str, str, str]] = {
    "never parked": (scenario(), PlacedCall(NUMBER), "lost", "1 call never parked", "crmroute.conf"),
    "no end": (scenario(), call_of(), "lost", "1 call reached no destination", "crmroute.conf"),
    "hung up by us": (scenario(), call_of((1.0, HUNG_UP)), "lost", "reached no destination", "crmroute.conf"),
    "moved after it left": (
        scenario(Deed.RACE, ("taken", "hold")),
        call_of((6.0, defaulted("hold", "1")), (6.1, TAKEN)),
        "double",
        "1 call moved twice, or after leaving (pbx-a-1.1)",
        "crmroute.conf",
    ),
    "too late for HOLD": (
        scenario(),
        call_of((6.6, defaulted("hold", "1"))),
        "",
        "1 call parked up to 6.600 s, at most 6.5 s promised",
        "crmroute.conf",
    ),
    "too late for GRACE": (
        scenario(Deed.CLAIM, ("grace",)),
        call_of((8.6, defaulted("grace", "2")), wins=1),
        "",
        "parked up to 8.600 s, at most 8.5 s promised",
        "crmroute.conf",
    ),
    "too early": (
        scenario(),
        call_of((3.0, defaulted("hold", "1"))),
        "",
        "left by HOLD after 3.000 s already",
        "crmroute.conf",
    ),
    "two winners": (
        scenario(Deed.RACE, ("taken", "hold")),
        call_of((6.0, TAKEN), wins=2),
        "",
        "1 call with more than one winner",
        "crmroute.conf",
    ),
    "no winner": (
        scenario(Deed.RACE, ("taken", "hold")),
        call_of((6.0, defaulted("hold", "2"))),
        "",
        "1 call with no winner",
        "crmroute.conf",
    ),
    "no router": (
        scenario(ends=("taken",), context=ROUTED),
        call_of((6.0, defaulted("hold", "1"))),
        "",
        "1 call ended otherwise: 1 at the default (hold)",
        "Start a router",
    ),
    "older router": (scenario(), call_of((4.5, TAKEN)), "", "ended otherwise: 1 taken", "older one"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_promise_is_told_with_its_mend(name: str) -> None:
    done, call, figure, said, mend = BROKEN[name]

    row = judge(done, [call], GRACE)

    assert any(said in problem for problem in row.problems), row.problems
    assert mend in row.mend
    assert (row.lost, row.double) == (int(figure == "lost"), int(figure == "double"))


def test_forged_events_fail_the_proof_although_every_call_landed() -> None:
    landed = KEPT["taken"][1]
    rows = [judge(one, [landed] * one.calls, GRACE) for one in scenarios(3)[:3]]

    proof = prove("pbx-a", rows, 6.0, GRACE, forged_events=2)

    assert not proof.is_proven
    assert {row.key: row.problems for row in proof.scenarios if row.problems} == {
        "hostile": ["a caller wrote 2 events of AMI"]
    }


def test_proof_adds_up_its_rows() -> None:
    rows: list[Row] = [judge(*pair, GRACE) for pair in ((KEPT["hold"][0], [KEPT["hold"][1]]),)]
    rows.append(judge(BROKEN["no end"][0], [BROKEN["no end"][1]], GRACE))

    proof = prove("pbx-a", rows, 6.0, GRACE, 0)

    assert (proof.calls, proof.lost, proof.double, proof.is_proven) == (2, 1, 0, False)
    assert proof.parked_seconds == pytest.approx(6.4)


@pytest.mark.parametrize(
    ("told", "grace"),
    [
        ({"grace": "2"}, 2),
        ({"grace": " 5 "}, 5),
        ({"grace": "9"}, 2),
        ({}, 2),
        ({"grace": "${IF($[1]?1:2)}"}, 5),
    ],
)
def test_grace_is_read_as_the_dialplan_reads_it(told: dict[str, str], grace: int) -> None:
    assert read_grace(told) == grace
