"""Whatever text goes into OData comes out of it as one literal, and nothing else, in both versions."""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.lookups import AskedBy, LookupKey
from router.core.numbers import understand_caller
from tests.crms.odata_filter import Condition, Filter, NotOData, UnknownName, expanded, selected
from tests.workers.makers import ACME, CRM, job
from workers.connectors.dynamics.api import Settings
from workers.connectors.dynamics.find import find
from workers.connectors.dynamics.records import FIELD
from workers.connectors.queries import odata
from workers.connectors.steps import Account, Question, Request
from workers.errors import LookupRefused
from workers.secrets import Secret

TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("'\\\"%_;-)(,&+#\n\0 eqor")), max_size=40)
NAMES = st.one_of(TEXTS, st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,12}", fullmatch=True))
TYPES = dict.fromkeys(("telephone1", "mobilephone", "new_no"), "text")
STATE = {4: "statecode", 2: "StateCode/Value"}
HOSTILE = ("' or 1 eq 1 or '", "') or contains(fullname,'", "''", "x' eq 'x", "%27 or 1 eq 1")


class Anything(Mapping[str, str]):
    """Every field is known, and is a text, but for the state."""

    def __getitem__(self, name: str) -> str:
        return "number" if name in STATE.values() else "text"

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return 1

    def __contains__(self, name: object) -> bool:
        return True


def kept(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


def account(api: str) -> Account[Settings]:
    given = {"sign_in": "ntlm", "username": "ACME\\router", "password": Secret("canary")}
    return Account(Settings(url="https://crm.example/acme", api=api, **given))  # type: ignore[arg-type]


def first(api: str, question: Question) -> Request | None:
    """The first request, as the server reads its query; None when nothing is asked."""
    try:
        return next(find(account(api), question))
    except StopIteration:
        return None


def as_read(request: Request) -> dict[str, str]:
    encoded = urlencode(request.query, safe=",", errors="replace")
    return dict(parse_qsl(encoded, strict_parsing=True))


@given(TEXTS)
def test_a_text_is_one_literal(text: str) -> None:
    read = Filter(odata.equals("new_no", text), TYPES, 4)

    assert read.conditions == [Condition("eq", "new_no", kept(text))]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    assert Filter(odata.equals("new_no", text), TYPES, 2).conditions == [Condition("eq", "new_no", text)]


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_conditions_hold_their_values_and_nothing_else(texts: list[str]) -> None:
    made: tuple[tuple[Callable[[str, str], str], str, int], ...] = (
        (odata.equals, "eq", 4),
        (odata.contains, "contains", 4),
        (odata.ends_with, "endswith", 4),
        (odata.substring_of, "substringof", 2),
    )
    for make, operator, version in made:
        where = odata.any_of(make("telephone1", text) for text in texts)

        read = Filter(f"{where} and {STATE[version]} eq 0", {**TYPES, STATE[version]: "number"}, version)

        wanted = [Condition(operator, "telephone1", kept(text)) for text in texts]
        assert read.conditions == [*wanted, Condition("eq", STATE[version], 0)]


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()'.-]{2,20}", fullmatch=True)),
    st.sampled_from(("web", "2015")),
)
def test_whoever_calls_only_numbers_are_asked_for(received: str, api: str) -> None:
    caller = understand_caller(received, "", "FR")
    request = first(api, Question(job("new_no", caller=caller), "FR"))
    if request is None:
        return

    version = 4 if api == "web" else 2
    *asked, state = Filter(as_read(request)["$filter"], Anything(), version).conditions

    assert state == Condition("eq", STATE[version], 0)
    for condition in asked:
        assert condition.field.lower() in ("telephone1", "telephone2", "telephone3", "mobilephone")
        assert set(condition.value) <= set("0123456789+ ().-/%")


@given(TEXTS, st.sampled_from(("web", "2015")))
def test_whatever_is_keyed_is_one_text(digits: str, api: str) -> None:
    key = LookupKey(ACME, CRM, "", (), ("new_no",), AskedBy.DIGITS, digits, "new_no")
    request = first(api, Question(replace(job(), key=key), "FR"))

    assert request is not None
    version = 4 if api == "web" else 2
    read = Filter(as_read(request)["$filter"], Anything(), version)
    assert read.conditions == [Condition("eq", "new_no", kept(digits)), Condition("eq", STATE[version], 0)]


@given(NAMES, st.sampled_from(("web", "2015")), st.sampled_from(("field", "module", "digits_field")))
def test_a_name_is_one_or_nothing_is_asked(name: str, api: str, place: str) -> None:
    fields = (name,) if place == "field" else ("new_no",)
    modules = (name,) if place == "module" else ("contact",)
    key = LookupKey(
        ACME, CRM, "", modules, fields, AskedBy.DIGITS, "4711", name if place == "digits_field" else "new_no"
    )
    told = ""
    try:
        request = first(api, Question(replace(job(), key=key), "FR"))
    except LookupRefused as refused:
        told = refused.problem
    if told:
        assert "cannot be the name of" in told or "names no field" in told
        return

    assert request is not None
    read = as_read(request)
    assert set(read) <= {"$select", "$filter", "$orderby", "$top", "$expand"}
    assert FIELD.fullmatch(name)
    assert request.url.startswith("https://crm.example/acme/")
    assert request.url.count("/") <= 7
    selected(read["$select"])
    Filter(read["$filter"], Anything(), 4 if api == "web" else 2)
    if api == "web" and "$expand" in read:
        expanded(read["$expand"])


@pytest.mark.parametrize(
    "text",
    [
        "telephone1 eq '1",
        "telephone1 eq '1' or",
        "telephone1 eq '1'or'1'",
        "telephone1 eq 1",
        "telephone1 eq '1' or 1 eq 1",
        "(telephone1 eq '1'",
        "telephone1 eq '1');drop",
        "tolower(telephone1) eq '1'",
        "substringof('1',telephone1)",
    ],
)
def test_the_judge_itself_is_strict(text: str) -> None:
    with pytest.raises((NotOData, UnknownName)):
        Filter(text, TYPES, 4)
