"""What is special to HubSpot: its filter groups, its silence, its texts, its links, its milliseconds."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged
from tests.crms.hubspot import CARS, CLIENT, HOST, PERSON_RIG, PORTAL, SECRET, TOKEN_RIG, HubSpot
from tests.crms.product import Product, running
from tests.crms.server import Mood
from tests.workers.makers import digits_job, job
from workers.connectors import oauth
from workers.connectors.hubspot import CONNECTOR
from workers.connectors.hubspot.api import Settings, answer, client_of, sign_in
from workers.connectors.hubspot.find import find
from workers.connectors.hubspot.write import log_call
from workers.connectors.steps import Account, Grant, Question, Response
from workers.errors import (
    GrantExpired,
    IntegrationUnusable,
    LookupFailed,
    LookupRefused,
    LookupUnavailable,
    SignInNeeded,
)
from workers.secrets import Secret

GRANT = Grant(token=Secret("canary"), facts={"portal": str(PORTAL), "host": HOST})
ACCOUNT = Account(Settings(token=Secret("canary")), GRANT)
PERSON = Settings(auth="person", client_id=CLIENT, client_secret=Secret(SECRET))


@pytest.fixture
async def hubspot() -> AsyncIterator[Product]:
    async with running(TOKEN_RIG) as product:
        yield product


@pytest.fixture
async def by_person() -> AsyncIterator[Product]:
    async with running(PERSON_RIG) as product:
        yield product


def crm_of(product: Product) -> HubSpot:
    assert isinstance(product.crm, HubSpot)
    return product.crm


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("contacts",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def contact(id_: str, **properties: str | None) -> dict[str, Any]:
    return {"id": id_, "properties": properties, "updatedAt": "2026-05-01T09:00:00Z"}


# Looking up


def test_one_search_asks_for_the_twins_the_spellings_and_a_word_that_ends_like_it() -> None:
    _, (request,) = driven(find(ACCOUNT, asked_of(people.ALICE, "tier")), answered({"results": []}))

    filters = [one for group in request.json["filterGroups"] for one in group["filters"]]
    assert request.url == "https://api.hubapi.com/crm/objects/2026-03/contacts/search"
    assert [(one["propertyName"], one["operator"]) for one in filters] == [
        ("hs_searchable_calculated_phone_number", "IN"),
        ("hs_searchable_calculated_mobile_number", "IN"),
        ("phone", "IN"),
        ("mobilephone", "IN"),
        ("phone", "CONTAINS_TOKEN"),
    ]
    assert filters[0]["values"] == ("639980001", "33639980001")
    assert filters[2]["values"][:3] == ("+33639980001", "0639980001", "06 39 98 00 01")
    assert filters[4]["value"] == "*639980001"
    assert request.json["properties"] == ["firstname", "lastname", "phone", "mobilephone", "tier"]
    assert not request.writes


def test_the_same_national_number_in_another_country_is_left_out() -> None:
    hits = [
        contact("71", phone="+34639980001", tier="Bronze"),
        contact("1", phone="06 39 98 00 01", tier="Gold"),
    ]

    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "tier")), answered({"total": 2, "results": hits})
    )

    assert [(record.id, record.values) for record in findings.records] == [("1", {"tier": "Gold"})]


def test_values_stay_the_texts_that_they_are() -> None:
    hit = contact("1", phone="+33639980001", seats="12", vip="false", interests="a;b", tier=None)
    fields = ("seats", "vip", "interests", "tier")

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, *fields)), answered({"results": [hit]}))

    (record,) = findings.records
    assert record.values == {"seats": "12", "vip": "false", "interests": "a;b", "tier": None}
    assert findings.problem == ""


def test_each_unknown_property_is_told_and_left_out() -> None:
    hit = contact("1", phone="+33639980001", tier="Gold")

    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "tier", "teir", "statsu")), answered({"results": [hit]})
    )

    assert findings.records[0].values == {"tier": "Gold"}
    assert "`teir`" in findings.problem
    assert "`statsu`" in findings.problem
    assert "`tier`" not in findings.problem


async def test_a_company_has_no_calculated_twin(hubspot: Product) -> None:
    answer = await hubspot.find(people.GARAGE, modules=("companies",))

    (seen,) = hubspot.crm.data_requests
    names = {
        one["propertyName"] for group in json.loads(seen.body)["filterGroups"] for one in group["filters"]
    }
    assert (answer.outcome, names) == (Outcome.FOUND, {"phone"})
    assert answer.records[0].link == f"https://{HOST}/contacts/{PORTAL}/record/0-2/90"


async def test_a_custom_object_by_the_number_fields_that_the_settings_name(hubspot: Product) -> None:
    record = (await hubspot.find(people.LUC, modules=(CARS,))).records[0]

    assert (record.name, record.values) == ("Luc Prospect", {"tier": "Silver"})
    assert record.link == f"https://{HOST}/contacts/{PORTAL}/record/2-77/20"


async def test_a_module_whose_number_fields_nobody_named(hubspot: Product) -> None:
    answer = await hubspot.find(people.LUC, modules=("deals",))

    assert answer.outcome is Outcome.CRM_ERROR
    assert "`deals`" in answer.problem
    assert "phone_fields" in answer.problem
    assert hubspot.crm.data_requests == []


@pytest.mark.parametrize("named", ["phone, a-b", "phone; DROP", "a,b,c,d,e,f"])
def test_number_fields_that_cannot_be_any(named: str) -> None:
    account = Account(Settings(token=Secret("canary"), phone_fields={"deals": named}), GRANT)

    with pytest.raises(LookupRefused):
        driven(find(account, asked_of(people.ALICE, modules=("deals",))))


def test_a_search_is_never_longer_than_hubspot_takes() -> None:
    """Every spelling, and as many fields as there is room for; more are refused before anything is sent."""

    def search(number: int) -> int:
        fields = (f"a_property_with_a_rather_long_name_{at:02d}" for at in range(number))
        _, (request,) = driven(find(ACCOUNT, asked_of(people.JANE, *fields)), answered({"results": []}))
        return len(msgspec.json.encode(request.json))

    assert search(40) < 3000
    with pytest.raises(LookupRefused) as refused:
        search(60)
    assert refused.value.fault is Fault.FIELD


async def test_digits_are_one_exact_filter(hubspot: Product) -> None:
    answer = await hubspot.find(digits="4711")

    (seen,) = hubspot.crm.data_requests
    expected = [{"filters": [{"propertyName": "account_no", "operator": "EQ", "value": "4711"}]}]
    assert json.loads(seen.body)["filterGroups"] == expected
    assert [record.name for record in answer.records] == ["Alice Martin"]


async def test_digits_in_a_property_that_is_none(hubspot: Product) -> None:
    answer = await hubspot.find(digits="4711", digits_field="acount_no")

    assert answer.outcome is Outcome.CRM_ERROR
    assert "no such field" in answer.problem


def test_digits_that_only_look_alike_find_nobody() -> None:
    made = digits_job("0815", key_digits_field="account_no", key_modules=("contacts",))
    hit = contact("2", account_no="815")

    findings, _ = driven(find(ACCOUNT, Question(made, "FR")), answered({"results": [hit]}))

    assert findings.records == ()


# Errors


def said(message: str, category: str = "", code: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": "c1"}
    return (
        body | ({"category": category} if category else {}) | ({"errors": [{"code": code}]} if code else {})
    )


@pytest.mark.parametrize(
    ("response", "error", "fault"),
    [
        (answered(said("no", "INVALID_AUTHENTICATION"), 401), GrantExpired, Fault.CREDENTIALS),
        (answered(said("expired", "EXPIRED_AUTHENTICATION"), 401), GrantExpired, Fault.CREDENTIALS),
        (answered(said("scopes", "MISSING_SCOPES"), 403), LookupRefused, Fault.RIGHTS),
        (answered(said("Unable to infer object type from: x"), 400), LookupRefused, Fault.MODULE),
        (answered(said("Invalid object or event type id: 2-9"), 400), LookupRefused, Fault.MODULE),
        (
            answered(said("not valid", "VALIDATION_ERROR", "PROPERTY_DOESNT_EXIST"), 400),
            LookupRefused,
            Fault.FIELD,
        ),
        (answered(said('Property "x" does not exist', "VALIDATION_ERROR"), 400), LookupRefused, Fault.FIELD),
        (answered(said("not valid", "VALIDATION_ERROR", "INVALID_OPTION"), 400), LookupRefused, Fault.QUERY),
        (answered(said("locked"), 423), LookupUnavailable, Fault.DOWN),
        (answered(said("moving"), 477), LookupUnavailable, Fault.DOWN),
        (paged(524), LookupUnavailable, Fault.DOWN),
        (paged(200), LookupRefused, Fault.ADDRESS),
        (Response(302, b"", {"location": "https://app.hubspot.com/login"}), LookupRefused, Fault.ADDRESS),
        (answered(["no"]), LookupRefused, Fault.ANSWER),
        (answered({"unexpected": True}, 404), LookupRefused, Fault.ADDRESS),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_each_error_names_its_fault(response: Response, error: type[LookupFailed], fault: Fault) -> None:
    with pytest.raises(error) as raised:
        answer(response)

    assert raised.value.fault is fault


async def test_a_busy_record_is_worth_another_try_later(hubspot: Product) -> None:
    with pytest.raises(LookupUnavailable) as raised:
        answer(answered(said("locked"), 423))

    assert raised.value.retry_after_seconds == 2.0


# Signing in


async def test_a_fixed_token_asks_for_the_account_once(hubspot: Product) -> None:
    await hubspot.find(people.ALICE)
    await hubspot.find(people.BRUNO)

    paths = [seen.path for seen in hubspot.crm.seen]
    assert paths.count("/account-info/2026-03/details") == 1
    assert len(paths) == 3


async def test_a_token_that_may_not_see_the_account_finds_without_links(hubspot: Product) -> None:
    crm_of(hubspot).scopes.remove("account")

    record = (await hubspot.find(people.ALICE)).records[0]

    assert (record.name, record.link) == ("Alice Martin", "")


def test_a_fixed_token_waits_for_an_account_that_is_away() -> None:
    with pytest.raises(LookupUnavailable):
        driven(sign_in(ACCOUNT.settings, None), paged(524))


def renewed(former: Grant, *responses: Response) -> tuple[Grant, list[str]]:
    token = {"access_token": "new", "refresh_token": "rt", "expires_in": 1800, "hub_id": PORTAL}
    grant, asked = driven(sign_in(PERSON, former), answered(token), *responses)
    return grant, [request.name for request in asked]


def test_a_person_s_renewal_asks_for_the_account_while_it_is_unknown() -> None:
    former = Grant(refresh_token=Secret("rt"))
    details = answered({"portalId": PORTAL, "uiDomain": HOST})

    first, asked_first = renewed(former, details)
    second, asked_second = renewed(first)

    assert asked_first == ["token", "account"]
    assert asked_second == ["token"]
    assert first.facts == second.facts == {"portal": str(PORTAL), "host": HOST}
    assert second.lives_seconds == 1800


@pytest.mark.parametrize("response", [paged(524), answered(said("no", "MISSING_SCOPES"), 403)])
def test_a_renewed_token_is_kept_although_the_account_tells_nothing(response: Response) -> None:
    grant, _ = renewed(Grant(refresh_token=Secret("rt")), response)

    assert grant.token == Secret("new")
    assert grant.facts == {"portal": str(PORTAL)}


@pytest.mark.parametrize("body", [{"status": "BAD_REFRESH_TOKEN"}, {"error": "invalid_grant"}])
def test_only_a_person_helps_when_the_refresh_token_is_dead(body: dict[str, str]) -> None:
    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, Grant(refresh_token=Secret("rt"))), answered(body, 400))


async def test_links_after_a_browser_s_sign_in_lead_by_the_sign_in_s_host(by_person: Product) -> None:
    subject = by_person.subject()
    client = client_of(subject.settings)
    grant = await by_person.asker.begin(5).run(
        oauth.exchange(client, "good-code", "http://localhost/back", "")
    )
    await by_person.grants.put(subject.grant, grant)

    record = (await by_person.find(people.ALICE, subject=subject)).records[0]

    host = urlsplit(by_person.crm.url).netloc
    assert record.link == f"https://{host}/contacts/{PORTAL}/record/0-1/1"


def test_a_person_is_asked_for_the_scopes_of_the_settings() -> None:
    client = client_of(replace(PERSON, scopes="oauth tickets"))

    address = urlsplit(oauth.authorise_address(client, "http://localhost:8765/callback", "state", "verifier"))

    assert (address.netloc, address.path) == ("app.hubspot.com", "/oauth/authorize")
    assert parse_qs(address.query)["scope"] == ["oauth tickets"]
    assert "code_challenge" not in parse_qs(address.query)


@pytest.mark.parametrize(
    "facts",
    [
        {"portal": "123456", "host": "evil.example/app.hubspot.com"},
        {"portal": "123456", "host": "app.hubspot.com.evil.example"},
        {"portal": "123456", "host": ""},
    ],
)
def test_a_host_that_is_not_hubspot_s_is_in_no_link(facts: dict[str, str]) -> None:
    account = Account(ACCOUNT.settings, Grant(token=Secret("canary"), facts=facts))
    hit = answered({"results": [contact("1", phone="+33639980001")]})

    findings, _ = driven(find(account, asked_of(people.ALICE)), hit)

    assert findings.records[0].link == "https://app.hubspot.com/contacts/123456/record/0-1/1"


@pytest.mark.parametrize("given", [{}, {"auth": "person", "client_id": "c"}, {"token": "t", "colour": "red"}])
async def test_settings_that_lack_something_are_refused_before_anything_is_sent(
    hubspot: Product, given: dict[str, Any]
) -> None:
    with pytest.raises(IntegrationUnusable):
        hubspot.subject(given)


# Writing


@pytest.mark.parametrize(
    ("module", "type_"), [("contacts", 194), ("companies", 182), ("deals", 206), ("tickets", 220)]
)
def test_a_call_hangs_on_its_record_in_milliseconds(module: str, type_: int) -> None:
    call = finished(module=module, record_id="51234")

    _, (request,) = driven(log_call(ACCOUNT, call), answered({"id": "7"}, 201))

    properties = request.json["properties"]
    (association,) = request.json["associations"]
    assert request.writes
    assert properties["hs_call_duration"] == "63000"
    assert properties["hs_timestamp"] == "2026-05-01T09:00:00Z"
    assert properties["hs_call_external_id"] == call.call_id
    assert association["to"] == {"id": "51234"}
    assert association["types"] == [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}]


async def test_signs_of_a_record_are_no_markup_in_a_call_s_body(hubspot: Product) -> None:
    await hubspot.abilities.log_call(hubspot.subject(), finished())

    (kept,) = hubspot.crm.logged()
    assert "&lt;b&gt;&amp;" in kept.text
    assert "<b>" not in kept.text
    assert "<br>" in kept.text


@pytest.mark.parametrize(
    ("ending", "status", "disposition"),
    [
        (CallEnd.ANSWERED, "COMPLETED", "f240bbac"),
        (CallEnd.MISSED, "NO_ANSWER", "73a0d17f"),
        (CallEnd.ABANDONED, "CANCELED", "73a0d17f"),
        (CallEnd.VOICEMAIL, "NO_ANSWER", "b2cf5968"),
    ],
)
async def test_how_a_call_ended(hubspot: Product, ending: CallEnd, status: str, disposition: str) -> None:
    await hubspot.abilities.log_call(hubspot.subject(), finished(ending=ending, talk_seconds=0))

    (kept,) = hubspot.crm.logged()
    assert kept.extra["hs_call_status"] == status
    assert str(kept.extra["hs_call_disposition"]).startswith(disposition)
    assert kept.extra["hs_call_duration"] == "0"


async def test_a_call_on_a_custom_object_is_linked_by_the_default_association(hubspot: Product) -> None:
    call = finished(module=CARS, record_id="20")

    first = await hubspot.abilities.log_call(hubspot.subject(), call)
    again = await hubspot.abilities.log_call(hubspot.subject(), replace(call, is_repeat=True))

    assert (again.id, again.was_there) == (first.id, True)
    assert crm_of(hubspot).links == [(first.id, CARS, "20")] * 2
    assert len(crm_of(hubspot).calls) == 1


async def test_a_repeat_writes_what_the_first_attempt_did_not(hubspot: Product) -> None:
    logged = await hubspot.abilities.log_call(hubspot.subject(), finished(is_repeat=True))

    assert not logged.was_there
    assert len(hubspot.crm.logged()) == 1


async def test_a_withheld_number_is_written_as_none(hubspot: Product) -> None:
    await hubspot.abilities.log_call(hubspot.subject(), finished(caller=""))

    (kept,) = hubspot.crm.logged()
    assert kept.extra["hs_call_from_number"] == ""
    assert "withheld" in kept.text


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("contacts", {"lastname": "Nina Neuve", "phone": people.NOBODY}),
        ("companies", {"name": "Nina Neuve", "phone": people.NOBODY}),
        (CARS, {"name": "Nina Neuve", "driver_phone": people.NOBODY}),
    ],
)
async def test_a_new_record_has_the_number_where_the_search_looks(
    hubspot: Product, module: str, expected: dict[str, str]
) -> None:
    made = await hubspot.abilities.create(hubspot.subject(), NewContact(module, people.NOBODY, "Nina Neuve"))

    assert crm_of(hubspot).made[0]["properties"] == expected
    assert (made.id, made.name) == ("900", "Nina Neuve")


async def test_no_record_is_made_in_a_module_without_number_fields(hubspot: Product) -> None:
    with pytest.raises(LookupRefused, match="phone_fields"):
        await hubspot.abilities.create(hubspot.subject(), NewContact("deals", people.NOBODY, "Nina"))

    assert crm_of(hubspot).made == []


# What HubSpot tells of itself


async def test_properties_with_their_types_and_stored_values(hubspot: Product) -> None:
    listed = {field.name: field for field in await hubspot.abilities.fields(hubspot.subject(), "contacts")}

    types = {name: field.type for name, field in listed.items()}
    assert types["phone"] is CrmFieldType.PHONE
    assert types["hs_searchable_calculated_phone_number"] is CrmFieldType.PHONE
    assert types["vip"] is CrmFieldType.BOOLEAN
    assert types["seats"] is CrmFieldType.NUMBER
    assert types["renewal"] is CrmFieldType.DATE
    assert types["lastmodifieddate"] is CrmFieldType.MOMENT
    assert types["tier"] is CrmFieldType.CHOICE
    assert types["interests"] is CrmFieldType.CHOICES
    assert types["firstname"] is CrmFieldType.TEXT
    assert (listed["tier"].choices[0].value, listed["tier"].choices[0].label) == ("Gold", "Gold customer")
    assert (listed["tier"].is_custom, listed["phone"].is_custom) == (True, False)
    assert "old" not in listed, "archived"


async def test_custom_objects_are_listed_where_the_token_may_see_them(hubspot: Product) -> None:
    with_schemas = await hubspot.abilities.modules(hubspot.subject())
    crm_of(hubspot).scopes.remove("schemas")
    without = await hubspot.abilities.modules(hubspot.subject())

    assert [module.name for module in without] == ["contacts", "companies", "deals", "tickets"]
    assert [(module.name, module.label) for module in with_schemas[4:]] == [(CARS, "Cars")]


async def test_the_test_names_the_missing_scope(hubspot: Product) -> None:
    crm_of(hubspot).scopes.remove("contacts")

    checked = await hubspot.check(hubspot.subject())

    (failed,) = [step for step in checked.steps if step.told and step.mend]
    assert (checked.is_well, failed.step) == (False, "rights")


async def test_too_many_searches_are_told_without_a_time_to_wait(hubspot: Product) -> None:
    await hubspot.find(people.ALICE)
    hubspot.crm.mood = Mood.THROTTLED

    answer = await hubspot.find(people.BRUNO, seconds=0.3)

    assert "too often" in answer.problem
    assert answer.attempts > 1, "the limit is one second's: it is worth trying again"


def test_no_setting_shows_its_secret() -> None:
    assert "canary" not in repr(ACCOUNT.settings) + repr(PERSON) + repr(ACCOUNT)
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(ACCOUNT.settings) is None
