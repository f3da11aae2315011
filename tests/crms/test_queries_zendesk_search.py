"""Whatever text goes into a search of Zendesk comes out of it as one value of one term."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.numbers import understand_caller
from tests.crms.zendesk import TERM
from tests.workers.makers import job
from workers.connectors.phones import Phone
from workers.connectors.queries import zendesk_search
from workers.connectors.steps import Question

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"*:-<> \n\0")), max_size=40)


def terms_of(query: str) -> list[tuple[str, str]]:
    """The query's terms; nothing but terms may be in it."""
    found, at = [], 0
    while at < len(query):
        parsed = TERM.match(query, at)
        assert parsed is not None, query[at:]
        found.append((parsed["key"], parsed["value"]))
        at = parsed.end()
    return found


def kept(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable() and sign not in '"*\\')


@given(TEXTS)
def test_a_text_is_one_value(text: str) -> None:
    quoted = zendesk_search.quoted(text)

    assert quoted == f'"{kept(text)}"'
    assert quoted.count('"') == 2


@given(TEXTS)
def test_a_search_by_field_has_one_term_more_than_its_kind(text: str) -> None:
    users = terms_of(zendesk_search.by_field("users", "account_no", text))
    organizations = terms_of(zendesk_search.by_field("organizations", "account_no", text))

    value = ("account_no", f'"{kept(text)}"')
    assert users == [("type", "user"), ("role", "end-user"), value]
    assert organizations == [("type", "organization"), value]


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)))
def test_a_search_by_number_holds_digits_only_whoever_calls(received: str) -> None:
    phone = Phone(Question(job(caller=understand_caller(received, "", "FR")), "FR"))
    if not phone.is_askable:
        return

    *kind, (key, value) = terms_of(zendesk_search.by_phone(phone.national))

    assert kind == [("type", "user"), ("role", "end-user")]
    assert (key, value.removeprefix("*")) == ("phone", phone.national)
    assert value.startswith("*") is (len(phone.national) >= 7)


@given(TEXTS)
def test_what_is_no_digit_never_gets_into_a_search_by_number(text: str) -> None:
    query = zendesk_search.by_phone(f"12{text}3456789")

    assert terms_of(query)[-1][1].removeprefix("*").isdecimal()
