"""What is special to Zendesk: its wildcard, its organisations, its rotating tokens, its anonymous user, its
tickets.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.errands import StepState
from router.core.faults import Fault, Step
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged, query_of
from tests.crms.product import Product, running
from tests.crms.server import Mood, basic
from tests.crms.zendesk import (
    AGENT,
    CLIENT,
    CLIENT_RIG,
    ME,
    PERSON_RIG,
    SECRET,
    TOKEN,
    TOKEN_RIG,
    Zendesk,
)
from tests.workers.makers import digits_job, job
from workers.connectors import oauth
from workers.connectors.steps import Account, Basic, Bearer, Grant, Question, Response
from workers.connectors.zendesk import CONNECTOR
from workers.connectors.zendesk.api import Settings, answer, sign_in
from workers.connectors.zendesk.describe import check
from workers.connectors.zendesk.find import find
from workers.connectors.zendesk.write import create, log_call
from workers.errors import GrantExpired, IntegrationUnusable, LookupFailed, LookupRefused, SignInNeeded
from workers.secrets import Secret

SITE = "https://acme.zendesk.com"
CLIENT_SETTINGS = Settings(url=f"{SITE}/", client_id=CLIENT, client_secret=Secret(SECRET))
PERSON = replace(CLIENT_SETTINGS, auth="person")
ACCOUNT = Account(CLIENT_SETTINGS, Grant(token=Secret("canary")))
VOICE = Account(replace(CLIENT_SETTINGS, log_as="voice"), Grant(token=Secret("canary")))
NOTHING = answered({"results": [], "count": 0, "next_page": None})
REJECTED = answered({"error": "RecordInvalid", "description": "Record validation errors"}, 422)


@pytest.fixture
async def zendesk() -> AsyncIterator[Product]:
    async with running(CLIENT_RIG) as product:
        yield product


@pytest.fixture
async def by_token() -> AsyncIterator[Product]:
    async with running(TOKEN_RIG) as product:
        yield product


@pytest.fixture
async def by_person() -> AsyncIterator[Product]:
    async with running(PERSON_RIG) as product:
        yield product


def crm_of(product: Product) -> Zendesk:
    assert isinstance(product.crm, Zendesk)
    return product.crm


def paths(product: Product) -> list[str]:
    return [seen.path.removeprefix("/api/v2/") for seen in product.crm.data_requests]


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("users",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def keyed(digits: str, name: str, module: str = "users") -> Question:
    return Question(digits_job(digits, key_digits_field=name, key_modules=(module,)), "FR")


def user(id_: int, phone: str | None = "+33639980001", **more: Any) -> dict[str, Any]:
    return {"id": id_, "name": f"User {id_}", "phone": phone, "active": True, "suspended": False, **more}


# Looking up


def test_one_search_asks_for_the_national_digits_behind_a_wildcard() -> None:
    _, (request,) = driven(find(ACCOUNT, asked_of(people.ALICE, "tier")), NOTHING)

    assert request.url == f"{SITE}/api/v2/search.json"
    assert query_of(request) == {
        "query": "type:user role:end-user phone:*639980001",
        "sort_by": "updated_at",
        "sort_order": "desc",
        "per_page": "100",
    }


async def test_an_internal_number_is_searched_without_a_wildcard(zendesk: Product) -> None:
    answer = await zendesk.find("1234")

    (seen,) = zendesk.crm.data_requests
    assert parse_qs(seen.query)["query"] == ["type:user role:end-user phone:1234"]
    assert [record.name for record in answer.records] == ["Poste Interne"]


@pytest.mark.parametrize("phone", ["+34639980001", "+3306399800011", "", None])
def test_neighbours_and_users_without_a_number_are_left_out(phone: str | None) -> None:
    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE)), answered({"results": [user(1, phone)], "count": 1})
    )

    assert findings.records == ()


async def test_suspended_and_inactive_users_are_passed_over(zendesk: Product) -> None:
    by_number = await zendesk.find(people.ALICE)
    by_field = await zendesk.find(digits="4711")
    by_external_id = await zendesk.find(digits="8200", digits_field="external_id")

    assert [record.name for record in by_number.records] == ["Alice Martin"]
    assert [record.name for record in by_field.records] == ["Alice Martin"]
    assert by_external_id.outcome is Outcome.NOT_FOUND


async def test_a_shared_number_brings_everybody(zendesk: Product) -> None:
    answer = await zendesk.find(people.EMMA_AND_ENZO, "shared_phone_number")

    assert [record.name for record in answer.records] == ["Emma Roux", "Enzo Roux"]
    assert [record.values for record in answer.records] == [{"shared_phone_number": True}] * 2


def test_values_keep_their_types_and_a_drop_down_is_its_tag() -> None:
    fields = {
        "tier": "gold", "vip": False, "seats": 12, "score": 0.5, "renewal": "2026-12-01T00:00:00+00:00",
        "interests": ["cars", "bikes"], "manager": 4711, "empty": None,
    }  # fmt: skip
    hit = user(1, user_fields=fields, tags=["a"], notes="")

    findings, _ = driven(
        find(ACCOUNT, asked_of(people.ALICE, *fields, "tags", "notes")), answered({"results": [hit]})
    )

    assert findings.records[0].values == {**fields, "tags": ["a"], "notes": ""}
    assert findings.problem == ""


def test_a_custom_field_comes_before_one_of_zendesk_s_own() -> None:
    hit = user(1, details="own", user_fields={"details": "custom"})

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, "details")), answered({"results": [hit]}))

    assert findings.records[0].values == {"details": "custom"}


def test_each_field_that_is_not_there_is_told_and_left_out() -> None:
    hit = user(1, user_fields={"tier": None}, organization_id=None)
    fields = ("tier", "teir", "organization.tier", "statsu")

    findings, _ = driven(find(ACCOUNT, asked_of(people.ALICE, *fields)), answered({"results": [hit]}))

    assert findings.records[0].values == {"tier": None, "organization.tier": None}
    assert "`teir`" in findings.problem
    assert "`statsu`" in findings.problem
    assert "tier`" not in findings.problem


async def test_the_fields_of_the_organisation_are_a_second_request(zendesk: Product) -> None:
    answer = await zendesk.find(people.ALICE, "tier", "organization.name", "organization.tier")

    assert answer.records[0].values == {
        "tier": "gold",
        "organization.name": "Garage Dupont & Fils",
        "organization.tier": "gold",
    }
    assert paths(zendesk) == ["search.json", "organizations/show_many.json"]


def test_the_organisations_of_several_users_are_one_request() -> None:
    users = [user(1, organization_id=90), user(2, organization_id=91), user(3, organization_id=90), user(4)]
    organizations = [
        {"id": 90, "organization_fields": {"tier": "gold"}},
        {"id": 91, "organization_fields": {}},
    ]

    findings, (_, request) = driven(
        find(ACCOUNT, asked_of(people.ALICE, "organization.tier")),
        answered({"results": users}),
        answered({"organizations": organizations}),
    )

    assert query_of(request) == {"ids": "90,91"}
    told = [record.values for record in findings.records]
    assert told == [
        {"organization.tier": "gold"},
        {},
        {"organization.tier": "gold"},
        {"organization.tier": None},
    ]
    assert "`organization.tier`" in findings.problem


async def test_an_organisation_is_found_through_its_users(zendesk: Product) -> None:
    answer = await zendesk.find(people.ALICE, "tier", "organization.name", modules=("organizations",))

    (record,) = answer.records
    assert (record.module, record.name) == ("organizations", "Garage Dupont & Fils")
    assert record.values == {"tier": "gold", "organization.name": "Garage Dupont & Fils"}
    assert record.link == f"{zendesk.crm.url}/agent/organizations/90"


async def test_a_user_without_an_organisation_leads_to_none(zendesk: Product) -> None:
    answer = await zendesk.find(people.BRUNO, modules=("organizations",))

    assert answer.outcome is Outcome.NOT_FOUND
    assert paths(zendesk) == ["search.json"]


async def test_digits_of_an_external_id_are_matched_exactly_by_zendesk(zendesk: Product) -> None:
    answer = await zendesk.find(digits="4711", digits_field="external_id")

    assert [record.name for record in answer.records] == ["Alice Martin"]
    assert paths(zendesk) == ["users/search.json"]


def test_digits_of_a_custom_field_are_one_quoted_term() -> None:
    hits = [user(1, user_fields={"account_no": "4711"}), user(3, user_fields={"account_no": "47110"})]

    findings, (request,) = driven(find(ACCOUNT, keyed("4711", "account_no")), answered({"results": hits}))

    assert query_of(request)["query"] == 'type:user role:end-user account_no:"4711"'
    assert [record.id for record in findings.records] == ["1"]


@pytest.mark.parametrize(
    ("name", "path"), [("account_no", "search.json"), ("external_id", "organizations/search.json")]
)
async def test_digits_of_an_organisation(zendesk: Product, name: str, path: str) -> None:
    answer = await zendesk.find(digits="9000", digits_field=name, modules=("organizations",))

    assert [record.name for record in answer.records] == ["Garage Dupont & Fils"]
    assert paths(zendesk) == [path]


def test_digits_of_a_user_are_not_searched_in_its_organisation() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, keyed("4711", "organization.account_no")))

    assert refused.value.fault is Fault.FIELD


# Errors


@pytest.mark.parametrize(
    ("response", "error", "fault"),
    [
        (answered({"error": "Couldn't authenticate you"}, 401), GrantExpired, Fault.CREDENTIALS),
        (answered({"error": "invalid_token"}, 401), GrantExpired, Fault.CREDENTIALS),
        (paged(401), GrantExpired, Fault.CREDENTIALS),
        (answered({"error": {"title": "Forbidden", "message": "no"}}, 403), LookupRefused, Fault.RIGHTS),
        (answered({"error": "RecordNotFound", "description": "no"}, 404), LookupRefused, Fault.ADDRESS),
        (paged(404), LookupRefused, Fault.ADDRESS),
        (answered({"error": "invalid", "description": "no"}, 422), LookupRefused, Fault.QUERY),
        (paged(200), LookupRefused, Fault.ADDRESS),
        (Response(302, b"", {"location": f"{SITE}/access/unauthenticated"}), LookupRefused, Fault.ADDRESS),
        (answered(["no"]), LookupRefused, Fault.ANSWER),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_each_error_names_its_fault(response: Response, error: type[LookupFailed], fault: Fault) -> None:
    with pytest.raises(error) as raised:
        answer(response)

    assert raised.value.fault is fault


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "invalid", "description": "Invalid search"}, "Invalid search"),
        ({"error": {"title": "Forbidden", "message": "no access"}}, "no access"),
        ({"error": "Forbidden"}, "Forbidden"),
    ],
)
def test_zendesk_s_words_stand_apart(body: dict[str, Any], said: str) -> None:
    with pytest.raises(LookupRefused) as refused:
        answer(answered(body, 403))

    assert refused.value.said == said
    assert said not in refused.value.problem


async def test_too_many_requests_are_told_by_plain_text(zendesk: Product) -> None:
    await zendesk.find(people.ALICE)
    zendesk.crm.mood = Mood.THROTTLED

    answer = await zendesk.find(people.BRUNO, seconds=0.3)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "too often" in answer.problem


# Signing in


@pytest.mark.parametrize("rig", [CLIENT_RIG, TOKEN_RIG], ids=lambda rig: rig.name)
async def test_how_a_request_shows_who_asks(product: Product) -> None:
    await product.find(people.ALICE)

    shown = product.crm.data_requests[0].headers["Authorization"]
    assert (
        shown == basic(f"{AGENT}/token", TOKEN) if product.rig is TOKEN_RIG else shown.startswith("Bearer ")
    )


async def test_an_api_token_needs_no_sign_in(by_token: Product) -> None:
    await by_token.find(people.ALICE)

    assert [seen.is_sign_in for seen in by_token.crm.seen] == [False]


async def test_a_wrong_api_token_is_told_as_such(by_token: Product) -> None:
    subject = by_token.subject(by_token.rig.refused(by_token.crm))

    answer = await by_token.find(people.ALICE, subject=subject)

    assert "refused the user name or password, or the token" in answer.problem


def test_a_client_asks_for_a_token_of_a_day_in_json() -> None:
    token = answered({"access_token": "at", "token_type": "bearer", "expires_in": 86_400})

    grant, (request,) = driven(sign_in(CLIENT_SETTINGS, None), token)

    assert request.url == f"{SITE}/oauth/tokens"
    assert request.form is None
    assert request.json == {
        "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": "read write",
        "expires_in": 86_400,
    }  # fmt: skip
    assert "client_secret" in request.masked
    assert (grant.token, grant.lives_seconds, bool(grant.refresh_token)) == (Secret("at"), 86_400, False)


def test_a_person_s_renewal_asks_for_a_pair_that_lives_long() -> None:
    token = answered({"access_token": "at", "refresh_token": "rt2", "expires_in": 86_400})

    grant, (request,) = driven(sign_in(PERSON, Grant(refresh_token=Secret("rt1"))), token)

    assert request.json["refresh_token"] == "rt1"
    assert 7_000_000 < request.json["refresh_token_expires_in"] < 7_776_000
    assert request.writes, "a refresh token that rotates is never shown twice"
    assert grant.refresh_token == Secret("rt2")


def test_only_a_person_helps_when_the_pair_is_dead() -> None:
    refused = answered({"error": "invalid_grant", "error_description": "expired"}, 400)

    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, Grant(refresh_token=Secret("rt1"))), refused)
    with pytest.raises(SignInNeeded):
        driven(sign_in(PERSON, None))


async def test_a_rotating_refresh_token_is_used_once(by_person: Product) -> None:
    for _ in range(3):
        by_person.crm.tokens.expire_all()
        assert (await by_person.find(people.ALICE)).outcome is Outcome.FOUND

    assert by_person.crm.tokens.reused == 0


async def test_by_a_browser(by_person: Product) -> None:
    subject = by_person.subject()
    assert subject.connector.oauth is not None
    client = subject.connector.oauth(subject.settings)
    assert client is not None

    address = urlsplit(oauth.authorise_address(client, "http://127.0.0.1/back", "state", "v" * 43))
    grant = await by_person.asker.begin(5).run(
        oauth.exchange(client, "good-code", "http://127.0.0.1/back", "v" * 43)
    )
    await by_person.grants.put(subject.grant, grant)

    query = parse_qs(address.query)
    assert address.path == "/oauth/authorizations/new"
    assert (query["scope"], query["code_challenge_method"]) == (["read write"], ["S256"])
    assert (await by_person.find(people.ALICE, subject=subject)).outcome is Outcome.FOUND


@pytest.mark.parametrize(
    "given",
    [{"url": SITE}, {"url": SITE, "client_id": "c"}, {"url": SITE, "auth": "token", "username": "a@b"},
     {"url": "acme", "client_id": "c", "client_secret": "s"}, {"url": SITE, "auth": "token", "token": "t"},
     {"url": SITE, "client_id": "c", "client_secret": "s", "log_as": "mail"}],
)  # fmt: skip
async def test_settings_that_lack_something_are_refused_before_anything_is_sent(
    zendesk: Product, given: dict[str, Any]
) -> None:
    with pytest.raises(IntegrationUnusable):
        zendesk.subject(given)


def test_no_setting_shows_its_secret_and_only_a_person_needs_a_browser() -> None:
    by_token = replace(CLIENT_SETTINGS, auth="token", username=AGENT, token=Secret(TOKEN))

    assert "canary" not in repr(CLIENT_SETTINGS) + repr(by_token) + repr(ACCOUNT)
    assert CONNECTOR.oauth is not None
    assert [CONNECTOR.oauth(one) is None for one in (CLIENT_SETTINGS, by_token, PERSON)] == [
        True,
        True,
        False,
    ]
    assert [CONNECTOR.needs_grant(one) for one in (CLIENT_SETTINGS, by_token)] == [True, False]


# The connection test


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"id": None, "name": "Anonymous user", "role": "end-user"}, Fault.CREDENTIALS),
        ({"id": 7, "name": "Jane", "role": "end-user", "suspended": False}, Fault.RIGHTS),
        ({"id": 7, "name": "Jane", "role": "agent", "suspended": True}, Fault.RIGHTS),
        (None, Fault.CREDENTIALS),
    ],
)
def test_a_success_that_names_nobody_who_may_search_is_none(
    body: dict[str, Any] | None, fault: Fault
) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(check(ACCOUNT), answered({"user": body}))

    assert refused.value.fault is fault


@pytest.mark.parametrize("role", ["agent", "admin"])
def test_an_agent_passes(role: str) -> None:
    told, _ = driven(
        check(ACCOUNT), answered({"user": {"id": 7, "name": "Jane", "role": role, "suspended": False}})
    )

    assert told == f"Jane, {role}"


async def test_the_test_names_the_missing_right(zendesk: Product) -> None:
    crm_of(zendesk).role = "end-user"

    checked = await zendesk.check(zendesk.subject())

    (failed,) = [step for step in checked.steps if step.state is StepState.FAILED]
    assert failed.step is Step.RIGHTS


# What Zendesk tells of itself


async def test_fields_with_their_types_and_tags_and_those_of_the_organisation(zendesk: Product) -> None:
    listed = {field.name: field for field in await zendesk.abilities.fields(zendesk.subject(), "users")}

    types = {name: field.type for name, field in listed.items()}
    assert types["phone"] is CrmFieldType.PHONE
    assert types["vip"] is CrmFieldType.BOOLEAN
    assert (types["seats"], types["score"]) == (CrmFieldType.NUMBER, CrmFieldType.NUMBER)
    assert types["renewal"] is CrmFieldType.DATE
    assert types["tier"] is CrmFieldType.CHOICE
    assert types["interests"] is CrmFieldType.CHOICES
    assert types["account_no"] is CrmFieldType.TEXT
    assert types["organization.tier"] is CrmFieldType.CHOICE
    assert (listed["tier"].choices[0].value, listed["tier"].choices[0].label) == ("gold", "Gold")
    assert listed["organization.name"].label == "Organization: Name"
    assert (listed["tier"].is_custom, listed["phone"].is_custom) == (True, False)
    assert "old" not in listed, "no longer active"


async def test_an_organisation_s_fields_are_its_own(zendesk: Product) -> None:
    listed = await zendesk.abilities.fields(zendesk.subject(), "organizations")

    assert {"name", "external_id", "tier"} <= {field.name for field in listed}
    assert not any(field.name.startswith("organization.") for field in listed)
    assert paths(zendesk) == ["organization_fields.json"]


# Writing


async def test_a_call_is_a_private_ticket_that_triggers_can_leave_out(zendesk: Product) -> None:
    await zendesk.abilities.log_call(zendesk.subject(), finished(module="users", record_id="1"))

    (ticket,) = crm_of(zendesk).tickets
    assert ticket["tags"] == ["crmroute", "crmroute_answered"]
    assert ticket["comment"]["public"] is False
    assert ticket["external_id"] == "pbx-a-1795473674.29"
    assert (ticket["requester_id"], ticket["status"], ticket["assignee_id"]) == (1, "solved", ME)
    assert "63 s of them talking" in ticket["comment"]["body"]
    assert paths(zendesk) == ["users/me.json", "tickets.json"]


@pytest.mark.parametrize("ending", [CallEnd.MISSED, CallEnd.ABANDONED, CallEnd.VOICEMAIL])
async def test_a_call_that_nobody_answered_stays_for_somebody_to_call_back(
    zendesk: Product, ending: CallEnd
) -> None:
    await zendesk.abilities.log_call(zendesk.subject(), finished(ending=ending, talk_seconds=0))

    (ticket,) = crm_of(zendesk).tickets
    assert (ticket["status"], ticket["tags"][1]) == ("new", f"crmroute_{ending}")
    assert paths(zendesk) == ["tickets.json"]


async def test_a_ticket_that_may_not_be_solved_so_stays_new(zendesk: Product) -> None:
    crm_of(zendesk).wants_more_of_solved_tickets = True

    logged = await zendesk.abilities.log_call(zendesk.subject(), finished())

    (ticket,) = crm_of(zendesk).tickets
    assert (logged.id, ticket["status"], "assignee_id" in ticket) == ("1", "new", False)


def test_a_ticket_that_is_rejected_anyway_is_an_error() -> None:
    me = answered({"user": {"id": ME}})

    with pytest.raises(LookupRefused) as refused:
        driven(log_call(ACCOUNT, finished()), me, REJECTED, REJECTED)

    assert (refused.value.fault, refused.value.said) == (Fault.QUERY, "Record validation errors")


def test_where_we_are_nobody_the_ticket_stays_new() -> None:
    anonymous = answered({"user": {"id": None}})

    _, (_, request) = driven(log_call(ACCOUNT, finished()), anonymous, answered({"ticket": {"id": 5}}, 201))

    assert "status" not in request.json["ticket"]


def test_a_call_of_the_phone_channel() -> None:
    call = finished(ending=CallEnd.MISSED, talk_seconds=0)

    logged, (request,) = driven(log_call(VOICE, call), answered({"ticket": {"id": 5}}, 201))

    assert request.url == f"{SITE}/api/v2/channels/voice/tickets.json"
    assert request.json["ticket"]["via_id"] == 45
    assert request.json["ticket"]["external_id"] == call.call_id
    assert (request.writes, logged.id) == (True, "5")


async def test_a_repeat_finds_the_ticket_whatever_the_index_knows(zendesk: Product) -> None:
    first = await zendesk.abilities.log_call(zendesk.subject(), finished())
    again = await zendesk.abilities.log_call(zendesk.subject(), finished(is_repeat=True))
    another = await zendesk.abilities.log_call(
        zendesk.subject(), finished(is_repeat=True, call_id="pbx-a-1795473674.2")
    )

    assert (again.id, again.was_there) == (first.id, True)
    assert (another.was_there, len(crm_of(zendesk).tickets)) == (False, 2)


def test_a_call_of_an_organisation_hangs_on_nobody() -> None:
    call = finished(ending=CallEnd.MISSED, module="organizations", record_id="90")

    _, (request,) = driven(log_call(ACCOUNT, call), answered({"ticket": {"id": 5}}, 201))

    assert not {"requester_id", "organization_id"} & set(request.json["ticket"])


async def test_a_user_for_an_unknown_caller(zendesk: Product) -> None:
    record = await zendesk.abilities.create(
        zendesk.subject(), NewContact("users", people.NOBODY, "Nina Neuve")
    )

    (made,) = crm_of(zendesk).made
    assert (made["name"], made["phone"], made["role"]) == ("Nina Neuve", people.NOBODY, "end-user")
    assert (record.id, record.name, record.link) == (
        "900",
        "Nina Neuve",
        f"{zendesk.crm.url}/agent/users/900",
    )


async def test_a_user_whom_the_index_has_not_met_is_not_made_twice(zendesk: Product) -> None:
    contact = NewContact("users", people.NOBODY, "Nina Neuve")

    first = await zendesk.abilities.create(zendesk.subject(), contact)
    again = await zendesk.abilities.create(zendesk.subject(), contact)

    assert again.id == first.id
    assert len(crm_of(zendesk).made) == 1


def test_a_user_who_no_longer_has_the_number_is_not_taken_for_the_caller() -> None:
    known = answered({"users": [user(900, "+33639980077")]})

    with pytest.raises(LookupRefused):
        driven(create(ACCOUNT, NewContact("users", people.NOBODY, "Nina")), REJECTED, known)


async def test_no_organisation_is_made_of_a_number(zendesk: Product) -> None:
    with pytest.raises(LookupRefused) as refused:
        await zendesk.abilities.create(zendesk.subject(), NewContact("organizations", people.NOBODY, "Nina"))

    assert refused.value.fault is Fault.MODULE
    assert crm_of(zendesk).made == []


def test_requests_carry_their_secrets_as_secrets() -> None:
    _, (by_grant,) = driven(find(ACCOUNT, asked_of(people.ALICE)), NOTHING)
    settings = replace(CLIENT_SETTINGS, auth="token", username=AGENT, token=Secret(TOKEN))
    _, (by_token,) = driven(find(Account(settings), asked_of(people.ALICE)), NOTHING)

    assert by_grant.auth == Bearer(Secret("canary"))
    assert by_token.auth == Basic(f"{AGENT}/token", Secret(TOKEN))
    assert "canary" not in json.dumps([by_grant.url, by_grant.query, by_token.url, by_token.query])
