"""Lines that no call can reach, because an earlier line takes every call that they would take.

Said only where it is certain: `covers(earlier, later)` is true when `later` cannot hold without `earlier`
holding too. What is too clever for it passes in silence.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from router.core.checks.conditions import has_own_test, type_of
from router.core.comparisons import compile_test, list_items
from router.core.problems import Path, Problem, warning
from router.core.readings import Day, NotComparable, is_number_shaped
from router.core.rules import ORDERING_OPERATORS, CallFact, Condition, FieldType, Operator, Rule
from router.core.values import EMPTY, NUMBER, TEXT, Side

MOST_LINES = 400
"""Comparing each line with each earlier one takes its square in time."""
LAST_HOUR = 23
UPWARD = frozenset({Operator.GREATER, Operator.AT_LEAST})
INCLUSIVE = frozenset({Operator.AT_LEAST, Operator.AT_MOST})
TEXT_TESTS = frozenset({Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES})
HOLDS_WHEN_EMPTY = frozenset({Operator.IS_EMPTY, Operator.DIFFERS})


def check_reach(rule: Rule, path: Path) -> Iterator[Problem]:
    lines = rule.lines[:MOST_LINES]
    for number, line in enumerate(lines):
        at = (*path, "lines", number)
        for earlier_number, earlier in enumerate(lines[:number]):
            if always_holds(earlier):
                what = f"line {earlier_number + 1} always holds, so line {number + 1} is never reached"
                yield warning(at, what, f"Remove it, or move it above line {earlier_number + 1}.")
                break
            if covers(earlier, line, rule):
                what = f"line {earlier_number + 1} takes every call that line {number + 1} would take"
                yield warning(at, what, f"Move it above line {earlier_number + 1}, or remove it.")
                break


def always_holds(condition: Condition) -> bool:
    """Whether it holds for every call, whatever the CRM says: only a test of the call itself can."""
    if condition.any and not has_own_test(condition) and not condition.all:
        return any(always_holds(member) for member in condition.any)
    if condition.all and not has_own_test(condition) and not condition.any:
        return all(always_holds(member) for member in condition.all)
    if condition.call is not CallFact.HOUR or condition.operator not in ORDERING_OPERATORS:
        return False
    test = compile_test(condition.operator, condition.value, FieldType.NUMBER, UTC)
    return all(test.finding(Side(hour, UTC)) is True for hour in range(LAST_HOUR + 1))


def covers(earlier: Condition, later: Condition, rule: Rule) -> bool:
    if _shape(earlier) == _shape(later):
        return True
    if later.all and any(covers(earlier, member, rule) for member in later.all):
        return True
    if later.any and all(covers(earlier, member, rule) for member in later.any):
        return True
    if earlier.any and any(covers(member, later, rule) for member in earlier.any):
        return True
    if earlier.all and all(covers(member, later, rule) for member in earlier.all):
        return True
    if earlier.all or earlier.any or later.all or later.any:
        return False
    return _subject(earlier, rule) == _subject(later, rule) and _test_covers(earlier, later, rule)


def _shape(condition: Condition) -> tuple[object, ...]:
    """The condition without a line's destination. True and 1 differ, as do 1 and "1"."""
    return (
        condition.operator,
        repr(condition.value),
        condition.field,
        condition.call,
        condition.type,
        tuple(_shape(member) for member in condition.all),
        tuple(_shape(member) for member in condition.any),
    )


def _subject(condition: Condition, rule: Rule) -> tuple[object, ...]:
    field = None if condition.call else (condition.field or rule.field)
    return field, condition.call, type_of(condition, rule)


def _test_covers(earlier: Condition, later: Condition, rule: Rule) -> bool:
    first, second, type_ = earlier.operator, later.operator, type_of(earlier, rule)
    if first is None or second is None:
        return False
    wanted = _wanted(later)
    if wanted:
        return all(_takes(earlier, first, value, type_) for value in wanted)
    if first is Operator.IS_NOT_EMPTY:
        return second not in HOLDS_WHEN_EMPTY and second is not Operator.EQUALS
    if first in ORDERING_OPERATORS and second in ORDERING_OPERATORS:
        return _range_covers(earlier, later, type_)
    return _part_covers(earlier, later, type_)


def _wanted(condition: Condition) -> list[Side]:
    """The values of which the field must have one for the test to hold; empty for any other test."""
    if condition.operator is Operator.EQUALS:
        sides = [Side(condition.value, UTC)]
    elif condition.operator is Operator.IN_LIST:
        sides = [Side(item, UTC) for item in list_items(condition.value)]
    else:
        return []
    return [side for side in sides if side.kind != EMPTY]


def _takes(condition: Condition, operator: Operator, value: Side, type_: FieldType) -> bool:
    """Whether a field that equals `value` makes the test hold, however the CRM writes it."""
    if operator in (Operator.DIFFERS, Operator.CONTAINS):
        return False  # a field with several values may equal this one and hold others
    is_number = value.kind == NUMBER or is_number_shaped(value.clean)
    if operator in TEXT_TESTS and is_number:
        return False  # `10` equals `10.0`, which is another text
    if _has_moment(value) or _has_moment(Side(condition.value, UTC)):
        return False  # a moment equals its whole day
    test = compile_test(operator, condition.value, type_, UTC)
    spellings = (value, Side(value.clean, UTC))
    return all(test.finding(spelling) is True for spelling in spellings)


def _has_moment(side: Side) -> bool:
    return isinstance(side.day, Day) and side.day.moment is not None


def _range_covers(earlier: Condition, later: Condition, type_: FieldType) -> bool:
    first, second = _bound(earlier, type_), _bound(later, type_)
    is_upward = earlier.operator in UPWARD
    if first is None or second is None or first[0] != second[0] or is_upward != (later.operator in UPWARD):
        return False
    if first[1] == second[1]:
        return earlier.operator in INCLUSIVE or later.operator not in INCLUSIVE
    return bool(second[1] > first[1] if is_upward else second[1] < first[1])


def _bound(condition: Condition, type_: FieldType) -> tuple[str, Any] | None:
    """What the evaluator orders by, and the bound. None: it orders nothing, or moments."""
    side = Side(condition.value, UTC)
    if type_ is FieldType.TEXT:
        return "text", side.text
    is_number = side.kind == NUMBER or (side.kind == TEXT and is_number_shaped(side.clean))
    if type_ is FieldType.NUMBER or (type_ is FieldType.AUTO and is_number):
        return None if isinstance(side.number, NotComparable) else ("number", side.number)
    if isinstance(side.day, Day) and side.day.moment is None:
        return "day", side.day.day
    return None


def _part_covers(earlier: Condition, later: Condition, type_: FieldType) -> bool:
    """`starts with "go"` covers `starts with "gold"`; so does `contains` where the field is one text."""
    if earlier.operator != later.operator or earlier.value is None or later.value is None:
        return False
    part, whole = Side(earlier.value, UTC).text, Side(later.value, UTC).text
    match earlier.operator:
        case Operator.STARTS_WITH:
            return whole.startswith(part)
        case Operator.ENDS_WITH:
            return whole.endswith(part)
        case Operator.CONTAINS:
            return type_ is FieldType.TEXT and part in whole
    return False
