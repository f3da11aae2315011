"""Whatever the CRM, the admin and the caller say, a rule comes to exactly one of: a line of it, or none."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.destinations import DestinationKind, Target
from router.core.evaluate import CallFacts, compile_rule, evaluate, explain_lines, leading
from router.core.identities import RuleName
from router.core.rules import CallFact, Condition, FieldType, Line, Operator, Rule
from router.core.weekdays import WEEKDAYS
from tests.core.comparison_table import TABLE, ZONE

FIELDS = ("level", "Level", "other", "")
# Any character at all, unpaired surrogates and control signs too.
TEXTS = st.one_of(
    st.text(st.characters(), max_size=20),
    st.text("0123456789.,- +eE:TZ\u00a0\u202f", max_size=20),
    st.sampled_from(
        ["10", "007", "1,234", "2026-03-01", "2026-03-01T08:00:00Z", "yes", "gold", "(", "[a-z]+", "NaN"]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**40, max_value=10**45),
    st.sampled_from([10**4_000, -(2**63), 2**64]),
    st.floats(),
    TEXTS,
    st.sampled_from([row.value for rows in TABLE.values() for row in rows]),
)
VALUES = st.recursive(
    SCALARS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=2),
    max_leaves=5,
)
RECORDS = st.none() | st.dictionaries(st.sampled_from(FIELDS), VALUES)
FACTS = st.builds(
    CallFacts,
    caller=TEXTS,
    country=st.sampled_from(["", "FR"]),
    called=TEXTS,
    digits=TEXTS,
    withheld=st.booleans(),
    hour=st.integers(0, 23),
    weekday=st.sampled_from(WEEKDAYS),
)
TESTS = st.fixed_dictionaries(
    {
        "operator": st.sampled_from(Operator),
        "value": VALUES,
        "type": st.none() | st.sampled_from(FieldType),
        "field": st.none() | st.sampled_from(FIELDS),
        "call": st.none() | st.sampled_from(CallFact),
    }
)
GROUPS = st.recursive(
    st.builds(lambda test: Condition(**test), TESTS),
    lambda inner: st.builds(
        lambda all_of, any_of: Condition(all=tuple(all_of), any=tuple(any_of)),
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
TO: dict[str, Any] = {"destination": DestinationKind.QUEUE, "option": "x"}
LINES = st.one_of(
    st.builds(lambda test: Line(**test, **TO), TESTS),
    st.builds(lambda group: Line(all=(group,), **TO), GROUPS),
    st.builds(lambda groups: Line(any=tuple(groups), **TO), st.lists(GROUPS, max_size=3)),
)
RULES = st.builds(
    lambda lines, field, declared: Rule(
        name=RuleName("r"),
        field=field,
        type=declared,
        default=Target(DestinationKind.QUEUE, "default"),
        lines=tuple(lines),
    ),
    st.lists(LINES, max_size=4),
    st.sampled_from(FIELDS),
    st.sampled_from(FieldType),
)


@settings(max_examples=250, deadline=None)
@given(RULES, RECORDS, FACTS)
def test_exactly_one_line_or_none(rule: Rule, record: dict[str, Any] | None, facts: CallFacts) -> None:
    ruling = evaluate(compile_rule(rule, ZONE), record, facts)

    if ruling.line_held is None:
        assert ruling.target is None
        assert ruling.lines_walked == len(rule.lines)
    else:
        assert 1 <= ruling.line_held == ruling.lines_walked <= len(rule.lines)
        assert ruling.target == rule.lines[ruling.line_held - 1].target


@settings(max_examples=250, deadline=None)
@given(RULES, RECORDS, FACTS)
def test_first_line_that_holds_alone_wins(
    rule: Rule, record: dict[str, Any] | None, facts: CallFacts
) -> None:
    compiled = compile_rule(rule, ZONE)
    alone = [evaluate(_only_line(rule, line), record, facts).line_held == 1 for line in rule.lines]

    line_held = evaluate(compiled, record, facts).line_held

    assert line_held == (alone.index(True) + 1 if True in alone else None)


def _only_line(rule: Rule, line: Line) -> Any:
    only = Rule(name=rule.name, field=rule.field, type=rule.type, default=rule.default, lines=(line,))
    return compile_rule(only, ZONE)


@settings(max_examples=400, deadline=None)
@given(RULES, RECORDS, FACTS)
def test_leading_is_right_whatever_the_record(
    rule: Rule, record: dict[str, Any] | None, facts: CallFacts
) -> None:
    compiled = compile_rule(rule, ZONE)

    ruling = leading(compiled, facts)

    assert ruling is None or ruling == evaluate(compiled, record, facts)
    if not compiled.fields:
        settled = evaluate(compiled, record, facts)
        assert ruling == (settled if settled.line_held else None)


@settings(max_examples=250, deadline=None)
@given(RULES, RECORDS, FACTS, st.integers(1, 6))
def test_trace_agrees_with_the_ruling(rule: Rule, record: Any, facts: CallFacts, most: int) -> None:
    compiled = compile_rule(rule, ZONE)
    ruling = evaluate(compiled, record, facts)

    lines = explain_lines(compiled, record, facts, ruling, most)

    assert len(lines) == min(most, ruling.lines_walked)
    assert [line.number for line in lines if line.held] == ([ruling.line_held] if ruling.line_held else [])
    for test in (test for line in lines for test in line.tests):
        assert all(len(text) <= 120 for text in (test.left_name, test.left, test.right, test.why))
        "".join((test.left_name, test.left, test.right, test.why)).encode()


@given(st.permutations(["GOLD", "SILVER", "BRONZE"]), st.sampled_from(["gold", "Silver", " BRONZE "]))
def test_moving_a_line_moves_the_answer(order: list[str], level: str) -> None:
    """Each line also takes the levels below it, so the order alone decides."""
    takes = {"GOLD": "gold, silver, bronze", "SILVER": "silver, bronze", "BRONZE": "bronze"}
    lines = tuple(
        Line(operator=Operator.IN_LIST, value=takes[name], destination=DestinationKind.QUEUE, option=name)
        for name in order
    )
    rule = Rule(name=RuleName("r"), field="level", default=Target(DestinationKind.QUEUE, "d"), lines=lines)
    facts = CallFacts("", "", "", "", True, 0, "monday")

    ruling = evaluate(compile_rule(rule, ZONE), {"level": level}, facts)

    wanted = level.strip().casefold()
    assert ruling.target is not None
    assert ruling.target.option == next(name for name in order if wanted in takes[name])
