"""Whatever text goes into the SQL of the service v4_1 comes out of it as one literal of MySQL."""

import re

from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.literals import mysql_literal
from tests.crms.sugar_database import checker_refuses
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import sugar_sql
from workers.connectors.steps import Question

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"%_;-)(,\n\0 or#/*")), max_size=40)
NUMBERS = st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True))


@given(TEXTS)
def test_a_text_is_one_literal(text: str) -> None:
    assert mysql_literal(sugar_sql.quoted(text)) == (text.replace("\0", ""), "")


@given(TEXTS)
def test_a_condition_holds_its_value_and_nothing_else(text: str) -> None:
    condition = sugar_sql.equals("Contacts", "account_no_c", text)

    head, quote, rest = condition.partition("'")
    assert head == "contacts_cstm.account_no_c = "
    assert mysql_literal(quote + rest) == (text.replace("\0", ""), "")


@given(NUMBERS)
def test_the_spellings_of_whoever_calls_are_asked_as_they_are(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    condition = sugar_sql.any_equal("Leads", ("phone_work", "phone_mobile"), phone.spellings)

    asked = [part.partition(" = ") for part in condition.split(" OR ")]
    columns = ("leads.phone_work", "leads.phone_mobile")
    assert [(column, mysql_literal(text)) for column, _, text in asked] == [
        (column, (spelt, "")) for column in columns for spelt in dict.fromkeys(phone.spellings)
    ]
    assert not checker_refuses(condition)


@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS)
def test_a_hostile_number_leaves_only_the_signs_of_a_number(texts: list[str], pattern: str) -> None:
    equal = sugar_sql.any_equal("Contacts", ("phone_work",), texts)
    like = sugar_sql.any_like("Contacts", ("phone_work",), pattern)

    one = r"contacts\.phone_work = '[0-9+ ().-]*'"
    assert re.fullmatch(f"{one}( OR {one})*", equal)
    assert re.fullmatch(r"contacts\.phone_work LIKE '[0-9%]*'", like)
