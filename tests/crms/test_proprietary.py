"""What is special to our own contract: what it asks, what it takes for a hit, its errors, who asks, what it writes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault, Step
from router.core.identities import Uniqueid
from router.core.numbers import understand_caller
from router.core.rules import Credentials
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged
from tests.crms.product import Product, running
from tests.crms.proprietary import BASE, FIELDS, SIGNED_RIG, TOKEN_RIG, USER_RIG, OwnCrm
from tests.workers.makers import digits_job, job
from workers.connectors.proprietary import CONNECTOR
from workers.connectors.proprietary.api import Settings, answer
from workers.connectors.proprietary.describe import fields
from workers.connectors.proprietary.find import find
from workers.connectors.proprietary.write import create, log_call
from workers.connectors.steps import Account, Basic, Question
from workers.errors import IntegrationUnusable, LookupRefused
from workers.secrets import Secret

ACCOUNT = Account(Settings(url="https://own.example/api/", token=Secret("canary-token")))


@pytest.fixture
async def own() -> AsyncIterator[Product]:
    async with running(TOKEN_RIG) as product:
        yield product
        assert product.crm.broken == []


def crm_of(product: Product) -> OwnCrm:
    assert isinstance(product.crm, OwnCrm)
    return product.crm


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ()) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def keyed(digits: str, *fields: str) -> Question:
    return Question(digits_job(digits, *fields, key_digits_field="account_no"), "FR")


def record(id_: str, module: str = "contacts", **more: Any) -> dict[str, Any]:
    return {"id": id_, "module": module, "name": f"Number {id_}", "fields": {"tier": "Gold"}, **more}


# Looking up


async def test_one_request_asks_all_modules_and_takes_the_first_that_knows(own: Product) -> None:
    lead = next(person for person in own.crm.people if person.kind == "lead")
    own.crm.people.append(replace_person(lead, key=21, kind="contact"))

    answer = await own.find(people.LUC, modules=("leads", "contacts"))

    (seen,) = own.crm.data_requests
    assert json.loads(seen.body)["modules"] == ["leads", "contacts"]
    assert [(one.id, one.module) for one in answer.records] == [("20", "leads")]


def replace_person(person: people.Person, **changes: Any) -> people.Person:
    return people.Person(**{**vars(person), **changes})


async def test_without_modules_every_module_is_asked_and_all_are_taken(own: Product) -> None:
    answer = await own.find(people.GARAGE, modules=())

    assert [one.module for one in answer.records] == ["companies"]
    assert json.loads(own.crm.data_requests[0].body)["modules"] == []


def test_the_request_has_the_number_in_every_way_that_people_write_it() -> None:
    _, (request,) = driven(find(ACCOUNT, asked_of("0639980001", "tier")), answered({"records": []}))

    assert request.url == "https://own.example/api/crmroute/v1/lookup"
    assert request.json["number"] == "+33639980001"
    assert request.json["national"] == "639980001"
    assert "06 39 98 00 01" in request.json["spellings"]
    assert not request.writes


def test_an_internal_number_is_asked_as_it_is_dialled() -> None:
    _, (request,) = driven(find(ACCOUNT, asked_of("204", "tier")), answered({"records": []}))

    assert (request.json["number"], request.json["national"], request.json["spellings"]) == (
        "204",
        "204",
        ("204",),
    )


def test_a_withheld_number_is_not_asked_for() -> None:
    findings, asked = driven(find(ACCOUNT, asked_of("anonymous", "tier")))

    assert (findings.records, asked) == ((), [])


def test_a_record_that_shows_other_numbers_is_left_out_and_one_that_shows_none_is_believed() -> None:
    listed = [
        record("1", phones=["06 39 98 00 01"]),
        record("2", phones=["+34 639 98 00 01"]),
        record("3"),
        record("4", phones=[]),
    ]

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, "tier")), answered({"records": listed}))

    assert [one.id for one in findings.records] == ["1", "3", "4"]


def test_of_several_modules_the_first_of_the_rule_is_taken_whatever_came_first() -> None:
    listed = [record("1", "leads"), record("2"), record("3"), record("4", "spaceships")]

    question = asked_of(people.ALICE, "tier", modules=("contacts", "leads"))
    findings, _ = driven(find(ACCOUNT, question), answered({"records": listed}))

    assert [one.id for one in findings.records] == ["2", "3"]


def test_a_record_of_a_module_that_was_not_asked_for_is_nobody() -> None:
    question = asked_of(people.ALICE, "tier", modules=("contacts",))

    findings, _ = driven(find(ACCOUNT, question), answered({"records": [record("1", "leads")]}))

    assert findings.records == ()


def test_a_field_that_the_answer_lacks_is_told_and_left_out() -> None:
    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "tier", "vip", "seats")),
        answered({"records": [record("1", fields={"tier": None})]}),
    )

    assert findings.records[0].values == {"tier": None}
    assert findings.problem == "the answer has no field `vip`, `seats`"


def test_digits_whose_field_the_answer_lacks_match_nobody_and_say_why() -> None:
    findings, _ = driven(find(ACCOUNT, keyed("4711", "tier")), answered({"records": [record("1")]}))

    assert (findings.records, findings.problem) == ((), "the answer has no field `account_no`")


def test_digits_are_compared_here_and_their_field_is_not_among_the_values() -> None:
    listed = [
        record("1", fields={"tier": "Gold", "account_no": "4711"}),
        record("2", fields={"tier": "Gold", "account_no": "47110"}),
        record("3", fields={"tier": "Gold", "account_no": 4711}),
    ]

    findings, (request,) = driven(find(ACCOUNT, keyed("4711", "tier")), answered({"records": listed}))

    assert [(one.id, one.values) for one in findings.records] == [
        ("1", {"tier": "Gold"}),
        ("3", {"tier": "Gold"}),
    ]
    assert request.json["fields"] == ("tier", "account_no")


def test_a_record_as_it_is_shown() -> None:
    shown = record("1", name="Ann\nLee", link="javascript:alert(1)", modified_at="2026-05-01T09:00:00Z")

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, "tier")), answered({"records": [shown]}))

    made = findings.records[0]
    assert (made.name, made.link, made.modified_at) == ("Ann Lee", "", "2026-05-01T09:00:00Z")


@pytest.mark.parametrize("body", [{}, {"records": None}, {"records": {"id": "1"}}, []])
def test_an_answer_without_a_list_is_no_empty_one(body: Any) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, asked_of(people.ALICE, "tier")), answered(body))

    assert refused.value.fault is Fault.ANSWER


# Errors


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.QUERY),
        (401, Fault.CREDENTIALS),
        (403, Fault.RIGHTS),
        (404, Fault.ADDRESS),
        (405, Fault.ADDRESS),
        (302, Fault.ADDRESS),
        (501, Fault.DOWN),
    ],
)
def test_without_a_known_type_the_status_is_read(status: int, fault: Fault) -> None:
    for response in (answered({"type": "about:blank", "title": "No"}, status), paged(status)):
        with pytest.raises(LookupRefused) as refused:
            answer(response)
        assert refused.value.fault is fault


def test_a_web_page_is_a_wrong_address() -> None:
    with pytest.raises(LookupRefused) as refused:
        answer(paged(200))

    assert refused.value.fault is Fault.ADDRESS


async def test_the_trace_shows_the_detail_and_the_request(own: Product) -> None:
    answer = await own.find(people.ALICE, "teir")

    assert answer.problem == (
        "the CRM has no such field, or hides it from this user; it said: there is no field teir"
    )
    assert answer.request.startswith(f"POST {own.crm.url}{BASE}/crmroute/v1/lookup {{")


# Who asks


HOSTILE_ID = "a/b c:é%3A?#&=+;,@!$'()*~[]|\\^`<>\""


async def test_each_request_is_signed_over_all_that_it_is() -> None:
    async with running(SIGNED_RIG) as signed:
        crm = crm_of(signed)

        await signed.find(people.ALICE)
        await signed.abilities.log_call(signed.subject(), finished(call_id=Uniqueid(HOSTILE_ID)))

    assert crm.broken == []
    assert len(set(crm.signatures)) == 2
    assert list(crm.calls) == [HOSTILE_ID]


async def test_an_unsigned_request_to_a_crm_that_wants_signatures(own: Product) -> None:
    crm_of(own).is_signed = True

    answer = await own.find(people.ALICE)

    assert "the signing secret is another, or a clock is wrong" in answer.problem


def test_a_rules_own_user_asks_by_basic_authentication() -> None:
    given = {"url": "https://own.example", "token": "canary"}

    merged = CONNECTOR.with_credentials(given, Credentials(username="jane", password="canary-of-jane"))

    settings = Settings(**{**merged, "token": Secret("canary"), "password": Secret(merged["password"])})
    _, (request,) = driven(find(Account(settings), asked_of(people.ALICE, "tier")), answered({"records": []}))
    assert request.auth == Basic("jane", Secret("canary-of-jane"))


@pytest.mark.parametrize(
    "given",
    [
        {"auth": "basic"},
        {"token": ""},
        {"auth": "header", "token": ""},
        {"auth": "header", "header_name": "Host"},
        {"auth": "header", "header_name": "X-A\r\nX-B"},
        {"url": "https://own.example/?key=1"},
        {"url": "ftp://own.example"},
    ],
    ids=str,
)
async def test_settings_that_cannot_be_used(own: Product, given: dict[str, Any]) -> None:
    with pytest.raises(IntegrationUnusable) as refused:
        own.subject({"url": "https://own.example", "token": "canary", **given})

    assert "canary" not in refused.value.problem


# What the CRM tells of itself, and writing


async def test_a_picklists_values_and_labels(own: Product) -> None:
    listed = {field.name: field for field in await own.abilities.fields(own.subject(), "contacts")}

    assert list(listed) == list(FIELDS)
    assert listed["tier"].type is CrmFieldType.CHOICE
    assert ("Gold", "Gold customer") in [(one.value, one.label) for one in listed["tier"].choices]
    assert listed["vip"].type is CrmFieldType.BOOLEAN


def test_a_field_of_a_type_that_is_not_known() -> None:
    listed, _ = driven(
        fields(ACCOUNT, "contacts"), answered({"fields": [{"name": "a", "label": "A", "type": "colour"}]})
    )

    assert listed[0].type is CrmFieldType.OTHER


def test_a_call_is_put_under_its_id_however_that_is_written() -> None:
    call = finished(caller="", call_id=Uniqueid("pbx/1 ?é"))

    logged, (request,) = driven(log_call(ACCOUNT, call), answered({"id": "c-1"}, 201))

    assert request.method == "PUT"
    assert request.url == "https://own.example/api/crmroute/v1/calls/pbx%2F1%20%3F%C3%A9"
    assert (logged.id, logged.was_there) == ("c-1", False)
    assert (request.json["caller"], request.json["record"]) == (None, None)
    assert not request.writes, "the same call may be put again"


def test_a_system_that_keeps_no_calls() -> None:
    body = {"type": "urn:crmroute:not-supported", "status": 501, "detail": "no log here"}

    with pytest.raises(LookupRefused) as refused:
        driven(log_call(ACCOUNT, finished()), answered(body, 501))

    assert refused.value.problem == "this CRM does not do that"


def test_a_record_that_is_made() -> None:
    contact = NewContact("leads", people.NOBODY, "Nina Neuve")

    made, (request,) = driven(
        create(ACCOUNT, contact), answered({"id": "17", "link": "https://own.example/17"}, 201)
    )

    assert request.json == {"module": "leads", "number": people.NOBODY, "name": "Nina Neuve"}
    assert request.writes
    assert (made.id, made.module, made.link) == ("17", "leads", "https://own.example/17")


async def test_a_basic_integration_passes_its_test() -> None:
    async with running(USER_RIG) as product:
        checked = await product.check(product.subject(), "tier")

    assert checked.is_well
    assert next(one for one in checked.steps if one.step is Step.CREDENTIALS).told == "Acme's own CRM"
