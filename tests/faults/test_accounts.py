"""The ledger check finds what it is there for: calls without an end, and calls with two."""

from deploy.rig.accounts import Account, account_of, without_refused
from deploy.rig.ledger import parse_ledger_line
from tests.faults.rows import Finding


def account(*texts: str, placed: int | None = None, may_hang_up: bool = False) -> Account:
    parsed = [
        parse_ledger_line(f"[2026-11-27 05:18:{number:02d}.250] VERBOSE[7][C-1] app_verbose.c: route {text}")
        for number, text in enumerate(texts)
    ]
    return account_of([line for line in parsed if line is not None], placed, may_hang_up=may_hang_up)


def test_a_taken_call_is_neither_lost_nor_double() -> None:
    found = account("parked a n=1 tenant=t", "taken a n=1 to=x/y/1", "gone a n=1 where=landed", placed=1)

    assert (found.calls, found.lost, found.double) == (1, 0, 0)
    assert found.longest_parked() == 1.0
    assert found.share_taken("x/y/1") == 1.0
    assert found.share_taken("x/z/1") == 0.0


def test_a_call_that_was_never_parked_is_lost() -> None:
    assert account(placed=1).lost == 1


def test_a_call_without_an_end_is_lost() -> None:
    assert account("parked a n=1 tenant=t").lost == 1


def test_a_parked_call_that_goes_is_lost_unless_its_caller_may_hang_up() -> None:
    texts = ("parked a n=1 tenant=t", "gone a n=1 where=parked")

    assert account(*texts).lost == 1
    assert account(*texts, may_hang_up=True).lost == 0


def test_a_call_that_was_moved_twice_is_double() -> None:
    found = account("parked a n=1 tenant=t", "defaulted a n=1 why=hold to=x/y/1", "taken a n=1 to=x/z/1")

    assert (found.lost, found.double) == (0, 1)


def test_a_destination_that_ended_and_led_to_the_default_is_not_double() -> None:
    found = account("parked a n=1 tenant=t", "taken a n=1 to=x/z/1", "defaulted a n=1 why=ended to=x/y/1")

    assert found.double == 0


def test_calls_are_told_apart_by_when_they_were_parked() -> None:
    found = account("parked a n=1 tenant=t", "parked b n=1 tenant=t", "taken b n=1 to=x/y/1")
    second = found.parkings[1].parked_at

    assert [one.uniqueid for one in found.parked_between(second).parkings] == ["b"]
    assert [one.uniqueid for one in found.parked_between(0, second).parkings] == ["a"]


ONE_OF_THREE = ("parked a n=1 tenant=t", "taken a n=1 to=x/y/1", "gone a n=1 where=landed")


def test_a_call_that_asterisk_turned_away_before_it_was_one_is_refused() -> None:
    found = without_refused(account(*ONE_OF_THREE, placed=3), turned_away=2, begun=1)

    assert (found.calls, found.refused, found.lost) == (1, 2, 0)


def test_a_call_that_the_dialplan_began_with_is_lost_whatever_its_caller_was_answered() -> None:
    found = without_refused(account(*ONE_OF_THREE, placed=3), turned_away=2, begun=2)

    assert (found.calls, found.refused, found.lost) == (2, 1, 1)


def test_a_missing_call_whose_caller_was_not_turned_away_is_lost() -> None:
    found = without_refused(account(*ONE_OF_THREE, placed=3), turned_away=0, begun=1)

    assert (found.refused, found.lost) == (0, 2)


def test_a_parked_call_is_never_refused() -> None:
    found = without_refused(account("parked a n=1 tenant=t", placed=1), turned_away=9, begun=0)

    assert (found.refused, found.lost) == (0, 1)


def test_a_row_tells_the_refused_and_is_a_miss_when_they_are_many() -> None:
    few, many = Account((), refused=1), Account((), refused=2)

    assert (Finding(1, "few").row(few).refused, Finding(1, "few").row(few).is_passed) == (1, True)
    assert "Asterisk refused 2 of 2 calls" in Finding(1, "many").row(many).verdict
