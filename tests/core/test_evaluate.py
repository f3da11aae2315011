from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from router.core.compiled import DEEPEST_GROUP
from router.core.decisions import Verdict
from router.core.destinations import DestinationKind, Target
from router.core.evaluate import (
    CallFacts,
    CompiledRule,
    Ruling,
    call_facts,
    compile_rule,
    evaluate,
    explain_lines,
    leading,
)
from router.core.identities import E164, RuleName
from router.core.lookups import Value
from router.core.numbers import Caller, CallerKind, understand_caller
from router.core.rules import CallFact, Condition, FieldType, Line, Operator, Rule

PARIS = ZoneInfo("Europe/Paris")
DEFAULT = Target(DestinationKind.QUEUE, "default")
FACTS = CallFacts("+33142345678", "FR", "+33155556666", "007", False, 14, "wednesday")


def a_test(operator: str, value: Any = None, **more: Any) -> Condition:
    return Condition(operator=Operator(operator), value=value, **more)


def line(operator: str | None, value: Any = None, to: str = "x", **more: Any) -> Line:
    named = Operator(operator) if operator else None
    return Line(operator=named, value=value, destination=DestinationKind.QUEUE, option=to, **more)


def rule(*lines: Line, field: str = "level", **more: Any) -> CompiledRule:
    return compile_rule(Rule(name=RuleName("r"), field=field, default=DEFAULT, lines=lines, **more), PARIS)


def held(
    compiled: CompiledRule, record: dict[str, Value] | None = None, facts: CallFacts = FACTS
) -> int | None:
    return evaluate(compiled, record, facts).line_held


GOLD, SILVER, BRONZE = line("=", "GOLD", "a"), line("starts with", "G", "b"), line("=", "BRONZE", "c")


def test_first_line_that_holds_wins() -> None:
    ruling = evaluate(rule(GOLD, SILVER, BRONZE), {"level": "Gold"}, FACTS)

    assert ruling == Ruling(1, Target(DestinationKind.QUEUE, "a"), None, 1)


def test_moving_a_line_changes_the_destination() -> None:
    ruling = evaluate(rule(SILVER, GOLD, BRONZE), {"level": "Gold"}, FACTS)

    assert ruling.target == Target(DestinationKind.QUEUE, "b")


def test_no_line_holds() -> None:
    assert evaluate(rule(GOLD, BRONZE), {"level": "tin"}, FACTS) == Ruling(None, None, None, 2)


def test_ruling_carries_all_that_the_line_says() -> None:
    then = Target(DestinationKind.QUEUE, "after")
    told = line("=", "x", then=then, voicemail=True, queue_priority=7)

    ruling = evaluate(rule(GOLD, told), {"level": "x"}, FACTS)

    assert ruling == Ruling(2, told.target, 7, 2)


# The record.


@pytest.mark.parametrize("operator", [operator.value for operator in Operator])
def test_without_record_no_test_of_it_holds(operator: str) -> None:
    assert held(rule(line(operator, "x")), None) is None


def test_field_that_the_record_lacks_is_empty() -> None:
    assert held(rule(line("is empty")), {"other": "x"}) == 1


def test_field_name_is_taken_exactly_then_regardless_of_case() -> None:
    compiled = rule(line("=", "x"))

    assert held(compiled, {"LEVEL": "x"}) == 1
    assert held(compiled, {"LEVEL": "x", "level": "y"}) is None
    assert held(compiled, {"LEVEL": "x", "Level": "y"}) == 1


def test_fields_begin_with_the_rules_own() -> None:
    compiled = rule(line("=", 1, field="b"), line("=", 1, field="a"), line("=", 1, field="b"))

    assert compiled.fields == ("level", "b", "a")


def test_rule_that_tests_only_the_call_needs_no_field() -> None:
    assert rule(line("=", 14, call=CallFact.HOUR)).fields == ()


def test_type_of_the_rule_is_for_its_own_field_only() -> None:
    compiled = rule(line("=", "7", field="other"), line("=", "7"), type=FieldType.NUMBER)

    assert held(compiled, {"level": "", "other": "007"}) is None
    assert held(compiled, {"level": "007", "other": ""}) == 2


def test_type_of_the_line_comes_first() -> None:
    assert held(rule(line("=", "7", type=FieldType.NUMBER), type=FieldType.TEXT), {"level": "007"}) == 1


def test_line_without_field_never_holds() -> None:
    assert held(rule(line("is empty"), field=""), {"": None}) is None


def test_line_without_operator_never_holds() -> None:
    assert held(rule(line(None, "x")), {"level": "x"}) is None


# Groups.

YES, NO = a_test("=", 14, call=CallFact.HOUR), a_test("=", 3, call=CallFact.HOUR)
OF_RECORD = a_test("=", "gold")

# all or any, its members, with the record gold -> what holds
GROUPS = [
    ({"all": (YES, OF_RECORD)}, True),
    ({"all": (NO, OF_RECORD)}, False),
    ({"any": (NO, OF_RECORD)}, True),
    ({"any": (NO, NO)}, False),
    ({"all": (YES, a_test("=", "tin"))}, False),
    ({"all": (Condition(any=(NO, OF_RECORD)), YES)}, True),
    ({"any": (Condition(all=(NO, OF_RECORD)), Condition(all=(YES, YES)))}, True),
    ({"any": (NO,), "all": (YES,)}, False),
    ({"any": (YES,), "all": (YES,)}, True),
]


@pytest.mark.parametrize(("group", "holds"), GROUPS)
def test_groups(group: dict[str, Any], holds: bool) -> None:
    assert (held(rule(line(None, **group)), {"level": "gold"}) == 1) is holds


def test_line_with_a_test_and_a_group_needs_both() -> None:
    assert held(rule(line("=", "gold", all=(NO,))), {"level": "gold"}) is None
    assert held(rule(line("=", "gold", all=(YES,))), {"level": "gold"}) == 1


def nested(depth: int) -> Condition:
    condition = YES
    for _ in range(depth):
        condition = Condition(all=(condition,))
    return condition


def test_groups_deeper_than_allowed_do_not_hold() -> None:
    assert held(rule(line(None, all=(nested(DEEPEST_GROUP - 1),)))) == 1
    assert held(rule(line(None, all=(nested(DEEPEST_GROUP),)))) is None
    assert held(rule(line(None, all=(nested(300),)))) is None


# What needs no record.


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line("=", 14, call=CallFact.HOUR),), 1),
        ((line("=", 3, call=CallFact.HOUR), line("=", 14, call=CallFact.HOUR)), 2),
        ((GOLD, line("=", 14, call=CallFact.HOUR)), None),
        ((line("=", 3, call=CallFact.HOUR),), None),
        ((line(None, any=(OF_RECORD, YES)),), 1),
        ((line(None, any=(OF_RECORD, NO)),), None),
        ((line(None, all=(OF_RECORD, NO)), line("=", 14, call=CallFact.HOUR)), 2),
        ((line(None, all=(OF_RECORD, YES)), line("=", 14, call=CallFact.HOUR)), None),
        ((line(None, all=(Condition(any=(OF_RECORD, YES)), YES)),), 1),
        ((), None),
    ],
)
def test_leading(lines: tuple[Line, ...], expected: int | None) -> None:
    ruling = leading(rule(*lines), FACTS)

    assert (ruling.line_held if ruling else None) == expected


def test_walk_that_stops_before_the_record_says_so() -> None:
    compiled = rule(line("=", 3, call=CallFact.HOUR), GOLD)

    ruling = evaluate(compiled, None, FACTS, stop_before_record=True)

    assert ruling == Ruling(None, None, None, 1, needs_record=True)


# The call.

OF_CALL = [
    ("caller", "starts with", "+33", True),
    ("caller", "=", "+33142345678", True),
    ("caller", "=", 33142345678, False),
    ("country", "=", "fr", True),
    ("country", "in list", "be, ch, fr", True),
    ("called", "ends with", "6666", True),
    ("digits", "=", "007", True),
    ("digits", "=", "7", False),
    ("digits", "is empty", None, False),
    ("withheld", "=", "no", True),
    ("withheld", "=", True, False),
    ("hour", ">=", 9, True),
    ("hour", "<", "18", True),
    ("hour", "in list", "13;14", True),
    ("weekday", "=", "wednesday", True),
    ("weekday", "=", "WED", True),
    ("weekday", "=", "mercredi", True),
    ("weekday", "=", "mer.", True),
    ("weekday", "=", 3, True),
    ("weekday", "=", "3", True),
    ("weekday", "=", "Wendsday", False),
    ("weekday", "!=", "Wendsday", False),
    ("weekday", "!=", "sunday", True),
    ("weekday", "in list", "lun, mar, mer", True),
    ("weekday", "in list", ["saturday", 7], False),
    ("weekday", "in list", "sat, Wendsday, wed", True),
    ("weekday", "<=", "friday", True),
    ("weekday", ">", "vendredi", False),
    ("weekday", "starts with", "wed", True),
    ("weekday", "is not empty", None, True),
    ("weekday", "=", True, False),
]


@pytest.mark.parametrize(("fact", "operator", "value", "holds"), OF_CALL)
def test_call_facts_in_lines(fact: str, operator: str, value: Any, holds: bool) -> None:
    assert (held(rule(line(operator, value, call=CallFact(fact)))) == 1) is holds


def test_facts_are_in_the_tenants_zone() -> None:
    caller = understand_caller("0142345678", "allowed", "FR")

    facts = call_facts(caller, "+33155556666", "12", datetime(2026, 3, 1, 23, 30, tzinfo=UTC), PARIS)

    assert facts == CallFacts("+33142345678", "FR", "+33155556666", "12", False, 0, "monday")


def test_facts_of_a_withheld_number_tell_nothing_of_it() -> None:
    caller = Caller("+33142345678", CallerKind.WITHHELD, E164("+33142345678"), "FR")

    facts = call_facts(caller, "1", "", datetime(2026, 7, 1, tzinfo=UTC), PARIS)

    assert (facts.caller, facts.country, facts.withheld) == ("", "", True)


# The trace.


def test_trace_shows_both_sides_and_the_verdict() -> None:
    compiled = rule(line("<", 5), line("in list", ["a", "b"]), GOLD, BRONZE)
    record: dict[str, Value] = {"level": "gold"}

    lines = explain_lines(compiled, record, FACTS, evaluate(compiled, record, FACTS))

    assert [(shown.number, shown.held) for shown in lines] == [(1, False), (2, False), (3, True)]
    first, second, third = (shown.tests[0] for shown in lines)
    assert (first.left_name, first.left, first.operator, first.right) == ("level", "gold", "<", "5")
    assert first.verdict is Verdict.NOT_COMPARABLE
    assert first.why == "“gold” is not a number"
    assert (second.right, second.verdict) == ("a, b", Verdict.FAILED)
    assert third.verdict is Verdict.HELD


def test_trace_of_a_group_shows_every_test() -> None:
    compiled = rule(line(None, any=(YES, OF_RECORD, a_test("=", "mon", call=CallFact.WEEKDAY))))

    (shown,) = explain_lines(compiled, None, FACTS, evaluate(compiled, None, FACTS))

    assert (shown.join, shown.held) == ("any", True)
    assert [test.verdict for test in shown.tests] == [Verdict.HELD, Verdict.NO_RECORD, Verdict.FAILED]
    assert [test.left for test in shown.tests] == ["14", "", "wednesday"]


def test_trace_of_a_long_rule_shows_what_matters() -> None:
    compiled = rule(*[line("=", str(number)) for number in range(500)], *[line("<", 5)] * 100, GOLD)
    record: dict[str, Value] = {"level": "gold"}

    lines = explain_lines(compiled, record, FACTS, evaluate(compiled, record, FACTS), most=40)

    numbers = [shown.number for shown in lines]
    assert len(lines) == 40
    assert numbers == sorted(numbers)
    assert numbers[:3] == [1, 2, 3]
    assert 501 in numbers
    assert numbers[-1] == 601
    assert lines[-1].held


@pytest.mark.parametrize("most", [0, 1, 2])
def test_shortest_trace_is_the_line_that_held(most: int) -> None:
    compiled = rule(BRONZE, BRONZE, GOLD)
    record: dict[str, Value] = {"level": "gold"}

    lines = explain_lines(compiled, record, FACTS, evaluate(compiled, record, FACTS), most=most)

    assert lines[-1].number == 3
    assert len(lines) == max(most, 1)


def test_trace_is_short_whatever_the_values() -> None:
    compiled = rule(line("=", "x" * 10_000), line(None, all=(nested(9),)), line("in list", ["y" * 500] * 500))
    record: dict[str, Value] = {"level": "\ud800\x1b" + "z" * 10_000}

    lines = explain_lines(compiled, record, FACTS, evaluate(compiled, record, FACTS))

    for test in (test for shown in lines for test in shown.tests):
        assert all(len(text) <= 120 and text.isprintable() for text in (test.left, test.right, test.why))


def test_unknown_weekday_in_the_facts_does_no_harm() -> None:
    compiled = rule(line("=", "monday", call=CallFact.WEEKDAY))
    facts = replace(FACTS, weekday="someday")

    ruling = evaluate(compiled, None, facts)

    assert ruling.line_held is None
    assert explain_lines(compiled, None, facts, ruling)[0].tests[0].left == ""


STRANGE = (10**5_000, [10**5_000], {"a": 10**5_000}, [[1]], float("nan"), object(), b"x")


@pytest.mark.parametrize(
    "value", [pytest.param(value, id=str(number)) for number, value in enumerate(STRANGE)]
)
def test_values_that_no_crm_should_give_are_walked_and_shown(value: Any) -> None:
    compiled = rule(
        *[line(operator.value, "1") for operator in Operator if operator is not Operator.IS_NOT_EMPTY]
    )

    ruling = evaluate(compiled, {"level": value}, FACTS)

    assert ruling.line_held in (None, 2)
    assert len(explain_lines(compiled, {"level": value}, FACTS, ruling)) == ruling.lines_walked
