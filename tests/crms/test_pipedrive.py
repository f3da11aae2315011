"""What is special to Pipedrive: two requests, hashes and labels, persons' organisations, two ways to log a call."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged, query_of
from tests.crms.pipedrive import (
    ACCOUNT,
    BUDGET,
    CLIENT,
    ORG_TIER,
    PERSON_RIG,
    SEATS,
    SECRET,
    TIER,
    TOKEN_RIG,
    VIP,
    Pipedrive,
)
from tests.crms.product import Product, running
from tests.workers.makers import job
from workers.connectors import oauth
from workers.connectors.pipedrive import CONNECTOR
from workers.connectors.pipedrive.api import Settings, answer, client_of, sign_in
from workers.connectors.pipedrive.find import find
from workers.connectors.pipedrive.values import asked_for, value_of
from workers.connectors.pipedrive.write import log_call
from workers.connectors.steps import Account, Basic, Bearer, Grant, HeaderAuth, Question, Response
from workers.errors import (
    GrantExpired,
    IntegrationUnusable,
    LookupFailed,
    LookupRefused,
    LookupUnavailable,
    SignInNeeded,
)
from workers.secrets import Secret

GRANT = Grant(token=Secret("canary"), facts={"site": "https://acme.pipedrive.com"})
TOKEN_ACCOUNT = Account(Settings(token=Secret("canary")), GRANT)
PERSON = Settings(auth="person", client_id=CLIENT, client_secret=Secret(SECRET))


@pytest.fixture
async def pipedrive() -> AsyncIterator[Product]:
    async with running(TOKEN_RIG) as product:
        yield product


@pytest.fixture
async def by_person() -> AsyncIterator[Product]:
    async with running(PERSON_RIG) as product:
        yield product


def crm_of(product: Product) -> Pipedrive:
    assert isinstance(product.crm, Pipedrive)
    return product.crm


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("persons",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def searched(*items: dict[str, Any]) -> Response:
    return answered({"success": True, "data": {"items": [{"item": item} for item in items]}})


def alice(id_: int = 1) -> dict[str, Any]:
    return {
        "id": id_,
        "name": "Alice",
        "phones": ["06 39 98 00 01"],
        "organization": {"id": 90, "name": "Garage"},
    }


def paths(product: Product) -> list[str]:
    return [seen.path for seen in product.crm.data_requests]


# Looking up


def test_the_search_is_for_national_digits_in_numbers_only() -> None:
    person = answered({"success": True, "data": {"id": 1, "name": "Alice", "custom_fields": {TIER: None}}})

    findings, (search, read) = driven(
        find(TOKEN_ACCOUNT, asked_of(people.ALICE, TIER)), searched(alice()), person
    )

    assert search.url == "https://api.pipedrive.com/api/v2/persons/search"
    assert query_of(search) == {"term": "639980001", "fields": "phone", "limit": "100"}
    assert search.auth == HeaderAuth("x-api-token", Secret("canary"))
    assert read.url == "https://api.pipedrive.com/api/v2/persons/1"
    assert query_of(read) == {"include_option_labels": "true", "custom_fields": TIER}
    assert findings.records[0].values == {TIER: None}


def test_neighbours_of_the_loose_search_are_not_read() -> None:
    near = alice(71) | {"phones": ["+34639980001", "+3306399800011"]}

    findings, asked = driven(find(TOKEN_ACCOUNT, asked_of(people.ALICE)), searched(near), searched(near))

    assert findings.records == ()
    assert [request.name for request in asked] == ["search", "search"]


async def test_a_number_that_the_search_knows_only_as_it_is_written(pipedrive: Product) -> None:
    crm_of(pipedrive).minds_signs = True

    answer = await pipedrive.find(people.ALICE)

    assert [record.name for record in answer.records] == ["Alice Martin"]
    assert len(pipedrive.crm.data_requests) == 3


async def test_several_persons_are_read_in_one_request_the_latest_first(pipedrive: Product) -> None:
    answer = await pipedrive.find(people.EMMA_AND_ENZO)

    assert [record.name for record in answer.records] == ["Emma Roux", "Enzo Roux"]
    assert paths(pipedrive) == ["/api/v2/persons/search", "/api/v2/persons"]


def test_of_very_many_persons_some_are_read_and_that_is_told() -> None:
    hits = searched(*(alice(id_) for id_ in range(1, 26)))
    read = answered({"success": True, "data": [{"id": id_, "name": "A"} for id_ in range(1, 21)]})

    findings, (_, request) = driven(find(TOKEN_ACCOUNT, asked_of(people.ALICE, "name")), hits, read)

    assert len(query_of(request)["ids"].split(",")) == 20
    assert len(findings.records) == 20
    assert "25 records match" in findings.problem


def test_a_person_who_is_gone_since_the_search_is_nobody() -> None:
    gone = answered({"success": False, "error": "Entity was not found"}, 404)

    findings, _ = driven(find(TOKEN_ACCOUNT, asked_of(people.ALICE)), searched(alice()), gone)

    assert findings.records == ()


async def test_an_organisation_is_found_through_its_persons(pipedrive: Product) -> None:
    answer = await pipedrive.find(
        people.ALICE, ORG_TIER, f"{ORG_TIER}.id", modules=("organizations", "persons")
    )

    (record,) = answer.records
    assert (record.name, record.module) == ("Garage Dupont & Fils", "organizations")
    assert record.values == {ORG_TIER: "Gold", f"{ORG_TIER}.id": 2}
    assert record.link == "https://acme.pipedrive.com/organization/90"
    assert paths(pipedrive) == ["/api/v2/persons/search", "/api/v2/organizations/90"]


async def test_where_no_person_has_an_organisation_the_next_module_has_its_turn(pipedrive: Product) -> None:
    answer = await pipedrive.find(people.BRUNO, TIER, modules=("organizations", "persons"))

    assert [(record.name, record.module) for record in answer.records] == [("Bruno Petit", "persons")]


async def test_a_person_with_a_field_of_its_organisation(pipedrive: Product) -> None:
    fields = (TIER, f"organization.{ORG_TIER}", f"organization.{ORG_TIER}.id", "organization.name")

    record = (await pipedrive.find(people.ALICE, *fields)).records[0]

    assert record.values == {
        TIER: "Gold",
        f"organization.{ORG_TIER}": "Gold",
        f"organization.{ORG_TIER}.id": 2,
        "organization.name": "Garage Dupont & Fils",
    }
    assert paths(pipedrive)[2:] == ["/api/v2/organizations/90"]


async def test_a_person_without_an_organisation_has_its_fields_empty(pipedrive: Product) -> None:
    answer = await pipedrive.find(people.BRUNO, f"organization.{ORG_TIER}", "organization.name")

    assert answer.records[0].values == {f"organization.{ORG_TIER}": None, "organization.name": None}
    assert (answer.problem, len(pipedrive.crm.data_requests)) == ("", 2)


async def test_an_organisation_in_a_rule_that_speaks_of_the_person_s(pipedrive: Product) -> None:
    answer = await pipedrive.find(people.ALICE, f"organization.{ORG_TIER}", modules=("organizations",))

    assert answer.records[0].values == {f"organization.{ORG_TIER}": "Gold"}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (TIER, "Gold"),
        (f"{TIER}.id", 2),
        (VIP, "Yes"),
        (SEATS, 12),
        (BUDGET, 500),
        (f"{BUDGET}.currency", "EUR"),
        ("phone", ["06 39 98 00 01"]),
        ("phones.label", ["work"]),
        ("email", []),
        ("label_ids", ["Hot"]),
        ("label_ids.id", [5]),
        ("open_deals_count", 2),
        ("org_id", 90),
        ("first_name", "Alice"),
        ("organization.address", "1 rue X, Paris"),
        ("organization.address.locality", "Paris"),
        ("organization.people_count", 7),
    ],
)
async def test_values_are_what_the_screens_show(pipedrive: Product, field: str, expected: Any) -> None:
    answer = await pipedrive.find(people.ALICE, field)

    assert answer.problem == ""
    assert answer.records[0].values == {field: expected}


def test_several_options_are_a_list_of_labels() -> None:
    item = {"custom_fields": {TIER: [{"id": 1, "label": "Silver"}, {"id": 2, "label": "Gold"}]}}

    assert value_of(item, TIER) == (True, ["Silver", "Gold"])
    assert value_of(item, f"{TIER}.id") == (True, [1, 2])


@pytest.mark.parametrize("field", ["f" * 40, "no_such_field", "organization.no_such_field"])
async def test_a_field_that_is_left_out_is_told(pipedrive: Product, field: str) -> None:
    answer = await pipedrive.find(people.ALICE, TIER, field)

    assert answer.records[0].values == {TIER: "Gold"}
    assert f"`{field}`" in answer.problem


async def test_a_field_on_demand_that_is_none(pipedrive: Product) -> None:
    answer = await pipedrive.find(people.ALICE, "spaceships_count")

    assert answer.outcome is Outcome.CRM_ERROR
    assert "no such field" in answer.problem


def test_more_custom_fields_than_a_request_may_name_are_not_named() -> None:
    codes = [f"{at:040x}" for at in range(16)]

    assert dict(asked_for(codes[:15]))["custom_fields"].count(",") == 14
    assert "custom_fields" not in dict(asked_for(codes))


@pytest.mark.parametrize("is_deep", [False, True], ids=["as-in-the-example", "as-in-the-description"])
async def test_digits_by_the_exact_search_of_one_field(pipedrive: Product, is_deep: bool) -> None:
    crm_of(pipedrive).has_deep_items = is_deep

    answer = await pipedrive.find(digits="4711")

    assert [record.name for record in answer.records] == ["Alice Martin"]
    assert paths(pipedrive) == ["/api/v2/itemSearch/field", "/api/v2/persons/1"]


@pytest.mark.parametrize("field", [TIER, "f" * 40])
async def test_digits_in_a_field_that_cannot_be_searched(pipedrive: Product, field: str) -> None:
    answer = await pipedrive.find(digits="4711", digits_field=field)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "no such field" in answer.problem


async def test_digits_that_pipedrive_matches_too_loosely_find_nobody(pipedrive: Product) -> None:
    key = {"modules": ("persons",), "digits_field": ACCOUNT, "subject": "471", "by": "digits"}
    made = job(TIER)
    question = Question(replace(made, key=replace(made.key, **key)), "FR")
    read = answered(
        {"success": True, "data": {"id": 1, "name": "Alice", "custom_fields": {ACCOUNT: "4711", TIER: None}}}
    )

    findings, _ = driven(
        find(TOKEN_ACCOUNT, question), answered({"success": True, "data": [{"id": 1}]}), read
    )

    assert findings.records == ()


# Errors


def failure(status: int, error: str) -> Response:
    return answered({"success": False, "error": error, "errorCode": status}, status)


@pytest.mark.parametrize(
    ("response", "error", "fault"),
    [
        (failure(401, "unauthorized access"), GrantExpired, Fault.CREDENTIALS),
        (failure(402, "Payment required"), LookupRefused, Fault.RIGHTS),
        (failure(403, "Scope and URL mismatch"), LookupRefused, Fault.RIGHTS),
        (paged(403), LookupUnavailable, Fault.THROTTLED),
        (failure(404, "Entity was not found"), LookupRefused, Fault.ADDRESS),
        (failure(400, "Parameter 'custom_fields' is wrong"), LookupRefused, Fault.FIELD),
        (failure(422, "Unknown field"), LookupRefused, Fault.FIELD),
        (failure(400, "Bad request"), LookupRefused, Fault.QUERY),
        (answered({"success": False, "error": "no"}), LookupRefused, Fault.ANSWER),
        (paged(200), LookupRefused, Fault.ADDRESS),
        (answered("text"), LookupRefused, Fault.ANSWER),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_each_error_names_its_fault(response: Response, error: type[LookupFailed], fault: Fault) -> None:
    with pytest.raises(error) as raised:
        answer(response)

    assert raised.value.fault is fault


async def test_a_token_without_the_scope_of_contacts_is_told_as_a_missing_right(pipedrive: Product) -> None:
    crm_of(pipedrive).scopes.discard("contacts:full")

    checked = await pipedrive.check(pipedrive.subject(), TIER)

    (failed,) = [step for step in checked.steps if step.mend]
    assert (checked.is_well, failed.step) == (False, "rights")


# Signing in


async def test_a_fixed_token_asks_once_for_the_company_s_address(pipedrive: Product) -> None:
    await pipedrive.find(people.ALICE)
    await pipedrive.find(people.CHLOE)

    assert [seen.path for seen in pipedrive.crm.seen].count("/v1/users/me") == 1


@pytest.mark.parametrize("company", ["", "evil.example/", "a b", "x" * 80])
def test_a_company_s_name_that_is_no_host_makes_no_link(company: str) -> None:
    grant, _ = driven(sign_in(TOKEN_ACCOUNT.settings, None), answered({"data": {"company_domain": company}}))
    person = answered({"success": True, "data": {"id": 1, "name": "Alice"}})

    findings, _ = driven(
        find(Account(TOKEN_ACCOUNT.settings, grant), asked_of(people.ALICE)), searched(alice()), person
    )

    assert findings.records[0].link == ""


def token_answer(**changes: str) -> Response:
    return answered({"access_token": "new", "refresh_token": "rt-2", "expires_in": 3599} | changes)


def test_a_person_is_served_at_the_company_s_own_address_from_then_on() -> None:
    former = Grant(refresh_token=Secret("rt-1"))

    grant, (request,) = driven(sign_in(PERSON, former), token_answer(api_domain="https://acme.pipedrive.com"))

    assert request.url == "https://oauth.pipedrive.com/oauth/token"
    assert request.auth == Basic(CLIENT, Secret(SECRET))
    assert SECRET not in str(request.form)
    assert grant.base_url == grant.facts["site"] == "https://acme.pipedrive.com"
    assert (grant.refresh_token, grant.lives_seconds) == (Secret("rt-2"), 3599)
    _, (search, _) = driven(find(Account(PERSON, grant), asked_of(people.ALICE)), searched(), searched())
    assert search.url == "https://acme.pipedrive.com/api/v2/persons/search"
    assert search.auth == Bearer(Secret("new"))


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "http://acme.pipedrive.com",
        "https://pipedrive.com.evil.example",
        "https://u@x.pipedrive.com",
    ],
)
def test_a_sign_in_that_leads_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(sign_in(PERSON, Grant(refresh_token=Secret("rt-1"))), token_answer(api_domain=address))

    assert refused.value.fault is Fault.ADDRESS


def test_only_a_person_helps_when_the_refresh_token_is_dead() -> None:
    body = {"success": False, "message": "Invalid grant: refresh_token is invalid", "error": "invalid_grant"}

    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, Grant(refresh_token=Secret("rt-1"))), answered(body, 400))


async def test_a_browser_s_sign_in_serves_at_once(by_person: Product) -> None:
    subject = by_person.subject()
    client = client_of(subject.settings)
    grant = await by_person.asker.begin(5).run(
        oauth.exchange(client, "good-code", "http://localhost/back", "")
    )
    await by_person.grants.put(subject.grant, grant)

    record = (await by_person.find(people.ALICE, subject=subject)).records[0]

    assert record.link == f"{by_person.crm.url}/person/1"
    assert by_person.crm.tokens.reused == 0


@pytest.mark.parametrize(
    "given", [{}, {"auth": "person", "client_id": "c"}, {"token": "t", "log_as": "letter"}]
)
async def test_settings_that_lack_something_are_refused_before_anything_is_sent(
    pipedrive: Product, given: dict[str, Any]
) -> None:
    with pytest.raises(IntegrationUnusable):
        pipedrive.subject(given)


# Writing


def test_a_call_log_in_seconds_and_utc_without_a_mark() -> None:
    call = finished(module="persons", record_id="17")

    logged, (request,) = driven(
        log_call(TOKEN_ACCOUNT, call), answered({"success": True, "data": {"id": "CA1"}})
    )

    assert logged.id == "CA1"
    assert request.url == "https://api.pipedrive.com/v1/callLogs"
    assert request.writes
    assert {
        name: request.json[name] for name in ("start_time", "end_time", "duration", "outcome", "person_id")
    } == {
        "start_time": "2026-05-01 09:00:00",
        "end_time": "2026-05-01 09:01:30",
        "duration": "63",
        "outcome": "connected",
        "person_id": 17,
    }


@pytest.mark.parametrize(
    ("module", "record_id", "linked"),
    [("organizations", "4", {"org_id": 4}), ("persons", "x", {}), ("deals", "5", {}), ("", "", {})],
)
def test_a_call_log_hangs_on_what_was_found(module: str, record_id: str, linked: dict[str, int]) -> None:
    call = finished(module=module, record_id=record_id)

    _, (request,) = driven(log_call(TOKEN_ACCOUNT, call), answered({"success": True, "data": {"id": "CA1"}}))

    assert {name: value for name, value in request.json.items() if name.endswith("_id")} == linked


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [(CallEnd.MISSED, "no_answer"), (CallEnd.ABANDONED, "no_answer"), (CallEnd.VOICEMAIL, "left_voicemail")],
)
async def test_how_a_call_ended(pipedrive: Product, ending: CallEnd, outcome: str) -> None:
    await pipedrive.abilities.log_call(pipedrive.subject(), finished(ending=ending, talk_seconds=0))

    (kept,) = pipedrive.crm.logged()
    assert (kept.extra["outcome"], kept.extra["duration"]) == (outcome, "0")


async def test_an_activity_in_whole_minutes_with_the_person_among_its_participants(
    by_person: Product,
) -> None:
    await by_person.abilities.log_call(by_person.subject(), finished(module="persons", record_id="1"))

    (kept,) = by_person.crm.logged()
    names = ("type", "due_date", "due_time", "duration", "done", "participants")
    assert {name: kept.extra[name] for name in names} == {
        "type": "call",
        "due_date": "2026-05-01",
        "due_time": "09:00",
        "duration": "00:02",
        "done": True,
        "participants": [{"person_id": 1, "primary": True}],
    }


async def test_an_activity_of_an_organisation(by_person: Product) -> None:
    await by_person.abilities.log_call(by_person.subject(), finished(module="organizations", record_id="90"))

    (kept,) = by_person.crm.logged()
    assert (kept.extra["org_id"], kept.extra["participants"]) == (90, [])


@pytest.mark.parametrize("rig", [TOKEN_RIG, PERSON_RIG], ids=["call-log", "activity"])
async def test_a_repeat_finds_its_own_entry_among_others(product: Product) -> None:
    others = [finished(call_id=f"pbx-a-1795473674.2{at}") for at in ("", "99", "8")]
    for call in others:
        await product.abilities.log_call(product.subject(), call)

    first = await product.abilities.log_call(product.subject(), finished(is_repeat=True))
    again = await product.abilities.log_call(product.subject(), finished(is_repeat=True))

    assert (first.was_there, again.was_there, again.id) == (False, True, first.id)
    assert len(product.crm.logged()) == 4


@pytest.mark.parametrize("rig", [TOKEN_RIG, PERSON_RIG], ids=["call-log", "activity"])
async def test_signs_of_a_record_are_no_markup_in_a_note(product: Product) -> None:
    await product.abilities.log_call(product.subject(), finished())

    (kept,) = product.crm.logged()
    assert "&lt;b&gt;&amp;" in kept.text
    assert "<b>" not in kept.text


@pytest.mark.parametrize(
    ("rig", "scope"), [(TOKEN_RIG, "phone-integration"), (PERSON_RIG, "activities:full")]
)
async def test_a_log_without_its_scope_is_a_missing_right(product: Product, scope: str) -> None:
    crm_of(product).scopes.remove(scope)

    with pytest.raises(LookupRefused) as refused:
        await product.abilities.log_call(product.subject(), finished())

    assert refused.value.fault is Fault.RIGHTS


async def test_a_new_person_has_the_number_among_its_phones(pipedrive: Product) -> None:
    made = await pipedrive.abilities.create(
        pipedrive.subject(), NewContact("persons", people.NOBODY, "Nina Neuve")
    )

    phones = [{"value": people.NOBODY, "primary": True, "label": "work"}]
    assert crm_of(pipedrive).made == [{"name": "Nina Neuve", "phones": phones}]
    assert (made.id, made.name, made.link) == ("900", "Nina Neuve", "https://acme.pipedrive.com/person/900")


async def test_no_organisation_is_made_for_a_number(pipedrive: Product) -> None:
    with pytest.raises(LookupRefused) as refused:
        await pipedrive.abilities.create(
            pipedrive.subject(), NewContact("organizations", people.NOBODY, "Nina")
        )

    assert refused.value.fault is Fault.MODULE


# What Pipedrive tells of itself


async def test_a_person_s_fields_and_those_of_its_organisation(pipedrive: Product) -> None:
    listed = {field.name: field for field in await pipedrive.abilities.fields(pipedrive.subject(), "persons")}

    assert listed["phone"].type is CrmFieldType.PHONE
    assert listed[TIER].type is CrmFieldType.CHOICE
    assert listed[SEATS].type is CrmFieldType.NUMBER
    assert (listed[TIER].is_custom, listed["name"].is_custom) == (True, False)
    assert [choice.value for choice in listed[f"organization.{ORG_TIER}"].choices] == [
        "Gold",
        "Silver",
        "Bronze",
    ]


async def test_a_field_of_the_list_can_be_read_under_its_name(pipedrive: Product) -> None:
    listed = await pipedrive.abilities.fields(pipedrive.subject(), "persons")

    answer = await pipedrive.find(people.ALICE, *(field.name for field in listed))

    assert answer.problem == ""
    assert set(answer.records[0].values) == {field.name for field in listed}


async def test_the_modules_cost_no_request(pipedrive: Product) -> None:
    listed = await pipedrive.abilities.modules(pipedrive.subject())

    assert [module.name for module in listed] == ["persons", "organizations"]
    assert pipedrive.crm.data_requests == []


def test_no_setting_shows_its_secret() -> None:
    assert "canary" not in repr(TOKEN_ACCOUNT.settings) + repr(PERSON) + repr(TOKEN_ACCOUNT)
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(TOKEN_ACCOUNT.settings) is None
