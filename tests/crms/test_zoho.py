"""What is special to Zoho: its two ways of asking, its data centres, its token endpoint, its links, its calls."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged, query_of
from tests.crms.product import Product, running
from tests.crms.zoho import CLIENT, ORG, PERSON_RIG, REFRESH, SECRET, SELF_RIG, Zoho, identity
from tests.workers.makers import digits_job, job
from workers.connectors import oauth
from workers.connectors.steps import Account, Grant, Question, Response
from workers.connectors.zoho import CONNECTOR
from workers.connectors.zoho.api import Settings, answer, sign_in, written
from workers.connectors.zoho.find import find
from workers.connectors.zoho.write import log_call
from workers.errors import GrantExpired, IntegrationUnusable, LookupFailed, LookupRefused, SignInNeeded
from workers.secrets import Secret

SETTINGS = Settings(
    data_centre="eu", client_id=CLIENT, client_secret=Secret(SECRET), refresh_token=Secret(REFRESH)
)
PERSON = replace(SETTINGS, refresh_token=Secret())
GRANT = Grant(
    token=Secret("canary"), base_url="https://www.zohoapis.eu", refresh_token=Secret("rt"), facts={"org": ORG}
)
ACCOUNT = Account(SETTINGS, GRANT)
NOTHING = Response(204)


@pytest.fixture
async def zoho() -> AsyncIterator[Product]:
    async with running(SELF_RIG) as product:
        yield product


@pytest.fixture
async def by_person() -> AsyncIterator[Product]:
    async with running(PERSON_RIG) as product:
        yield product


def crm_of(product: Product) -> Zoho:
    assert isinstance(product.crm, Zoho)
    return product.crm


def paths(product: Product) -> list[str]:
    return [seen.path.removeprefix("/crm/v8/") for seen in product.crm.data_requests]


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("Contacts",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def contact(key: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": identity(key),
        "Full_Name": f"Contact {key}",
        "Modified_Time": "2026-05-01T09:00:00Z",
        **fields,
    }


# Looking up


def test_the_search_asks_for_the_national_digits_and_the_database_for_every_spelling() -> None:
    _, (search, query) = driven(find(ACCOUNT, asked_of(people.ALICE, "Tier")), NOTHING, NOTHING)

    assert search.url == "https://www.zohoapis.eu/crm/v8/Contacts/search"
    assert query_of(search) == {"phone": "639980001", "converted": "false", "per_page": "20"}
    asked = query.json["select_query"]
    assert asked.startswith("select id from Contacts where ((((Phone in ('+33639980001', '0639980001', ")
    assert "'06 39 98 00 01'" in asked
    assert asked.count(" in (") == 5
    assert not query.writes


async def test_a_record_that_the_index_has_not_met_is_found_in_the_database_with_the_same_values(
    zoho: Product,
) -> None:
    fields = ("Tier", "VIP", "Seats", "Account_Name", "Owner", "Tags")
    by_search = await zoho.find(people.ALICE, *fields)
    crm_of(zoho).not_indexed = {1}
    zoho.crm.seen.clear()

    by_coql = await zoho.find(people.ALICE, *fields)

    assert paths(zoho) == ["Contacts/search", "coql", "Contacts"]
    assert by_coql.records == by_search.records
    assert by_coql.records[0].values["Owner"] == "Patricia Boyle"


async def test_every_module_is_searched_before_the_database_is_asked(zoho: Product) -> None:
    modules = ("Contacts", "Leads", "Accounts")

    lead = await zoho.find(people.LUC, modules=modules)
    known = paths(zoho)
    zoho.crm.seen.clear()
    nobody = await zoho.find(people.NOBODY, modules=modules)

    assert lead.records[0].module == "Leads"
    assert known == ["Contacts/search", "Leads/search"]
    assert nobody.outcome is Outcome.NOT_FOUND
    assert paths(zoho) == ["Contacts/search", "Leads/search", "Accounts/search", "coql", "coql", "coql"]


async def test_a_number_in_a_field_of_the_organisation_s_own(zoho: Product) -> None:
    answer = await zoho.find("+33639980030", "Tier", modules=("Cars",))

    (record,) = answer.records
    assert (record.name, record.values, record.link) == ("Camionnette 7", {"Tier": "Gold"}, "")
    assert paths(zoho) == ["Cars/search"]


async def test_a_module_of_the_organisation_s_own_is_searched_once(zoho: Product) -> None:
    """Which of its fields hold numbers is not known, and COQL needs their names."""
    answer = await zoho.find(people.NOBODY, modules=("Cars",))

    assert (answer.outcome, paths(zoho)) == (Outcome.NOT_FOUND, ["Cars/search"])


async def test_a_standard_field_that_the_organisation_has_not_stops_no_look_up(zoho: Product) -> None:
    crm_of(zoho).removed = {"Asst_Phone"}

    answer = await zoho.find(people.NOBODY)

    assert (answer.outcome, answer.problem) == (Outcome.NOT_FOUND, "")


def test_a_long_text_that_mentions_the_number_is_no_number_of_the_record() -> None:
    note = "Please call the neighbour on 06 39 98 00 01, and not on her own number, which is out of order."
    hit = contact(71, Phone="+34639980001", Description=note)

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE)), answered({"data": [hit]}), NOTHING)

    assert findings.records == ()


async def test_a_converted_lead_is_left_out(zoho: Product) -> None:
    indexed = await zoho.find(people.LUC, modules=("Leads",))
    crm_of(zoho).not_indexed = {20, 21}
    in_the_database = await zoho.find(people.LUC, modules=("Leads",))
    by_digits = await zoho.find(digits="2121", modules=("Leads",))

    assert [record.name for record in indexed.records] == ["Luc Prospect"]
    assert [record.name for record in in_the_database.records] == ["Luc Prospect"]
    assert by_digits.outcome is Outcome.NOT_FOUND


def test_a_link_to_another_record_is_its_name_and_its_id() -> None:
    hit = contact(
        1,
        Phone="+33639980001",
        Account_Name={"name": "Acme", "id": "365"},
        Owner=None,
        Others=[{"name": "A", "id": "1"}, {"name": "B", "id": "2"}],
        Tags=["x", "y"],
        Tier="Gold",
    )
    fields = ("Account_Name", "Account_Name.id", "Owner.id", "Others", "Tags", "Tier.id")

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, *fields)), answered({"data": [hit]}))

    assert findings.records[0].values == {
        "Account_Name": "Acme",
        "Account_Name.id": "365",
        "Owner.id": None,
        "Others": ["A", "B"],
        "Tags": ["x", "y"],
        "Tier.id": "Gold",
    }
    assert findings.problem == ""


def test_each_field_that_is_not_there_is_told_and_left_out() -> None:
    hit = contact(1, Phone="+33639980001", Tier=None)

    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier", "Teir", "Statsu.id")), answered({"data": [hit]})
    )

    assert findings.records[0].values == {"Tier": None}
    assert "`Teir`" in findings.problem
    assert "`Statsu.id`" in findings.problem
    assert "`Tier`" not in findings.problem


def test_the_record_that_changed_last_comes_first() -> None:
    hits = [
        contact(1, Phone="+33639980001", Modified_Time="2026-05-01T09:00:00+02:00"),
        contact(2, Phone="+33639980001", Modified_Time="2026-05-03T09:00:00+02:00"),
    ]

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE)), answered({"data": hits}))

    assert [record.id for record in findings.records] == [identity(2), identity(1)]


async def test_digits_are_asked_of_the_database_exactly(zoho: Product) -> None:
    answer = await zoho.find(digits="4711")
    asked = json.loads(zoho.crm.data_requests[0].body)["select_query"]

    assert [record.name for record in answer.records] == ["Alice Martin"]
    assert paths(zoho) == ["coql", "Contacts"]
    assert asked == "select id from Contacts where Account_No in ('4711') limit 0, 100"


def test_digits_that_only_look_alike_find_nobody() -> None:
    question = Question(digits_job("0815", key_digits_field="Account_No", key_modules=("Contacts",)), "FR")
    ids, hit = answered({"data": [{"id": identity(2)}]}), answered({"data": [contact(2, Account_No="815")]})

    findings, _ = driven(find(ACCOUNT, question), ids, hit)

    assert findings.records == ()


async def test_digits_in_a_field_that_is_none(zoho: Product) -> None:
    answer = await zoho.find(digits="4711", digits_field="Acount_No")

    assert answer.outcome is Outcome.CRM_ERROR
    assert "no such field" in answer.problem


@pytest.mark.parametrize("missing", ["search", "coql"])
async def test_a_scope_that_the_token_lacks_is_a_missing_right_and_no_dead_token(
    zoho: Product, missing: str
) -> None:
    crm_of(zoho).scopes.remove(missing)

    answer = await zoho.find(people.NOBODY)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "does not let this user" in answer.problem
    assert zoho.crm.tokens.issued == 1


# Errors


def failed(status: int, code: str, **details: Any) -> Response:
    return answered({"code": code, "details": details, "message": "no", "status": "error"}, status)


@pytest.mark.parametrize(
    ("response", "error", "fault"),
    [
        (failed(401, "INVALID_TOKEN"), GrantExpired, Fault.CREDENTIALS),
        (failed(401, "AUTHENTICATION_FAILURE"), GrantExpired, Fault.CREDENTIALS),
        (failed(400, "INVALID_TOKEN"), GrantExpired, Fault.CREDENTIALS),
        (paged(401), GrantExpired, Fault.CREDENTIALS),
        (failed(401, "OAUTH_SCOPE_MISMATCH"), LookupRefused, Fault.RIGHTS),
        (failed(403, "NO_PERMISSION"), LookupRefused, Fault.RIGHTS),
        (failed(400, "AUTHORIZATION_FAILED"), LookupRefused, Fault.RIGHTS),
        (failed(403, "SOMETHING_NEW"), LookupRefused, Fault.RIGHTS),
        (failed(400, "INVALID_MODULE"), LookupRefused, Fault.MODULE),
        (failed(400, "NOT_SUPPORTED"), LookupRefused, Fault.MODULE),
        (failed(400, "INVALID_QUERY", column_name="Teir"), LookupRefused, Fault.FIELD),
        (failed(400, "SYNTAX_ERROR"), LookupRefused, Fault.QUERY),
        (failed(400, "EXPECTED_PARAM_MISSING"), LookupRefused, Fault.QUERY),
        (failed(404, "INVALID_URL_PATTERN"), LookupRefused, Fault.ADDRESS),
        (paged(200), LookupRefused, Fault.ADDRESS),
        (Response(302, b"", {"location": "https://accounts.zoho.eu/signin"}), LookupRefused, Fault.ADDRESS),
        (answered(["no"]), LookupRefused, Fault.ANSWER),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_each_error_names_its_fault(response: Response, error: type[LookupFailed], fault: Fault) -> None:
    with pytest.raises(error) as raised:
        answer(response)

    assert raised.value.fault is fault


def test_zoho_s_words_name_the_field_and_stand_apart() -> None:
    with pytest.raises(LookupRefused) as refused:
        answer(failed(400, "INVALID_QUERY", column_name="Teir"))

    assert refused.value.said == "no (Teir)"
    assert "Teir" not in refused.value.problem


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_found_has_no_body(status: int) -> None:
    assert answer(Response(status)) == {}


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (200, "MANDATORY_NOT_FOUND", Fault.FIELD),
        (202, "INVALID_DATA", Fault.FIELD),
        (202, "DUPLICATE_DATA", Fault.QUERY),
        (201, "SOMETHING_NEW", Fault.QUERY),
        (207, "NO_PERMISSION", Fault.RIGHTS),
    ],
)
def test_an_error_inside_a_success_is_an_error(status: int, code: str, fault: Fault) -> None:
    details = {"api_name": "Company", "id": "410000000000000001"}  # of the record that has it already
    row = {"code": code, "details": details, "message": "required", "status": "error"}

    with pytest.raises(LookupRefused) as refused:
        written(answered({"data": [row]}, status))

    assert (refused.value.fault, refused.value.said) == (fault, "required (Company)")


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"code": "SUCCESS", "details": {}}]}])
def test_a_write_that_names_no_record_is_no_success(body: dict[str, Any]) -> None:
    with pytest.raises(LookupRefused):
        written(answered(body, 201))


# Signing in


@pytest.mark.parametrize(
    ("data_centre", "accounts", "api"),
    [
        ("us", "accounts.zoho.com", "www.zohoapis.com"),
        ("eu", "accounts.zoho.eu", "www.zohoapis.eu"),
        ("in", "accounts.zoho.in", "www.zohoapis.in"),
        ("jp", "accounts.zoho.jp", "www.zohoapis.jp"),
        ("sa", "accounts.zoho.sa", "www.zohoapis.sa"),
        ("au", "accounts.zoho.com.au", "www.zohoapis.com.au"),
        ("cn", "accounts.zoho.com.cn", "www.zohoapis.com.cn"),
        ("ca", "accounts.zohocloud.ca", "www.zohoapis.ca"),
    ],
)
def test_each_data_centre_has_hosts_of_its_own(data_centre: Any, accounts: str, api: str) -> None:
    settings = replace(SETTINGS, data_centre=data_centre)
    token = answered({"access_token": "at", "expires_in": 3600})

    grant, (asked, org) = driven(sign_in(settings, None), token, answered({"org": [{"zgid": ORG}]}))

    assert asked.url == f"https://{accounts}/oauth/v2/token"
    assert org.url == f"https://{api}/crm/v8/org"
    assert (grant.base_url, grant.lives_seconds) == (f"https://{api}", 3600)


@pytest.mark.parametrize(
    ("domain", "is_trusted"),
    [
        ("https://www.zohoapis.eu", True),
        ("https://www.zohoapis.com", True),
        ("https://sandbox.zohoapis.eu", True),
        ("https://www.zohoapis.eu.evil.example", False),
        ("https://evilzohoapis.eu", False),
        ("http://www.zohoapis.in", False),
        ("https://127.0.0.1", False),
    ],
)
def test_the_domain_that_a_sign_in_names_is_zoho_s(domain: str, is_trusted: bool) -> None:
    token = answered({"access_token": "at", "api_domain": domain})

    if is_trusted:
        grant, _ = driven(sign_in(SETTINGS, GRANT), token)
        assert grant.base_url == domain
    else:
        with pytest.raises(LookupRefused, match="not its own"):
            driven(sign_in(SETTINGS, GRANT), token)


def test_an_address_of_the_settings_is_asked_whatever_the_sign_in_names() -> None:
    """A developer edition answers only at its own host, although its tokens name the usual one."""
    settings = replace(SETTINGS, url="https://developer.zohoapis.eu/")
    token = answered({"access_token": "at", "api_domain": "https://www.zohoapis.eu"})

    grant, _ = driven(sign_in(settings, GRANT), token)

    assert grant.base_url == "https://developer.zohoapis.eu"


def test_a_token_endpoint_tells_its_errors_with_status_200() -> None:
    with pytest.raises(LookupRefused, match="invalid_client") as refused:
        driven(sign_in(SETTINGS, None), answered({"error": "invalid_client"}))

    assert refused.value.fault is Fault.CREDENTIALS


def test_a_dead_token_of_the_settings_needs_other_settings_and_no_person() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(sign_in(SETTINGS, GRANT), answered({"error": "invalid_code"}))

    assert refused.value.fault is Fault.CREDENTIALS


@pytest.mark.parametrize("former", [None, Grant(token=Secret("at"))])
def test_only_a_person_helps_where_nobody_has_signed_in(former: Grant | None) -> None:
    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, former))


def test_only_a_person_helps_when_their_refresh_token_is_dead() -> None:
    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, GRANT), answered({"error": "invalid_code"}))


def test_a_person_s_refresh_token_stays_for_it_does_not_rotate() -> None:
    grant, (asked,) = driven(sign_in(PERSON, GRANT), answered({"access_token": "new"}))

    assert (grant.token, grant.refresh_token) == (Secret("new"), Secret("rt"))
    assert dict(asked.form or ())["refresh_token"] == "rt"


async def test_too_many_tokens_are_told_and_not_asked_for_again_at_once(zoho: Product) -> None:
    crm_of(zoho).tokens_left = 0

    first = await zoho.find(people.ALICE)
    second = await zoho.find(people.BRUNO)

    assert "no more tokens for some minutes" in first.problem
    assert first.problem == second.problem
    assert len(zoho.crm.seen) == 1


async def test_one_token_serves_many_look_ups(zoho: Product) -> None:
    for _ in range(12):
        await zoho.find(people.ALICE)

    assert zoho.crm.tokens.issued == 1


async def test_the_organisation_is_asked_for_once(zoho: Product) -> None:
    for _ in range(3):
        zoho.crm.tokens.expire_all()
        assert (await zoho.find(people.ALICE)).records[0].link

    assert [seen.path for seen in zoho.crm.seen].count("/crm/v8/org") == 1


@pytest.mark.parametrize(
    "response",
    [failed(401, "OAUTH_SCOPE_MISMATCH"), failed(401, "INVALID_TOKEN"), paged(200), answered({"org": []})],
)
def test_a_token_is_kept_although_the_organisation_is_not_told(response: Response) -> None:
    grant, _ = driven(sign_in(SETTINGS, None), answered({"access_token": "at"}), response)

    assert (grant.token, grant.facts) == (Secret("at"), {})


async def test_without_the_organisation_s_number_there_are_no_links(zoho: Product) -> None:
    crm_of(zoho).scopes.remove("org")

    record = (await zoho.find(people.ALICE)).records[0]

    assert (record.name, record.link) == ("Alice Martin", "")


async def test_by_a_browser(by_person: Product) -> None:
    subject = by_person.subject()
    assert subject.connector.oauth is not None
    client = subject.connector.oauth(subject.settings)
    assert client is not None

    address = urlsplit(oauth.authorise_address(client, "http://127.0.0.1/back", "state", "verifier"))
    grant = await by_person.asker.begin(5).run(
        oauth.exchange(client, "good-code", "http://127.0.0.1/back", "verifier")
    )
    await by_person.grants.put(subject.grant, grant)

    query = parse_qs(address.query)
    assert address.path == "/oauth/v2/auth"
    assert (query["access_type"], query["prompt"]) == (["offline"], ["consent"])
    assert "ZohoSearch.securesearch.READ" in query["scope"][0].split(",")
    assert (await by_person.find(people.ALICE, subject=subject)).outcome is Outcome.FOUND


def test_a_self_client_needs_no_browser() -> None:
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(SETTINGS) is None
    assert CONNECTOR.oauth(PERSON) is not None


@pytest.mark.parametrize(
    "given",
    [{}, {"client_id": "c"}, {"client_id": "c", "client_secret": "s", "data_centre": "uk"},
     {"client_id": "c", "client_secret": "s", "url": "zohoapis.eu"}],
)  # fmt: skip
async def test_settings_that_lack_something_are_refused_before_anything_is_sent(
    zoho: Product, given: dict[str, Any]
) -> None:
    with pytest.raises(IntegrationUnusable):
        zoho.subject(given)


def test_no_setting_shows_its_secret() -> None:
    assert "canary" not in repr(SETTINGS) + repr(ACCOUNT)


# Writing


@pytest.mark.parametrize(
    ("module", "linked"),
    [
        ("Contacts", {"Who_Id": {"id": "12"}}),
        ("Leads", {"What_Id": {"id": "12"}, "$se_module": "Leads"}),
        ("Accounts", {"What_Id": {"id": "12"}, "$se_module": "Accounts"}),
    ],
)
def test_a_contact_is_who_and_every_other_record_is_what(module: str, linked: dict[str, Any]) -> None:
    made = answered({"data": [{"code": "SUCCESS", "details": {"id": "7"}}]}, 201)

    logged, (request,) = driven(log_call(ACCOUNT, finished(module=module, record_id="12")), made)

    (body,) = request.json["data"]
    assert request.writes
    assert logged.id == "7"
    assert {name: body[name] for name in ("Who_Id", "What_Id", "$se_module") if name in body} == linked


@pytest.mark.parametrize(
    ("seconds", "duration"), [(63, "01:03"), (5, "00:05"), (600, "10:00"), (4500, "75:00"), (0, "00:00")]
)
def test_a_call_s_duration_is_minutes_and_seconds(seconds: int, duration: str) -> None:
    made = answered({"data": [{"code": "SUCCESS", "details": {"id": "7"}}]}, 201)

    _, (request,) = driven(log_call(ACCOUNT, finished(talk_seconds=seconds)), made)

    assert request.json["data"][0]["Call_Duration"] == duration
    assert request.json["data"][0]["Call_Start_Time"] == "2026-05-01T09:00:00+00:00"


async def test_a_missed_call_has_no_duration(zoho: Product) -> None:
    await zoho.abilities.log_call(zoho.subject(), finished(ending=CallEnd.MISSED, talk_seconds=0))

    (kept,) = crm_of(zoho).logged()
    assert (kept.extra["Call_Type"], "Call_Duration" in kept.extra) == ("Missed", False)
    assert (kept.extra["Caller_ID"], kept.extra["Dialled_Number"]) == (people.ALICE, "+33142345001")


async def test_a_call_of_a_lead(zoho: Product) -> None:
    lead = (await zoho.find(people.LUC, modules=("Leads",))).records[0]

    await zoho.abilities.log_call(zoho.subject(), finished(module="Leads", record_id=lead.id))

    (kept,) = crm_of(zoho).logged()
    assert kept.extra["What_Id"] == {"id": lead.id}


async def test_a_repeat_is_told_from_other_calls_of_the_same_minute(zoho: Product) -> None:
    other = finished(started_at=1_777_626_010.0)
    first = replace(other, call_id=other.call_id[:-1], started_at=1_777_626_030.0)
    await zoho.abilities.log_call(zoho.subject(), other)

    before = await zoho.abilities.log_call(zoho.subject(), replace(first, is_repeat=True))
    again = await zoho.abilities.log_call(zoho.subject(), replace(first, is_repeat=True))

    assert (before.was_there, again.was_there, again.id == before.id) == (False, True, True)
    assert len(crm_of(zoho).calls) == 2


async def test_a_repeat_is_known_where_zoho_keeps_no_seconds(zoho: Product) -> None:
    call = finished(started_at=1_777_626_047.0)
    await zoho.abilities.log_call(zoho.subject(), call)
    crm_of(zoho).calls[0]["Call_Start_Time"] = "2026-05-01T11:00:00+02:00"

    again = await zoho.abilities.log_call(zoho.subject(), replace(call, is_repeat=True))

    assert again.was_there


@pytest.mark.parametrize(
    ("module", "name", "made"),
    [
        ("Contacts", "Nina Neuve", {"Last_Name": "Nina Neuve"}),
        ("Leads", "Nina Neuve", {"Last_Name": "Nina Neuve", "Company": "Nina Neuve"}),
        ("Accounts", "Neuve SA", {"Account_Name": "Neuve SA"}),
        ("Cars", "Camion", {"Name": "Camion"}),
        ("Leads", "N" * 300, {"Last_Name": "N" * 80, "Company": "N" * 80}),
    ],
)
async def test_a_record_for_an_unknown_caller(
    zoho: Product, module: str, name: str, made: dict[str, str]
) -> None:
    record = await zoho.abilities.create(zoho.subject(), NewContact(module, people.NOBODY, name))

    (kept,) = crm_of(zoho).made
    assert {field: kept[field] for field in kept if field != "id"} == made | {"Phone": people.NOBODY}
    assert (record.id, record.module, record.name) == (kept["id"], module, name[:80])


# What Zoho tells of itself


async def test_fields_with_their_types_and_shown_values(zoho: Product) -> None:
    listed = {field.name: field for field in await zoho.abilities.fields(zoho.subject(), "Contacts")}

    types = {name: field.type for name, field in listed.items()}
    assert types["Phone"] is CrmFieldType.PHONE
    assert types["VIP"] is CrmFieldType.BOOLEAN
    assert types["Seats"] is CrmFieldType.NUMBER
    assert types["Renewal"] is CrmFieldType.DATE
    assert types["Modified_Time"] is CrmFieldType.MOMENT
    assert types["Tier"] is CrmFieldType.CHOICE
    assert types["Tags"] is CrmFieldType.CHOICES
    assert types["Account_Name"] is CrmFieldType.LINK
    assert [choice.value for choice in listed["Tier"].choices] == ["Gold", "Silver", "Bronze"]
    assert (listed["Tier"].is_custom, listed["Phone"].is_custom) == (True, False)


async def test_modules_that_no_record_can_be_read_of_are_not_listed(zoho: Product) -> None:
    listed = await zoho.abilities.modules(zoho.subject())

    assert [module.name for module in listed] == ["Contacts", "Leads", "Accounts", "Cars"]
