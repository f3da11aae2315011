"""What is special to a middleware of PBXware's kind: its token, its users, its tasks, its once-only calls."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.errands import StepState
from router.core.faults import Fault, Step
from router.core.numbers import understand_caller
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged
from tests.crms.product import Product, running
from tests.crms.proprietary_i import CLIENT, KEY, LOGIN_RIG, ONCE_ONLY, RIG, Middleware
from tests.workers.makers import job
from workers.connectors.proprietary_i.api import LOGGED_OUT, Settings, lifetime, sign_in
from workers.connectors.proprietary_i.describe import check, fields
from workers.connectors.proprietary_i.find import find
from workers.connectors.proprietary_i.write import create, log_call
from workers.connectors.steps import Account, Basic, Grant, Question, Response
from workers.errors import IntegrationUnusable, LookupFailed, LookupRefused, SignInNeeded
from workers.masks import shown
from workers.secrets import Secret

SETTINGS = Settings(url="https://mw.example/custom/", client_id=CLIENT, api_key=Secret(KEY), user_id="pbx-17")
ACCOUNT = Account(SETTINGS, Grant(token=Secret("canary-jwt")))
FAILED = Response(500, b"record not found", {"content-type": "text/plain"})


@pytest.fixture
async def middleware() -> AsyncIterator[Product]:
    async with running(RIG) as product:
        yield product
        assert product.crm.broken == []


@pytest.fixture
async def by_login() -> AsyncIterator[Product]:
    async with running(LOGIN_RIG) as product:
        yield product
        assert product.crm.broken == []


def crm_of(product: Product) -> Middleware:
    assert isinstance(product.crm, Middleware)
    return product.crm


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ("Contact",)) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def hit(id_: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "Contact", "title": "Alice Martin", "phones": ["06 39 98 00 01"], **more}


def jwt(**claims: float) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.c2ln"


# Signing in


def test_a_token_for_the_client_and_its_key() -> None:
    grant, (request,) = driven(sign_in(SETTINGS, None), answered({"token": jwt(iat=1000, exp=2800)}))

    assert request.url == "https://mw.example/custom/api/v1/token"
    assert request.auth == Basic(CLIENT, Secret(KEY))
    assert [(name, value.reveal()) for name, value in request.headers] == [("X-Integration-ID", "crmroute")]
    assert grant.lives_seconds == 1800


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b.c", "e30.e30.e30", jwt(exp=5), jwt(iat=9, exp=5), jwt(iat=1, exp=1e12), "e30.bnVsbA.e30"],
)
def test_a_token_that_does_not_say_how_long_it_lives_is_taken_for_an_hour(token: str) -> None:
    assert lifetime(token) == 3600.0


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (Response(403, b"forbidden"), Fault.CREDENTIALS),
        (Response(401, b"no"), Fault.CREDENTIALS),
        (Response(404, b"404 page not found"), Fault.ADDRESS),
        (paged(200), Fault.ADDRESS),
        (answered({}), Fault.ANSWER),
    ],
)
def test_a_sign_in_that_fails(response: Response, fault: Fault) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(sign_in(SETTINGS, None), response)

    assert refused.value.fault is fault


WITH_USER = replace(SETTINGS, username="router@acme.example", password=Secret("canary-password"))


def test_the_service_user_is_logged_in_with_its_password_masked() -> None:
    _, (_, login) = driven(
        sign_in(WITH_USER, None), answered({"token": jwt(iat=0, exp=9)}), answered({"status": "ok"})
    )

    assert login.json == {"username": "router@acme.example", "password": "canary-password"}
    assert [(name, value.reveal()) for name, value in login.headers] == [("user_id", "pbx-17")]
    assert "canary" not in shown(login)


@pytest.mark.parametrize(("status", "is_refused"), [(401, True), (400, True), (404, False)])
def test_a_service_user_that_is_refused_or_that_logs_in_otherwise(status: int, is_refused: bool) -> None:
    steps = sign_in(WITH_USER, None)
    responses = answered({"token": jwt(iat=0, exp=9)}), answered({"status": "error"}, status)

    if not is_refused:
        driven(steps, *responses)
        return
    with pytest.raises(LookupRefused) as refused:
        driven(steps, *responses)
    assert refused.value.fault is Fault.CREDENTIALS


async def test_a_service_user_that_was_logged_out_is_logged_in_again(by_login: Product) -> None:
    await by_login.find(people.ALICE)
    crm_of(by_login).logged_in.clear()

    answer = await by_login.find(people.BRUNO)

    assert answer.outcome is Outcome.FOUND
    assert by_login.crm.tokens.issued == 2


async def test_a_service_user_that_only_a_person_can_log_in(middleware: Product) -> None:
    crm_of(middleware).logged_in.clear()

    answer = await middleware.find(people.ALICE)
    checked = await middleware.check(middleware.subject())
    with pytest.raises(SignInNeeded):
        await middleware.abilities.log_call(middleware.subject(), finished(record_id="1", module="Contact"))

    (failed,) = [one for one in checked.steps if one.state is StepState.FAILED]
    assert LOGGED_OUT in answer.problem
    assert (failed.step, LOGGED_OUT in failed.told) == (Step.CREDENTIALS, True)
    assert "log the service user in again" in LOGGED_OUT


def test_a_failure_of_a_user_that_is_logged_in_is_tried_again_as_any_other() -> None:
    logged_in = answered({"authorized": True, "email": ""})

    findings, asked = driven(
        find(ACCOUNT, asked_of(people.ALICE, "Tier")),
        *(FAILED, logged_in, answered([hit()])),
        *(FAILED, Response(501, b"not implemented"), answered({"Tier": "Gold"})),
    )

    assert [one.values for one in findings.records] == [{"Tier": "Gold"}]
    assert [request.name for request in asked] == ["search", "status", "search", "record", "status", "record"]
    assert [500 in request.final_statuses for request in asked] == [True, True, False, True, True, False]


def test_a_failed_write_is_not_sent_again() -> None:
    with pytest.raises(LookupFailed) as failed:
        driven(
            log_call(ACCOUNT, finished(record_id="1", module="Contact")),
            *(FAILED, answered({"authorized": True})),
        )

    assert failed.value.fault is Fault.DOWN


# What is never called


async def test_nothing_that_activates_a_client_or_forgets_its_fields_is_ever_called(
    middleware: Product,
) -> None:
    subject = middleware.subject()
    contact = NewContact("Contact", people.NOBODY, "Nina Neuve")

    await middleware.find(people.ALICE)
    await middleware.find(people.NOBODY)
    await middleware.find(digits="4711")
    await middleware.check(subject, "Tier")
    modules = await middleware.abilities.modules(subject)
    for module in modules:
        await middleware.abilities.fields(subject, module.name)
    await middleware.abilities.log_call(subject, finished(record_id="1", module="Contact"))
    await middleware.abilities.create(subject, contact)

    assert [module.name for module in modules] == ["Contact", "Lead", "Account"]
    assert len(middleware.crm.seen) > 10
    assert {seen.method for seen in middleware.crm.seen} == {"GET", "POST"}
    assert not [seen.path for seen in middleware.crm.seen if any(part in seen.path for part in ONCE_ONLY)]


# What the middleware tells of itself


def test_the_test_asks_for_a_type_and_for_the_user() -> None:
    who, asked = driven(
        check(ACCOUNT), answered({"id": "Contact", "fields": []}), answered({"authorized": True, "email": ""})
    )

    assert who == CLIENT
    assert [request.url.rpartition("/api/v1/")[2] for request in asked] == [
        "object/describe/Contact",
        "auth/status",
    ]


def test_a_type_of_the_settings_that_is_not_known() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(check(ACCOUNT), Response(404, b"unknown type"))

    assert refused.value.fault is Fault.MODULE


def test_the_kinds_of_fields() -> None:
    one = {"label": "L", "logic_type": "other", "list": None}
    listed = [
        {**one, "id": "a", "type": "integer"},
        {**one, "id": "b", "type": "timestamp"},
        {**one, "id": "c", "type": "to_one"},
        {**one, "id": "d", "type": "string", "logic_type": "phone"},
        {"id": "e", "label": "E", "type": "string", "list": {"multiselect": True, "items": [{"id": "1", "value": "One"}]}},
        {"id": "f", "label": "F", "type": "string"},
    ]  # fmt: skip

    made, _ = driven(fields(ACCOUNT, "Contact"), answered({"fields": listed}))

    assert [field.type for field in made] == [
        *(CrmFieldType.NUMBER, CrmFieldType.MOMENT, CrmFieldType.LINK, CrmFieldType.PHONE),
        *(CrmFieldType.CHOICES, CrmFieldType.TEXT),
    ]
    assert [(choice.value, choice.label) for choice in made[4].choices] == [("1", "One")]


# Writing


def test_a_task_has_whole_numbers_and_no_booleans_but_one() -> None:
    call = finished(record_id="17", module="Contact", started_at=1_760_000_000.7)

    _, (request,) = driven(log_call(ACCOUNT, call), Response(201))

    task = request.json
    assert [task[name] for name in ("answered", "duration", "conversation_start_time")] == [
        *(1, 63, 1_760_000_001)
    ]
    assert [type(task[name]) for name in ("answered", "duration")] == [int, int]
    assert task["conversation_finished"] is True
    assert (task["object_type"], task["object_id"]) == ("Contact", "17")
    assert request.writes


@pytest.mark.parametrize("status", [200, 202, 204])
def test_only_201_is_a_success(status: int) -> None:
    with pytest.raises(LookupRefused, match="did not take the call"):
        driven(log_call(ACCOUNT, finished(record_id="17", module="Contact")), Response(status))


def test_a_call_of_nobodys_is_left_out() -> None:
    logged, asked = driven(log_call(ACCOUNT, finished()))

    assert (logged.id, asked) == ("", [])


def test_a_call_that_may_be_there_is_written_again_only_where_that_is_allowed() -> None:
    call = finished(record_id="17", module="Contact", is_repeat=True)
    allowed = Account(replace(SETTINGS, repeats_logs=True), ACCOUNT.grant)

    with pytest.raises(LookupRefused, match="an earlier attempt"):
        driven(log_call(ACCOUNT, call))
    assert len(driven(log_call(allowed, call), Response(201))[1]) == 1


DESCRIBED: list[dict[str, Any]] = [
    {"id": "Id", "logic_type": "id"},
    {"id": "Fax", "logic_type": "phone", "visibility": {"create": False}},
    {"id": "Phone", "logic_type": "phone", "visibility": {"create": True}},
    {"id": "First", "logic_type": "first_name"},
    {"id": "Last", "logic_type": "last_name"},
]


def test_a_record_is_made_with_the_fields_that_may_be_set() -> None:
    made, (_, request) = driven(
        create(ACCOUNT, NewContact("Contact", people.NOBODY, "Nina")),
        *(answered({"fields": DESCRIBED}), answered({"id": "n1", "type": "Contact"})),
    )

    assert request.json == {"Last": "Nina", "Phone": people.NOBODY}
    assert (made.id, made.module) == ("n1", "Contact")


def test_a_type_that_takes_no_number_makes_no_record() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(
            create(ACCOUNT, NewContact("Contact", people.NOBODY, "Nina")),
            answered({"fields": [one for one in DESCRIBED if one["id"] != "Phone"]}),
        )

    assert refused.value.fault is Fault.FIELD


# Settings


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": ""},
        {"api_key": ""},
        {"object_types": []},
        {"url": "https://mw.example/custom?x=1"},
        {"user_id": "a\r\nb"},
        {"kind": "custom_source"},
        {"kind": "custom_source", "data_model": {"Id": "colour"}},
        {"kind": "custom_source", "data_model": {"Id": "id"}, "fields_parameter": "number"},
        {"kind": "custom_source", "data_model": {"Id": "id"}, "headers": {"Host": "canary"}},
        {"kind": "custom_source", "data_model": {"Id": "id"}, "headers": {"X-A": "canary\r\nX-B: 1"}},
    ],
    ids=str,
)
async def test_settings_that_cannot_be_used(middleware: Product, given: dict[str, Any]) -> None:
    with pytest.raises(IntegrationUnusable) as refused:
        middleware.subject({"url": "https://mw.example", "client_id": "c", "api_key": "canary", **given})

    assert "canary" not in refused.value.problem
