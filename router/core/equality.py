"""Equality: what `=`, `!=` and `in list` take as the same.

A single value is a list of one. Values are looked up in sets, so a list of ten thousand costs what one does.
"""

from collections.abc import Iterable
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from router.core.judges import Finding, Judge, Judges, always, any_of, by_kind, only, unreadable
from router.core.readings import Day, NotComparable, is_number_shaped
from router.core.rules import FieldType
from router.core.values import BOOLEAN, NUMBER, TEXT, Side


def equal_to(wanted: tuple[Side, ...], declared: FieldType) -> Judges:
    """Judges that hold when the value equals one of the wanted. None of the wanted is empty."""
    match declared:
        case FieldType.TEXT:
            judge = _one_of("text", wanted)
            return by_kind(judge, judge, judge)
        case FieldType.NUMBER:
            if (why := _none_readable("number", wanted)) is not None:
                return only(why)
            judge = _one_of("number", wanted)
            return by_kind(judge, judge, unreadable("number"))
        case FieldType.DATE:
            if (why := _none_readable("day", wanted)) is not None:
                return only(why)
            judge = _on_one_of(wanted)
            return by_kind(judge, unreadable("day"), unreadable("day"))
        case FieldType.BOOLEAN:
            if (why := _none_readable("boolean", wanted)) is not None:
                return only(why)
            judge = _one_of("boolean", wanted)
            return by_kind(judge, judge, judge)
    return by_kind(_equal_text(wanted), _equal_number(wanted), _one_of("boolean", wanted))


def _none_readable(reading: str, wanted: Iterable[Side]) -> NotComparable | None:
    """Why the line's own value cannot be read as the declared type, when none of it can."""
    findings = [getattr(side, reading) for side in wanted]
    unread = [found for found in findings if isinstance(found, NotComparable)]
    return unread[0] if unread and len(unread) == len(findings) else None


def _one_of(reading: str, wanted: tuple[Side, ...]) -> Judge:
    """Holds when the value, read so, is one of the wanted, read likewise."""
    read = attrgetter(reading)
    found = [read(side) for side in wanted]
    unread = next((item for item in found if isinstance(item, NotComparable)), None)
    keys = frozenset(item for item in found if not isinstance(item, NotComparable))
    otherwise: Finding = False if unread is None else unread
    if len(keys) == 1 and unread is None:
        return _is_one(reading, next(iter(keys)))

    def judge(side: Side) -> Finding:
        value = read(side)
        if type(value) is NotComparable:
            return value
        return True if value in keys else otherwise

    return judge


def _is_one(reading: str, key: Any) -> Judge:
    """The judge that most lines of a rule have."""
    read = attrgetter(reading)

    def judge(side: Side) -> Finding:
        value = read(side)
        if value == key:
            return True
        return value if type(value) is NotComparable else False

    return judge


def _on_one_of(wanted: Iterable[Side]) -> Judge:
    """Dates: two moments compare as moments, anything else by its day in the tenant's zone."""
    found = [side.day for side in wanted]
    unread = next((item for item in found if isinstance(item, NotComparable)), None)
    days = [item for item in found if isinstance(item, Day)]
    moments: frozenset[datetime | None] = frozenset(item.moment for item in days if item.moment)
    whole_days: frozenset[date] = frozenset(item.day for item in days if item.moment is None)
    all_days = frozenset(item.day for item in days)
    otherwise: Finding = False if unread is None else unread

    def judge(side: Side) -> Finding:
        value = side.day
        if isinstance(value, NotComparable):
            return value
        if value.moment is None:
            return True if value.day in all_days else otherwise
        return True if value.moment in moments or value.day in whole_days else otherwise

    return judge


def _equal_text(wanted: tuple[Side, ...]) -> Judge:
    """A text of the CRM, no type declared: dates and plain numbers by what they mean, all else as text."""
    booleans = tuple(side for side in wanted if side.kind == BOOLEAN)
    others = tuple(side for side in wanted if side.kind != BOOLEAN)
    dates = tuple(side for side in others if isinstance(side.day, Day))
    judges: list[Judge] = []
    if others:
        by_key = _one_of("key", others)
        judges.append(_if_date(_on_one_of(dates), by_key) if dates else by_key)
    if booleans:
        judges.append(_one_of("boolean", booleans))
    return _any_judge(judges)


def _if_date(on_date: Judge, otherwise: Judge) -> Judge:
    return lambda side: on_date(side) if type(side.day) is Day else otherwise(side)


def _equal_number(wanted: tuple[Side, ...]) -> Judge:
    """A number of the CRM, no type declared: with what reads as a number; with other texts as text."""
    booleans = tuple(side for side in wanted if side.kind == BOOLEAN)
    numeric = tuple(side for side in wanted if side.kind != BOOLEAN and is_meant_as_number(side))
    texts = tuple(side for side in wanted if side.kind == TEXT and not is_meant_as_number(side))
    judges: list[Judge] = []
    if numeric:
        judges.append(_one_of("number", numeric))
    if texts:
        judges.append(_one_of("text", texts))
    if booleans:
        judges.append(_one_of("boolean", booleans))
    return _any_judge(judges) if judges else always(NotComparable("a number compares with one value"))


def is_meant_as_number(side: Side) -> bool:
    return side.kind == NUMBER or (side.kind == TEXT and is_number_shaped(side.clean))


def _any_judge(judges: list[Judge]) -> Judge:
    if len(judges) == 1:
        return judges[0]
    return lambda side: any_of(judge(side) for judge in judges)
