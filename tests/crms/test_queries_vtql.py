"""Whatever text goes into VTQL comes out of it as one literal, for Vtiger and for the MySQL behind it.

Vtiger takes a backslash for an ordinary sign, and MySQL reads the same text once more: both must find its end
at the same place.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.literals import mysql_literal, standard_literal
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import vtql
from workers.connectors.steps import Question

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"%_;-)(,\n\0 or")), max_size=40)


@given(TEXTS.filter(lambda text: text.strip("\0") != ""))
def test_a_text_is_one_literal_for_both(text: str) -> None:
    quoted = vtql.quoted(text)

    assert standard_literal(quoted)[1] == ""
    assert mysql_literal(quoted) == (text.replace("\0", ""), "")


@pytest.mark.parametrize("text", ["", "\0\0"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        vtql.quoted(text)


@given(TEXTS.filter(lambda text: text.strip("\0") != ""))
def test_a_query_holds_its_value_and_nothing_else(text: str) -> None:
    query = vtql.select("Contacts", ("id", "cf_tier", "id"), vtql.equals("cf_account_no", text))

    head, quote, rest = query.partition("'")
    assert head == "select id, cf_tier from Contacts where cf_account_no = "
    assert mysql_literal(quote + rest) == (text.replace("\0", ""), " limit 0, 100;")


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)))
def test_the_pattern_of_whoever_calls_is_digits_and_percent_signs(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    first, second = vtql.any_like(("phone", "mobile"), phone.like_pattern).split(" or ")

    for asked, field in ((first, "phone"), (second, "mobile")):
        assert asked == f"{field} like '{phone.like_pattern}'"
        assert set(phone.like_pattern) <= set("0123456789%")
