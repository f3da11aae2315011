"""Whose calls a router works on, by what it knows of a server's lease."""

import pytest

from router.core.identities import ServerName
from router.core.leases import (
    LEASE_SECONDS,
    TRY_SECONDS,
    Duty,
    Known,
    Left,
    duty_for,
    gained,
    given_up,
    leave,
    lost,
    told,
    was_taken,
)

PBX, OTHER = ServerName("pbx"), ServerName("other")


@pytest.mark.parametrize(
    ("known", "now", "duty"),
    [
        pytest.param(None, 0.0, Duty.WORK, id="nothing is known"),
        pytest.param(Known(is_ours=True, until=3.0), 1.0, Duty.WORK, id="ours"),
        pytest.param(Known(is_ours=True, until=3.0), 9.0, Duty.WORK, id="ours, and the store is away"),
        pytest.param(Known(is_ours=False, until=3.0), 2.9, Duty.WATCH, id="another's"),
        pytest.param(Known(is_ours=False, until=3.0), 3.0, Duty.WORK, id="another's, and too long ago"),
    ],
)
def test_who_works_on_a_call(known: Known | None, now: float, duty: Duty) -> None:
    assert duty_for(known, now) is duty


def test_what_the_store_says_is_believed_from_when_it_was_asked() -> None:
    known = told({}, [PBX, OTHER], {PBX}, asked_at=10.0)

    assert known == {PBX: Known(True, 10.0 + LEASE_SECONDS), OTHER: Known(False, 10.0 + LEASE_SECONDS)}


def test_a_server_that_was_not_asked_for_stays_as_it_was() -> None:
    before = {OTHER: Known(False, 3.0)}

    assert told(before, [PBX], {PBX}, 1.0)[OTHER] == before[OTHER]


def test_leases_come_and_go() -> None:
    both = told({}, [PBX, OTHER], {PBX, OTHER}, 0.0)
    one = told(both, [PBX, OTHER], {OTHER}, 1.0)

    assert (gained({}, both), lost({}, both)) == ([OTHER, PBX], [])
    assert (gained(both, one), lost(both, one)) == ([], [PBX])
    assert (gained(both, both), lost(both, both)) == ([], [])


def test_giving_up_forgets_what_is_ours_and_no_more() -> None:
    known = told({}, [PBX, OTHER], {PBX}, 0.0)

    assert given_up(known, [PBX, OTHER]) == {OTHER: known[OTHER]}
    assert given_up(known, [OTHER]) == known


OURS_ALONE = Known(is_ours=True, until=3.0)
OURS = Known(is_ours=True, until=3.0, has_others=True)
ANOTHERS = Known(is_ours=False, until=3.0)
ALONE = Left(is_alone=True, next_at=20.0)


@pytest.mark.parametrize(
    ("known", "left", "now", "is_left"),
    [
        pytest.param(OURS_ALONE, Left(), 9.0, False, id="there are no others"),
        pytest.param(OURS, Left(), 9.0, True, id="another hears the server too"),
        pytest.param(ANOTHERS, Left(), 9.0, True, id="another had the lease"),
        pytest.param(None, Left(), 9.0, True, id="nothing was ever told"),
        pytest.param(OURS, Left(next_at=20.0), 9.0, True, id="others take what is left to them"),
        pytest.param(OURS, ALONE, 19.0, False, id="nobody took the last one"),
        pytest.param(ANOTHERS, ALONE, 19.0, False, id="nobody took the last one, whoever had the lease"),
        pytest.param(OURS, ALONE, 20.0, True, id="nobody took the last one, some time ago"),
    ],
)
def test_which_calls_are_left_to_others(known: Known | None, left: Left, now: float, is_left: bool) -> None:
    assert leave(known, left, now)[0] is is_left


def test_of_those_who_are_alone_one_call_now_and_then_is_left() -> None:
    left = was_taken(Left(next_at=15.0), by_another=False, now=10.0)
    moments = [0.5 * number for number in range(20, 120)]

    tried = []
    for now in moments:
        is_left, left = leave(OURS, left, now)
        tried += [now] if is_left else []

    assert tried == [15.0 + TRY_SECONDS * number for number in range(5)]


def test_another_router_that_takes_a_call_is_left_all_of_them_again() -> None:
    left = was_taken(ALONE, by_another=True, now=21.0)

    assert [leave(OURS, left, now)[0] for now in (21.0, 21.1, 21.2)] == [True] * 3
