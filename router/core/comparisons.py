"""How a value compares with what a line says, under each operator and field type.

A test is compiled once, with the rule, and put to a value by one call. The table
`tests/core/comparison_table.py` has examples of every rule here and in the modules of its parts:
`router.core.equality`, `router.core.orders`. `docs/rule-language.md` shows it to admins.
"""

from datetime import tzinfo
from typing import Any

import re2
from msgspec import Struct

from router.core.equality import equal_to
from router.core.judges import Finding, Judge, Judges, by_kind, is_empty_judges, negated, only, with_list
from router.core.orders import ordered
from router.core.readings import NotComparable, quoted
from router.core.rules import ORDERING_OPERATORS, FieldType, Operator
from router.core.values import EMPTY, LIST, OTHER, Side

MOST_PATTERN_CHARACTERS = 1_000
PATTERN_BYTES = 2 << 20  # a rule may have a thousand patterns; RE2's own limit is 8 MiB for each


class Test(Struct, frozen=True):
    """One operator with its literal, ready to be put to any value."""

    __test__ = False  # pytest would collect it

    operator: Operator | None
    literal: Any
    judges: Judges

    def finding(self, side: Side) -> Finding:
        return self.judges[side.kind](side)


def compile_test(operator: Operator, literal: Any, type: FieldType, zone: tzinfo) -> Test:  # noqa: A002 - as files do
    """Prepare a test. `zone` says which day a moment belongs to; sides must be made with the same one."""
    return Test(operator, literal, _judges_of(operator, literal, type, zone))


def never(operator: Operator | None, literal: Any, why: str) -> Test:
    """A test that cannot be put to any value."""
    return Test(operator, literal, only(NotComparable(why)))


def _judges_of(operator: Operator, literal: Any, declared: FieldType, zone: tzinfo) -> Judges:
    if operator is Operator.IS_EMPTY:
        return is_empty_judges()
    if operator is Operator.IS_NOT_EMPTY:
        return negated(is_empty_judges())
    if operator is Operator.IN_LIST:
        return _in_list(literal, declared, zone)
    wanted = Side(literal, zone)
    if literal is None:
        return only(NotComparable("the line gives no value"))
    if isinstance(literal, list | tuple):
        return only(NotComparable("this operator takes one value, not a list"))
    if wanted.kind == OTHER:
        return only(NotComparable("the line's value is an object or too large to compare"))
    match operator:
        case Operator.EQUALS:
            return is_empty_judges() if wanted.kind == EMPTY else equal_to((wanted,), declared)
        case Operator.DIFFERS:
            return negated(is_empty_judges() if wanted.kind == EMPTY else equal_to((wanted,), declared))
    if wanted.kind == EMPTY:
        return only(NotComparable("the line gives no value"))
    if operator in ORDERING_OPERATORS:
        return ordered(operator, wanted, declared)
    if operator is Operator.MATCHES:
        return _matching(wanted)
    return _text_judges(operator, wanted, declared)


def _in_list(literal: Any, declared: FieldType, zone: tzinfo) -> Judges:
    wanted = [Side(item, zone) for item in list_items(literal)]
    wanted = [side for side in wanted if side.kind != EMPTY]
    return equal_to(tuple(wanted), declared) if wanted else only(NotComparable("the list is empty"))


def list_items(literal: Any) -> list[Any]:
    """The items of a list, or of a text: by line and `;` or, where there is neither, by comma."""
    if isinstance(literal, list | tuple):
        return list(literal)
    if not isinstance(literal, str):
        return [literal]
    text = literal.replace("\r", "\n").replace("\n", ";")
    return text.split(";" if ";" in text else ",")


def _text_judges(operator: Operator, wanted: Side, declared: FieldType) -> Judges:
    text = wanted.text
    match operator:
        case Operator.STARTS_WITH:
            return _by_text(lambda side: side.text.startswith(text))
        case Operator.ENDS_WITH:
            return _by_text(lambda side: side.text.endswith(text))
    # A list contains what one of its items equals; a text contains what stands anywhere in it.
    return with_list(_by_text(lambda side: text in side.text), equal_to((wanted,), declared)[LIST])


def _by_text(judge: Judge) -> Judges:
    return by_kind(judge, judge, judge)


def _matching(wanted: Side) -> Judges:
    pattern = _pattern(wanted)
    if isinstance(pattern, NotComparable):
        return only(pattern)
    search = pattern.search
    return _by_text(lambda side: search(side.encoded) is not None)


def _pattern(wanted: Side) -> Any:
    """The compiled pattern, or why there is none. RE2 searches in linear time whatever the pattern."""
    if len(wanted.clean) > MOST_PATTERN_CHARACTERS:
        return NotComparable(f"the pattern {quoted(wanted.clean)} is too long")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.max_mem = PATTERN_BYTES
    try:
        return re2.compile(wanted.encoded, options)
    except re2.error:
        return NotComparable(f"{quoted(wanted.clean)} is not a pattern that can be used")
