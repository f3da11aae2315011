"""How a middleware of PBXware's kind is searched: spellings, loose matches, ten hits, and what a hit is."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from router.core.faults import Fault
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, paged
from tests.crms.product import Product, running
from tests.crms.proprietary_i import CLIENT, KEY, RIG, Middleware
from tests.workers.makers import digits_job, job
from workers.connectors.proprietary_i.api import Settings
from workers.connectors.proprietary_i.find import find
from workers.connectors.steps import Account, Bearer, Grant, Question, Response
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

SETTINGS = Settings(url="https://mw.example/custom/", client_id=CLIENT, api_key=Secret(KEY), user_id="pbx-17")
ACCOUNT = Account(SETTINGS, Grant(token=Secret("canary-jwt")))
TEN = [{"id": str(key), "type": "Contact", "title": "X", "phones": [people.BRUNO]} for key in range(10)]


@pytest.fixture
async def middleware() -> AsyncIterator[Product]:
    async with running(RIG) as product:
        yield product
        assert product.crm.broken == []


def crm_of(product: Product) -> Middleware:
    assert isinstance(product.crm, Middleware)
    return product.crm


def paths(product: Product) -> list[str]:
    return [seen.path.rpartition("/api/v1/")[2] for seen in product.crm.data_requests]


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("Contact",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def keyed(digits: str, *fields: str) -> Question:
    return Question(digits_job(digits, *fields, key_digits_field="AccountNo"), "FR")


def hit(id_: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "Contact", "title": "Alice Martin", "phones": ["06 39 98 00 01"], **more}


async def test_one_search_of_all_types_with_the_other_spellings(middleware: Product) -> None:
    await middleware.find(people.ALICE, modules=("Lead", "Contact"))

    query = parse_qsl(middleware.crm.data_requests[0].query)
    assert query[:5] == [
        ("q", people.ALICE),
        ("search_by", "phone"),
        ("object_types", "Lead"),
        ("object_types", "Contact"),
        ("limit", "10"),
    ]
    assert ("phones", "06 39 98 00 01") in query
    assert ("phones", people.ALICE) not in query
    assert paths(middleware) == ["search", "object/Contact/1"]


@pytest.mark.parametrize(
    ("number", "key", "requests"),
    [(people.DAVID, 4, 2), (people.EMMA_AND_ENZO, 51, 3), ("+33639980007", 7, 4)],
    ids=["as-sent", "as-dialled-at-home", "without-its-zero"],
)
async def test_a_middleware_that_takes_the_number_literally_is_asked_again(
    middleware: Product, number: str, key: int, requests: int
) -> None:
    crm_of(middleware).digits_compared = 0
    middleware.crm.people.append(people.Person(7, "contact", "Sept", "Sept", phone="+33 (0)639980007"))

    answer = await middleware.find(number)

    assert [one.id for one in answer.records] == [str(key)]
    assert len(middleware.crm.data_requests) == requests


async def test_an_unknown_caller_costs_three_searches(middleware: Product) -> None:
    answer = await middleware.find(people.NOBODY, modules=("Contact", "Lead", "Account"))

    assert (answer.outcome, answer.problem) == (Outcome.NOT_FOUND, "")
    assert [dict(parse_qsl(seen.query))["q"] for seen in middleware.crm.data_requests] == [
        "+33639980099",
        "0639980099",
        "639980099",
    ]


async def test_the_first_type_of_the_rule_is_taken_whatever_came_first(middleware: Product) -> None:
    middleware.crm.people.append(people.Person(8, "lead", "Alice", "Lead", phone=people.ALICE))

    answer = await middleware.find(people.ALICE, modules=("Lead", "Contact"))

    assert [(one.id, one.module) for one in answer.records] == [("8", "Lead")]


async def test_hits_that_show_no_numbers_are_read_and_compared(middleware: Product) -> None:
    crm_of(middleware).shows_phones = False

    answer = await middleware.find(people.ALICE)

    assert [one.id for one in answer.records] == ["1"]
    assert paths(middleware) == [
        *("search", "object/describe/Contact", "object/Contact/1", "object/Contact/71", "object/Contact/72")
    ]
    assert middleware.crm.data_requests[2].query == "fields=Tier,Phone,Mobile"


def test_ten_hits_are_told_for_there_may_be_more() -> None:
    listed = [hit(), *TEN[1:]]

    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier")), answered(listed), answered({"Tier": "Gold"})
    )

    assert [one.id for one in findings.records] == ["1"]
    assert findings.problem == (
        "Contact: 10 records came, and a search brings no more, so there may be others"
    )


def test_ten_hits_of_which_none_is_the_callers_are_told_too() -> None:
    findings, asked = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier")), answered(TEN), answered([]), answered([])
    )

    assert (findings.records, len(asked)) == ((), 3)
    assert "there may be others" in findings.problem


def test_keyed_digits_of_which_ten_records_hold_a_part() -> None:
    rows = [answered({"AccountNo": f"12{key}"}) for key in range(10)]

    findings, _ = driven(find(ACCOUNT, keyed("12", "Tier")), answered(TEN), *rows)

    assert findings.records == ()
    assert "there may be others" in findings.problem


async def test_keyed_digits_are_read_and_compared_in_the_order_of_the_types(middleware: Product) -> None:
    answer = await middleware.find(digits="4711", modules=("Lead", "Contact"))

    assert [one.id for one in answer.records] == ["1"]
    assert answer.records[0].values == {"Tier": "Gold"}
    searches = [
        dict(parse_qsl(seen.query)) for seen in middleware.crm.data_requests if seen.path.endswith("search")
    ]
    assert [(one["object_types"], one["field"], one["q"]) for one in searches] == [
        ("Lead", "AccountNo", "4711"),
        ("Contact", "AccountNo", "4711"),
    ]


def test_links_are_names_and_with_id_behind_them_ids() -> None:
    row = {"Owner": {"Id": "u1", "Name": "Jane"}, "Tags": [{"Id": "1", "Name": "A"}, {"Id": "2", "Name": "B"}],
           "Opened": 1_760_000_000, "Vip": False, "Place": {"City": "Lyon"}}  # fmt: skip
    wanted = ("Owner", "Owner.id", "Tags", "Tags.id", "Opened", "Vip", "Place.City")

    findings, (_, read) = driven(
        find(ACCOUNT, asked_of(people.ALICE, *wanted)), answered([hit()]), answered(row)
    )

    assert findings.problem == ""
    assert findings.records[0].values == {
        "Owner": "Jane",
        "Owner.id": "u1",
        "Tags": ["A", "B"],
        "Tags.id": ["1", "2"],
        "Opened": 1_760_000_000,
        "Vip": False,
        "Place.City": "Lyon",
    }
    assert dict(read.query)["fields"] == "Owner,Tags,Opened,Vip,Place.City"


def test_a_field_that_is_not_there_is_told_and_one_that_is_null_is_empty() -> None:
    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier", "Teir", "Statsu")),
        answered([hit()]),
        answered({"Tier": None}),
    )

    assert findings.records[0].values == {"Tier": None}
    assert findings.problem == "the CRM has no field `Teir`, `Statsu`, or it is empty"


def test_a_record_as_it_is_shown() -> None:
    found = hit("a/b", title="Ann\nLee", last_modified_timestamp=1_760_000_000)

    findings, (search, read) = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier")), answered([found]), answered({"Tier": "Gold"})
    )

    (record,) = findings.records
    assert (record.id, record.name, record.modified_at) == ("a/b", "Ann Lee", "2025-10-09T08:53:20+00:00")
    assert read.url == "https://mw.example/custom/api/v1/object/Contact/a%2Fb"
    assert search.auth == Bearer(Secret("canary-jwt"))
    assert [(name, value.reveal()) for name, value in search.headers] == [("user_id", "pbx-17")]


def test_a_client_that_was_never_activated_gives_no_ids() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, asked_of(people.ALICE, "Tier")), answered([hit("")]))

    assert (refused.value.fault, "activate" in refused.value.problem) == (Fault.SETTINGS, True)


@pytest.mark.parametrize(
    ("question", "response", "fault"),
    [
        (asked_of(people.ALICE, "Tier"), Response(400, b"unknown object type X"), Fault.MODULE),
        (keyed("1", "Tier"), Response(400, b"bad field name AccountNo"), Fault.FIELD),
        (keyed("1", "Tier"), Response(400, b"unknown object type Contact"), Fault.MODULE),
        (asked_of(people.ALICE, "Tier"), Response(404, b"404 page not found"), Fault.ADDRESS),
        (asked_of(people.ALICE, "Tier"), Response(405), Fault.ADDRESS),
        (asked_of(people.ALICE, "Tier"), Response(501, b"not implemented"), Fault.DOWN),
        (asked_of(people.ALICE, "Tier"), paged(200), Fault.ADDRESS),
        (asked_of(people.ALICE, "Tier"), answered({"error": "no"}), Fault.ANSWER),
    ],
)
def test_an_answer_that_is_none(question: Question, response: Response, fault: Fault) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, question), response)

    assert refused.value.fault is fault


def test_a_token_that_is_no_longer_taken() -> None:
    with pytest.raises(GrantExpired):
        driven(find(ACCOUNT, asked_of(people.ALICE, "Tier")), Response(401, b"invalid token provided"))
