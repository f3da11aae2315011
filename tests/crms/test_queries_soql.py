"""Whatever text goes into SOQL comes out of it as one literal, and nothing else."""

import re

from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.salesforce import FIND, SELECT
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import soql
from workers.connectors.steps import Question

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"%_;-)(\n\0")), max_size=40)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def read_literal(query: str, at: int) -> tuple[str, int]:
    """The literal that begins there, by the reference's rules, and where it ends."""
    assert query[at] == "'"
    text, at = "", at + 1
    while query[at] != "'":
        if query[at] == "\\":
            at += 1
            assert query[at] in "\\'\"nrtbf", "no other escape is known"
            text += _UNESCAPED.get(query[at], query[at])
        else:
            assert query[at] not in "\n\r", "a literal ends with its line"
            text += query[at]
        at += 1
    return text, at + 1


@given(TEXTS)
def test_a_text_is_one_literal(text: str) -> None:
    quoted = soql.quoted(text)

    assert read_literal(quoted, 0) == (text, len(quoted))


@given(TEXTS, TEXTS)
def test_a_condition_holds_its_values_and_nothing_else(first: str, second: str) -> None:
    condition = soql.is_one_of(("Phone", "MobilePhone"), (first, second))

    at = 0
    for field in ("Phone", "MobilePhone"):
        opening = f"({field} IN (" if field == "Phone" else f" OR {field} IN ("
        assert condition.startswith(opening, at)
        at += len(opening)
        for number, expected in enumerate((first, second)):
            text, at = read_literal(condition, at)
            assert text == expected
            ending = ", " if number == 0 else ")"
            assert condition.startswith(ending, at)
            at += len(ending)
    assert condition[at:] == ")"


@given(TEXTS)
def test_the_whole_query_keeps_its_shape(text: str) -> None:
    query = soql.select(
        "Lead", ("Id", "Name"), soql.is_one_of(("Account_No__c",), (text,)), {"Lead": "IsConverted = false"}
    )

    parsed = SELECT.fullmatch(re.sub(r"[\n\r]", " ", query))
    assert parsed is not None
    assert (parsed["module"], bool(parsed["more"])) == ("Lead", True)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)))
def test_a_search_holds_digits_only_whoever_calls(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    query = soql.phone_search(phone, {"Contact": ("Id",)}, {})

    parsed = FIND.fullmatch(query)
    assert parsed is not None
    assert set(parsed["term"]) <= set("0123456789 OR")
