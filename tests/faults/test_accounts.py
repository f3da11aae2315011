"""The ledger check finds what it is there for: calls without an end, and calls with two."""

from deploy.rig.accounts import Account, account_of
from deploy.rig.ledger import parse_ledger_line


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
