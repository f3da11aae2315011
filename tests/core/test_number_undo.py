"""Taking a list of numbers back touches what the list changed, and nothing that was changed since."""

from router.core.identities import RuleName
from router.core.number_undo import undo_of
from router.core.tenants import Number

DAY, NIGHT, LATE = (RuleName(name) for name in ("Day", "Night", "Late"))
BEFORE = (Number("+1", DAY), Number("+2", DAY), Number("+3", DAY), Number("+7", DAY))
AFTER = (
    Number("+1", NIGHT),
    Number("+2", NIGHT),
    Number("+3", DAY),
    Number("+4", NIGHT),
    Number("+5", NIGHT),
)


def test_what_was_not_touched_since_goes_back() -> None:
    undo = undo_of(BEFORE, AFTER, AFTER)

    assert undo.put == (Number("+1", DAY), Number("+2", DAY), Number("+7", DAY))
    assert undo.removed == ("+4", "+5")
    assert undo.left == ()


def test_what_was_changed_since_stays() -> None:
    now = (
        Number("+1", LATE),
        Number("+2", NIGHT),
        Number("+3", LATE),
        Number("+5", NIGHT),
        Number("+6", LATE),
    )

    undo = undo_of(BEFORE, AFTER, now)

    assert undo.put == (Number("+2", DAY), Number("+7", DAY))
    assert undo.removed == ("+5",)
    assert undo.left == ("+1", "+4")


def test_a_second_time_nothing_is_left_to_do() -> None:
    undo = undo_of(BEFORE, AFTER, BEFORE)

    assert (undo.put, undo.removed) == ((), ())
