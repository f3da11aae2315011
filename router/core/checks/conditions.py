"""Checks of one condition: does it test something, and can the test ever hold?

What a literal means under a type is read with the evaluator's own readings, so that the two never disagree.
"""

import unicodedata
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import re2

from router.core.comparisons import MOST_PATTERN_CHARACTERS, list_items
from router.core.numbers import understand_called
from router.core.problems import Path, Problem, error, warning
from router.core.readings import NotComparable, is_number_shaped
from router.core.rules import (
    OPERATORS_WITHOUT_VALUE,
    ORDERING_OPERATORS,
    CallFact,
    Condition,
    FieldType,
    Operator,
    Rule,
)
from router.core.values import BOOLEAN, EMPTY, NUMBER, TEXT, Side
from router.core.weekdays import WEEKDAYS, weekday_number

DEEPEST_GROUP = 3
BY_WEEKDAY = ORDERING_OPERATORS | {Operator.EQUALS, Operator.DIFFERS, Operator.IN_LIST}
FACT_TYPES = {CallFact.HOUR: FieldType.NUMBER, CallFact.WITHHELD: FieldType.BOOLEAN}
"""Facts that are no texts. The weekday is a kind of its own."""
ONE_OF_THREE = (
    "Write either a test (operator and value), or `all`, or `any`; make two lines where both are meant."
)


def check_condition(
    condition: Condition, path: Path, rule: Rule, country: str, depth: int = 0
) -> Iterator[Problem]:
    """`depth` counts the groups around the condition."""
    groups = [
        (name, members) for name, members in (("all", condition.all), ("any", condition.any)) if members
    ]
    is_test = has_own_test(condition)
    if is_test and groups:
        yield error(path, f"it has a test of its own and a group `{groups[0][0]}`", ONE_OF_THREE)
    elif len(groups) > 1:
        yield error(path, "it has both `all` and `any`", f"{ONE_OF_THREE} Or put one group into the other.")
    elif not is_test and not groups:
        what = "it tests nothing, so it never holds"
        yield error(
            path, what, 'Add operator = "=" and value = "…". For every other call there is `default`.'
        )
    if groups and depth >= DEEPEST_GROUP:
        what = f"groups are nested more than {DEEPEST_GROUP} deep"
        yield error((*path, groups[0][0]), what, "Write several lines instead: the first that holds decides.")
        return
    if is_test:
        yield from _check_test(condition, path, rule, country)
    for name, members in groups:
        for index, member in enumerate(members):
            yield from check_condition(member, (*path, name, index), rule, country, depth + 1)


def has_own_test(condition: Condition) -> bool:
    own = (condition.operator, condition.value, condition.field, condition.call, condition.type)
    return any(part is not None for part in own)


def tests_record(condition: Condition, rule: Rule) -> bool:
    """Whether it asks anything of the CRM's record."""
    if has_own_test(condition) and condition.call is None:
        return True
    return any(tests_record(member, rule) for member in (*condition.all, *condition.any))


def type_of(condition: Condition, rule: Rule) -> FieldType:
    """The type by which the condition compares."""
    if condition.type is not None:
        return condition.type
    if condition.call is not None:
        return FACT_TYPES.get(condition.call, FieldType.TEXT)
    return rule.type if condition.field in (None, rule.field) else FieldType.AUTO


def _check_test(condition: Condition, path: Path, rule: Rule, country: str) -> Iterator[Problem]:
    if condition.field is not None and condition.call is not None:
        what = "it tests a field of the record and a fact of the call at once"
        yield error(path, what, "Leave out `field` or `call`, or write two tests in a group `all`.")
    if condition.field == "":
        yield error((*path, "field"), "the field's name is empty", "Write the CRM's own name of the field.")
    elif condition.field is None and condition.call is None and not rule.field:
        what = "it tests the rule's field, but the rule names none"
        yield error(path, what, "Give the rule a `field`, or the line a `field` or `call` of its own.")
    if condition.operator is None:
        yield error(path, "there is no operator", 'Add operator = "=" or another one.')
        return
    yield from _check_value(condition, condition.operator, (*path, "value"), path, rule, country)


def _check_value(
    condition: Condition, operator: Operator, at: Path, path: Path, rule: Rule, country: str
) -> Iterator[Problem]:
    value = condition.value
    if operator in OPERATORS_WITHOUT_VALUE:
        if value is not None:
            yield warning(at, f"`{operator.value}` takes no value", "Leave it out.")
    elif value is None:
        yield error(path, f"`{operator.value}` needs a value", "Add value = …")
    elif condition.call is CallFact.WEEKDAY:
        yield from _check_weekday(operator, value, at)
    elif operator is Operator.IN_LIST:
        yield from _check_list(condition, value, at, rule, country)
    elif isinstance(value, list):
        yield error(at, f"`{operator.value}` takes one value, not a list", 'Write operator = "in list".')
    elif operator is Operator.MATCHES:
        yield from _check_pattern(value, at)
    else:
        yield from _check_literal(condition, operator, value, at, rule, country)


def _check_weekday(operator: Operator, value: Any, at: Path) -> Iterator[Problem]:
    for item in list_items(value) if operator is Operator.IN_LIST else [value]:
        if operator in BY_WEEKDAY and weekday_number(item) is None:
            what = f"`{item}` is not a day of the week, so nothing equals it"
            yield error(at, what, f"Write {', '.join(WEEKDAYS)}, or 1 (Monday) to 7.")


def _check_list(condition: Condition, value: Any, at: Path, rule: Rule, country: str) -> Iterator[Problem]:
    items = list_items(value)
    if all(Side(item, UTC).kind == EMPTY for item in items):
        yield error(at, "the list is empty, so the test never holds", 'Name the values: ["A", "B"].')
        return
    for index, item in enumerate(items):
        place = (*at, index) if isinstance(value, list) else at
        yield from _check_literal(condition, Operator.IN_LIST, item, place, rule, country)


def _check_pattern(value: Any, at: Path) -> Iterator[Problem]:
    pattern = unicodedata.normalize("NFC", str(value)).strip()
    if not pattern:
        yield error(at, "the pattern is empty", 'For any text write operator = "is not empty".')
        return
    if len(pattern) > MOST_PATTERN_CHARACTERS:
        yield error(at, f"the pattern has more than {MOST_PATTERN_CHARACTERS} characters", "Make it shorter.")
        return
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as refused:
        told = refused.args[0] if refused.args else "it cannot be read"
        reason = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        mend = "It is an RE2 pattern: look-around and back-references do not exist."
        yield error(at, f"the pattern cannot be used: {reason}", mend)


def _check_literal(
    condition: Condition, operator: Operator, value: Any, at: Path, rule: Rule, country: str
) -> Iterator[Problem]:
    """Whether the literal can be compared as the field's type; what cannot never holds."""
    side = Side(value, UTC)
    if side.kind == EMPTY:
        if operator not in (Operator.EQUALS, Operator.DIFFERS, Operator.IN_LIST):
            mend = 'For a field without a value write operator = "is empty".'
            yield error(at, "the value is empty, so the test never holds", mend)
        return
    why = _why_never(type_of(condition, rule), operator, side)
    if why is not None:
        yield error(at, f"the test never holds: {why[0]}", why[1])
    elif condition.call is CallFact.HOUR:
        yield from _check_hour(side, at)
    elif condition.call in (CallFact.CALLER, CallFact.CALLED, CallFact.COUNTRY):
        yield from _check_call_text(condition.call, operator, side, at, country)


def _why_never(type_: FieldType, operator: Operator, side: Side) -> tuple[str, str] | None:
    """Why a test can hold for no value of the field, and how to mend it."""
    if operator in (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH):
        return None
    is_ordering = operator in ORDERING_OPERATORS
    if is_ordering and type_ is not FieldType.TEXT and FieldType.BOOLEAN in (type_, _plain_type(side)):
        return "yes and no have no order", 'Write operator = "=".'
    if type_ is FieldType.AUTO:
        if not is_ordering or side.kind != TEXT or not is_number_shaped(side.clean):
            return None
        type_ = FieldType.NUMBER
    readings: dict[FieldType, tuple[Any, str]] = {
        FieldType.NUMBER: (side.number, "Write a number without quotes, or give the field another type."),
        FieldType.DATE: (side.day, 'Write year, month and day: value = "2026-03-31".'),
        FieldType.BOOLEAN: (side.boolean, "Write true or false."),
    }
    reading, mend = readings.get(type_, (None, ""))
    return (reading.why, mend) if isinstance(reading, NotComparable) else None


def _plain_type(side: Side) -> FieldType:
    return {NUMBER: FieldType.NUMBER, BOOLEAN: FieldType.BOOLEAN}.get(side.kind, FieldType.TEXT)


def _check_hour(side: Side, at: Path) -> Iterator[Problem]:
    number = side.number
    if isinstance(number, NotComparable) or not 0 <= number <= 23 or number != int(number):
        yield error(
            at, f"{side.described} is not an hour", "Hours go from 0 to 23, in the tenant's time zone."
        )


def _check_call_text(
    fact: CallFact, operator: Operator, side: Side, at: Path, country: str
) -> Iterator[Problem]:
    if operator not in (Operator.EQUALS, Operator.DIFFERS, Operator.IN_LIST):
        return
    if fact is CallFact.COUNTRY:
        if len(side.clean) != 2:
            what = f"{side.described} is not the code of a country, so nothing equals it"
            yield warning(at, what, 'Countries are written in two letters, such as "FR".')
        return
    meant = understand_called(side.clean, country)
    if meant != side.clean:
        what = f"numbers are compared as they are dialled from abroad, so nothing equals {side.described}"
        yield warning(at, what, f'Write "{meant}".')
