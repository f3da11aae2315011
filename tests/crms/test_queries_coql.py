"""Whatever text goes into COQL comes out of it as one literal, without the signs that might end one."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.zoho import Coql
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import coql
from workers.connectors.steps import Question

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"%_;-)(,\n\0 or")), max_size=40)
FIELDS = ("Phone", "Mobile", "Home_Phone", "Other_Phone", "Asst_Phone")


def kept(text: str) -> str:
    """What a literal can hold under every way of escaping that Zoho's users tell of."""
    return "".join(sign for sign in text if sign.isprintable() and sign not in "'\"\\")


@given(TEXTS)
def test_a_text_is_one_literal(text: str) -> None:
    quoted = coql.quoted(text)

    assert quoted == f"'{kept(text)}'"
    assert quoted.count("'") == 2


@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(1, 5))
def test_a_query_holds_its_values_and_nothing_else(texts: list[str], number: int) -> None:
    fields = FIELDS[:number]

    query = Coql(coql.select_ids("Contacts", coql.is_one_of(fields, texts)))

    assert (query.module, query.columns) == ("Contacts", ["id"])
    assert query.condition == [(field, "in", [kept(text) for text in texts]) for field in fields]


@given(TEXTS, TEXTS)
def test_a_span_holds_its_ends_and_nothing_else(least: str, most: str) -> None:
    query = Coql(coql.select_ids("Calls", coql.is_between("Call_Start_Time", least, most)))

    assert query.condition == [("Call_Start_Time", "between", [kept(least), kept(most)])]


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)))
def test_the_spellings_of_whoever_calls_are_asked_as_they_are(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    query = Coql(coql.select_ids("Leads", coql.is_one_of(("Phone", "Mobile"), phone.spellings)))

    assert query.condition == [(field, "in", list(phone.spellings)) for field in ("Phone", "Mobile")]
