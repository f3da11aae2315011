import re
import time
from datetime import UTC

import pytest

from router.core.comparisons import compile_test, list_items
from router.core.judges import THERE_IS_NO_RECORD, NoRecord, all_of, any_of
from router.core.readings import NotComparable
from router.core.rules import FieldType, Operator
from router.core.values import NO_RECORD, Side
from tests.core.comparison_table import PAGE, TABLE, Row, found, page_with_table

ROWS = [
    pytest.param(
        operator, row, id=ascii(f"{row.value!r:.40} {operator.value} {row.literal!r:.40} as {row.type}")
    )
    for operator, rows in TABLE.items()
    for row in rows
]
NC = NotComparable("why")


@pytest.mark.parametrize(("operator", "row"), ROWS)
def test_comparison_table(operator: Operator, row: Row) -> None:
    finding = found(operator, row)

    assert (None if isinstance(finding, NotComparable) else finding) is row.holds


def test_table_has_ten_examples_of_each_operator() -> None:
    assert {operator: len(rows) >= 10 for operator, rows in TABLE.items()} == dict.fromkeys(Operator, True)


def test_every_refusal_says_why() -> None:
    findings = [found(operator, row) for operator, rows in TABLE.items() for row in rows]

    assert all(finding.why for finding in findings if isinstance(finding, NotComparable))


def test_documentation_shows_the_table() -> None:
    """When this fails: python -m tests.core.comparison_table"""
    page = PAGE.read_text("utf-8")

    assert page == page_with_table(page)


@pytest.mark.parametrize("operator", list(Operator))
def test_without_record_no_test_holds(operator: Operator) -> None:
    side = Side(None, UTC, NO_RECORD)

    for literal in ("x", "", None, ["x"], "(", 5, True):
        assert isinstance(compile_test(operator, literal, FieldType.AUTO, UTC).finding(side), NoRecord)


def test_differs_is_the_opposite_of_equals_wherever_both_can_be_compared() -> None:
    for row in TABLE[Operator.EQUALS] + TABLE[Operator.DIFFERS]:
        equal, differs = found(Operator.EQUALS, row), found(Operator.DIFFERS, row)

        assert differs == (not equal if isinstance(equal, bool) else equal)


@pytest.mark.parametrize("declared", list(FieldType))
def test_list_of_one_item_is_that_item_for_equality(declared: FieldType) -> None:
    for row in TABLE[Operator.EQUALS]:
        if isinstance(row.literal, list) or row.literal in (None, ""):
            continue
        row = row._replace(type=declared)

        assert found(Operator.IN_LIST, row._replace(literal=[row.literal])) == found(Operator.EQUALS, row)


@pytest.mark.parametrize(
    ("literal", "items"),
    [
        ("a,b", ["a", "b"]),
        ("a;b,c", ["a", "b,c"]),
        ("a,b\r\nc", ["a,b", "", "c"]),
        ("a\nb;c", ["a", "b", "c"]),
        ("alone", ["alone"]),
        (5, [5]),
        ([1, "x"], [1, "x"]),
        (None, [None]),
    ],
)
def test_list_items(literal: object, items: list[object]) -> None:
    assert list_items(literal) == items


def test_any_of_prefers_truth_then_the_lacking_record() -> None:
    assert any_of([False, NC, True]) is True
    assert any_of([NC, THERE_IS_NO_RECORD, False]) == THERE_IS_NO_RECORD
    assert any_of([False, NC]) == NC
    assert any_of([]) is False


def test_all_of_is_settled_by_what_no_record_can_change() -> None:
    assert all_of([True, True]) is True
    assert all_of([THERE_IS_NO_RECORD, False]) is False
    assert all_of([THERE_IS_NO_RECORD, NC]) == NC
    assert all_of([True, THERE_IS_NO_RECORD, True]) == THERE_IS_NO_RECORD


HOSTILE = [
    "9" * 100_000,
    "1" + " 000" * 50_000,
    "-" * 100_000,
    "1e999999999",
    "0." + "0" * 100_000,
    10**5_000,
    -(2**64),
    1.7976931348623157e308,
    5e-324,
    float("nan"),
    float("-inf"),
    "\ud800 lone",
    "\x00\x1b[31m",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    ["x"] * 1_000,
    [[["deep"]]],
    {"a": {"b": 10**5_000}},
    object(),
    b"bytes",
]


@pytest.mark.parametrize("operator", list(Operator))
def test_hostile_values_never_raise_and_are_never_slow(operator: Operator) -> None:
    literals = [*HOSTILE, "(a{1000}){1000}", "a" * 10_000, "10", "2026-03-01", "\ud800", "(?i)\ud800"]
    began = time.perf_counter()

    for declared in FieldType:
        sides = [Side(value, UTC) for value in HOSTILE]
        for literal in literals:
            test = compile_test(operator, literal, declared, UTC)
            assert all(isinstance(test.finding(side), bool | NotComparable) for side in sides)

    assert time.perf_counter() - began < 20, "in all, for some 3,000 pairs"


def test_ten_thousand_items_cost_one_look() -> None:
    test = compile_test(Operator.IN_LIST, [f"item {number}" for number in range(10_000)], FieldType.AUTO, UTC)
    side = Side("Item 9999", UTC)
    began = time.perf_counter()

    assert all(test.finding(side) for _ in range(1_000))

    assert time.perf_counter() - began < 0.1


def test_why_is_short_and_printable() -> None:
    finding = compile_test(Operator.LESS, 5, FieldType.NUMBER, UTC).finding(Side("x\x1b\n" * 1000, UTC))

    assert isinstance(finding, NotComparable)
    assert re.fullmatch(r"[^\x00-\x1f]{1,120}", finding.why)
