"""Days of the week as a rule may write them: English or French, whole or short, or 1 (Monday) to 7."""

from typing import Any

from router.core.comparisons import list_items
from router.core.rules import ORDERING_OPERATORS, Operator

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WRITTEN = (
    ("monday", "mon", "lundi", "lun", "1"),
    ("tuesday", "tue", "tues", "mardi", "mar", "2"),
    ("wednesday", "wed", "mercredi", "mer", "3"),
    ("thursday", "thu", "thur", "thurs", "jeudi", "jeu", "4"),
    ("friday", "fri", "vendredi", "ven", "5"),
    ("saturday", "sat", "samedi", "sam", "6"),
    ("sunday", "sun", "dimanche", "dim", "7"),
)
NUMBER_OF_WEEKDAY = {word: number for number, words in enumerate(_WRITTEN, 1) for word in words}

BY_NUMBER = ORDERING_OPERATORS | {Operator.EQUALS, Operator.DIFFERS, Operator.IN_LIST}
"""Operators that take a weekday as a number; the others see its English name."""


def weekday_number(written: Any) -> int | None:
    """1 for Monday to 7 for Sunday; None for anything else."""
    if isinstance(written, bool) or not isinstance(written, str | int):
        return None
    if isinstance(written, int):
        return written if 1 <= written <= 7 else None
    return NUMBER_OF_WEEKDAY.get(written.strip().rstrip(".").casefold())


def weekday_numbers(operator: Operator, literal: Any) -> list[int]:
    """The weekdays that a line names; words that name none are left out."""
    items = list_items(literal) if operator is Operator.IN_LIST else [literal]
    return [number for item in items if (number := weekday_number(item)) is not None]
