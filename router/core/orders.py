"""Order: `<`, `>`, `<=` and `>=`.

What the two sides are read as follows from the declared type or else from the line's own value: where that
reads as a number or a date, the field must too.
"""

from collections.abc import Callable
from operator import attrgetter, ge, gt, le, lt
from typing import Any

from router.core.equality import is_meant_as_number
from router.core.judges import Finding, Judge, Judges, always, by_kind, only, unreadable, with_list
from router.core.readings import Day, NotComparable
from router.core.rules import FieldType, Operator
from router.core.values import BOOLEAN, EMPTY, Side

_ORDER: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LESS: lt,
    Operator.GREATER: gt,
    Operator.AT_MOST: le,
    Operator.AT_LEAST: ge,
}
_NO_ORDER = NotComparable("yes and no have no order")
_EMPTY_HAS_NO_ORDER = NotComparable("the field is empty")


def ordered(operator: Operator, wanted: Side, declared: FieldType) -> Judges:
    judges = _ordered_single(_ORDER[operator], wanted, declared)

    def only_item(side: Side) -> Finding:
        items = [item for item in side.items if item.kind != EMPTY]
        if len(items) != 1:
            return NotComparable(f"the list has {len(items)} items, and an order needs one")
        return judges[items[0].kind](items[0])

    return with_list(judges, only_item)


def _ordered_single(order: Callable[[Any, Any], bool], wanted: Side, declared: FieldType) -> Judges:
    empty = _EMPTY_HAS_NO_ORDER
    if declared is FieldType.TEXT:
        judge = _in_order(order, "text", wanted.text)
        return by_kind(judge, judge, judge, empty=empty)
    if declared is FieldType.BOOLEAN or wanted.kind == BOOLEAN:
        return only(_NO_ORDER)
    if declared is FieldType.NUMBER or (declared is FieldType.AUTO and is_meant_as_number(wanted)):
        if isinstance(wanted.number, NotComparable):
            return only(wanted.number)
        judge = _in_order(order, "number", wanted.number)
        return by_kind(judge, judge, always(_NO_ORDER), empty=empty)
    if declared is FieldType.DATE or isinstance(wanted.day, Day):
        if isinstance(wanted.day, NotComparable):
            return only(wanted.day)
        return by_kind(
            _in_order_of_days(order, wanted.day), unreadable("day"), always(_NO_ORDER), empty=empty
        )
    return by_kind(_text_order(order, wanted), _no_text_order(wanted), always(_NO_ORDER), empty=empty)


def _in_order(order: Callable[[Any, Any], bool], reading: str, wanted: Any) -> Judge:
    read = attrgetter(reading)

    def judge(side: Side) -> Finding:
        value = read(side)
        return value if type(value) is NotComparable else order(value, wanted)

    return judge


def _in_order_of_days(order: Callable[[Any, Any], bool], wanted: Day) -> Judge:
    def judge(side: Side) -> Finding:
        value = side.day
        if isinstance(value, NotComparable):
            return value
        if value.moment is not None and wanted.moment is not None:
            return order(value.moment, wanted.moment)
        return order(value.day, wanted.day)

    return judge


def _text_order(order: Callable[[Any, Any], bool], wanted: Side) -> Judge:
    """Two texts of which neither is a number or a date; a mixture has no order that anybody would expect."""

    def judge(side: Side) -> Finding:
        if not isinstance(side.key, str) or isinstance(side.day, Day):
            return NotComparable(f"{side.described} and {wanted.described} are not of one kind")
        return order(side.text, wanted.text)

    return judge


def _no_text_order(wanted: Side) -> Judge:
    return always(NotComparable(f"{wanted.described} is not a number"))
