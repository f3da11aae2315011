"""Lists of numbers as spreadsheets write them, and everything that can be wrong with one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.destinations import DestinationKind, Target
from router.core.identities import RuleName
from router.core.number_lists import NumberList, RowChange, read_numbers
from router.core.rules import Location, Rule
from router.core.tenants import Number

DESK = Target(DestinationKind.QUEUE, "desk")
RULES = (
    Rule(name=RuleName("Sales"), default=DESK),
    Rule(name=RuleName("Support, night"), default=DESK),
    Rule(name=RuleName("By number"), location=Location.IVR, default=DESK),
)
NUMBERS = (Number("+33142345001", RuleName("Sales"), "the first"), Number("+33142345002"))


def read(text: str) -> NumberList:
    return read_numbers(text, "FR", RULES, NUMBERS)


def rows(text: str) -> list[tuple[str, str | None, str]]:
    found = read(text)
    assert found.problems == ()
    return [(row.number.did, row.number.rule, row.number.note) for row in found.rows]


@pytest.mark.parametrize(
    "text",
    [
        "+33142345009,Sales,new\n",
        "01 42 34 50 09;Sales;new\r\n",
        "0142345009\tSales\tnew",
        "\ufeffnumber,rule,note\n+33142345009,sales,new\n",
        "Note;Règle;SDA\nnew;Sales;01.42.34.50.09\n\n",
        "did,owner,rule,note\n0033142345009,Jane,Sales,new",
        "our numbers,,\n+33142345009, Sales ,  new ",
    ],
    ids=["comma", "french-excel", "tab", "heading", "french-heading", "other-column", "title"],
)
def test_however_the_spreadsheet_writes_it(text: str) -> None:
    assert rows(text) == [("+33142345009", "Sales", "new")]


def test_a_number_alone_has_the_tenants_default() -> None:
    assert rows("+33142345009") == [("+33142345009", None, "")]


def test_a_quoted_cell_may_hold_the_separator_and_lines() -> None:
    assert rows('+33142345009,"Support, night","two\nlines"') == [
        ("+33142345009", "Support, night", "two lines")
    ]


def test_each_row_says_what_it_changes() -> None:
    found = read("0142345001,Sales,the first\n0142345002,Sales,\n0142345003,,")

    assert [row.change for row in found.rows] == [RowChange.SAME, RowChange.CHANGED, RowChange.NEW]
    assert [number.did for number in found.changing] == ["+33142345002", "+33142345003"]
    assert found.rows[1].former == Number("+33142345002")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "the list is empty"),
        ("+33142345009,Sale", 1, "there is no rule `Sale`. Did you mean `Sales`?"),
        ("+33142345009,By number", 1, "is for IVR entries"),
        ("+33142345009\n\n0142345009", 3, "+33142345009 stands in line 1 already"),
        ("did,rule\n12345678901234567890,Sales", 2, "is not a number that can be dialled in FR"),
        ('did\n"a\nb"\n+33142345009\n,', 2, "is not a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, told: str) -> None:
    (problem,) = read(text).problems

    assert problem.line == line
    assert told in f"{problem.what}. {problem.mend}"


def test_a_thousand_rows() -> None:
    text = "\n".join(f"+331425{number:05d},Sales" for number in range(1000))

    assert len(read(text).changing) == 1000


def test_a_list_that_is_too_long() -> None:
    (problem,) = read("+33142345009\n" * 20_002).problems

    assert "longer than 20000 rows" in problem.what


@given(st.text(max_size=300))
def test_whatever_is_uploaded_is_read_or_told(text: str) -> None:
    found = read(text)

    assert found.rows or found.problems
    for problem in found.problems:
        assert problem.line >= 1
        assert problem.what.isprintable()
