"""Whatever text goes into Bullhorn's two query languages comes out of them as one phrase, or one literal."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.literals import lucene_phrase, standard_literal
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import lucene
from workers.connectors.steps import Question

TEXTS = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"*?~:^+-!&|(){}[]/;,\n\0 OR")), max_size=40
)


def printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


@given(TEXTS)
def test_a_text_is_one_phrase(text: str) -> None:
    assert lucene_phrase(lucene.quoted(text)) == (printable(text), "")


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_search_holds_its_values_and_nothing_else(texts: list[str]) -> None:
    rest = lucene.without(lucene.any_of(("phone", "mobile"), texts), "Archive")

    for field in ("(phone:(", " OR mobile:("):
        assert rest.startswith(field)
        rest = rest.removeprefix(field)
        for text in texts:
            value, rest = lucene_phrase(rest.removeprefix(" OR "))
            assert value == printable(text)
        assert rest.startswith(")")
        rest = rest[1:]
    assert rest == ') AND isDeleted:false NOT status:"Archive"'


@given(TEXTS)
def test_a_condition_of_jpql_holds_its_value_and_nothing_else(text: str) -> None:
    head, quote, rest = lucene.jpql_equals("customText2", text).partition("'")

    assert head == "customText2="
    assert standard_literal(quote + rest) == (printable(text), " AND isDeleted=false")


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)))
def test_the_spellings_of_whoever_calls_are_asked_as_they_are(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    for spelt in phone.spellings:
        assert lucene_phrase(lucene.quoted(spelt)) == (spelt, "")
