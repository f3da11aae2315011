"""Whose calls a router works on, by what it knows of a server's lease."""

import pytest

from router.core.identities import ServerName
from router.core.leases import LEASE_SECONDS, Duty, Known, duty_for, gained, given_up, lost, told

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
