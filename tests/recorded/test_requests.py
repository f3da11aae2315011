"""Our requests beside those that real servers accepted: the same method, path, names, order, types and signs.

Values are ours and theirs; where a recording asks for the very same thing, they are compared too.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from router.core.call_logs import NewContact
from router.core.identities import E164
from router.core.numbers import understand_caller
from tests.crms.driving import finished
from tests.crms.literals import mysql_literal, standard_literal
from tests.recorded.reading import GRANT, PASSWORD, SUGAR, SUITE, VTIGER
from tests.recorded.replaying import Recording, authorization_of, path_of, recordings, shape_of
from tests.workers.makers import job
from workers.connectors import sugarcrm, suitecrm, vtiger
from workers.connectors.queries import sugar_sql, vtql
from workers.connectors.steps import Account, Question, Request, Response, Steps

ALICE = E164("+12125550100")
ID = "00000000-0000-0000-0000-0000000000c1"
Ask = Callable[[], Steps[Any]]
SUGARCRM: Any = sugarcrm.CONNECTOR
SUITECRM: Any = suitecrm.CONNECTOR
VTIGER_CRM: Any = vtiger.CONNECTOR
SUGAR_ACCOUNT: Account[Any] = Account(SUGAR, GRANT)
SUITE_ACCOUNT: Account[Any] = Account(SUITE, GRANT)
VTIGER_ACCOUNT: Account[Any] = Account(VTIGER, GRANT)


def asked(steps: Steps[Any], *answers: Response) -> list[Request]:
    """What the steps ask, as far as there are answers."""
    requests: list[Request] = []
    left = list(answers)
    try:
        requests.append(next(steps))
        while left:
            requests.append(steps.send(left.pop(0)))
    except StopIteration:
        pass
    return requests


def question(module: str, field: str = "router_status_c") -> Question:
    made = job(caller=understand_caller(ALICE, "", "US"))
    key = replace(made.key, modules=(module,), fields=(field,), subject=ALICE)
    return Question(replace(made, key=key), "US")


def find(
    connector: Any, account: Account[Any], module: str = "Contacts", field: str = "router_status_c"
) -> Ask:
    return lambda: connector.find(account, question(module, field))


CALL = finished(module="Contacts", record_id=ID)
NINA = NewContact("Contacts", "+12125550199", "Nina Neuve")


# SugarCRM and SuiteCRM by v4_1: a form whose rest_data is an object that the server reads by its order

V4_1: dict[str, Ask] = {
    "02-login-ok": lambda: SUGARCRM.sign_in(SUGAR, None),
    "07-get-user-id": lambda: SUGARCRM.check(SUGAR_ACCOUNT),
    "08-get-available-modules": lambda: SUGARCRM.modules(SUGAR_ACCOUNT),
    "09-get-module-fields-contacts": lambda: SUGARCRM.fields(SUGAR_ACCOUNT, "Contacts"),
    "25-lookup-like": find(SUGARCRM, SUGAR_ACCOUNT),
    "28-lookup-custom-field": find(SUGARCRM, SUGAR_ACCOUNT),
    "a9-like-or-like": find(SUGARCRM, SUGAR_ACCOUNT),
    "14-create-contact": lambda: SUGARCRM.create(SUGAR_ACCOUNT, NINA),
    "70-create-call": lambda: SUGARCRM.log_call(SUGAR_ACCOUNT, CALL),
}


PREFIXES = {"sugarcrm": "", "suitecrm": "v41-"}
RECORDED = [
    (crm, name) for crm, prefix in PREFIXES.items() for name in V4_1 if prefix + name in recordings(crm)
]


@pytest.mark.parametrize(("crm", "name"), RECORDED)
def test_v4_1_is_asked_as_the_server_accepted_it(crm: str, name: str) -> None:
    recording = recordings(crm)[PREFIXES[crm] + name]

    (request,) = asked(V4_1[name]())

    form = dict(request.form or ())
    assert (request.method, path_of(request)) == (recording.request.method, recording.path)
    assert list(form) == [key for key, _ in recording.form]
    assert {key: form[key] for key in ("method", "input_type", "response_type")} == {
        key: recording.given[key] for key in ("method", "input_type", "response_type")
    }
    assert_same_arguments(form["rest_data"], recording.given["rest_data"])


def assert_same_arguments(ours: str, theirs: str) -> None:
    """The same names in the same order, values of the same types; optional ones at the end may be missing."""
    sent, accepted = msgspec.json.decode(ours), msgspec.json.decode(theirs)
    names = list(accepted)
    assert list(sent) == names[: len(sent)]
    for key, value in sent.items():
        if key == "name_value_list":
            assert {tuple(one) for one in value} <= {("name", "value")}
        else:
            assert shape_of(value) == shape_of(accepted[key]) or not value, key


def test_a_call_is_linked_as_the_server_accepted_it() -> None:
    recording = recordings("sugarcrm")["71-link-call-to-contact"]
    made = recordings("sugarcrm")["70-create-call"].answer

    _, request = asked(SUGARCRM.log_call(SUGAR_ACCOUNT, CALL), made)

    form = dict(request.form or ())
    assert form["method"] == recording.given["method"]
    assert_same_arguments(form["rest_data"], recording.given["rest_data"])


def test_a_repeat_looks_for_the_entry_as_the_server_accepted_it() -> None:
    recording = recordings("sugarcrm")["50-get-entry-one-field"]

    (request,) = asked(SUGARCRM.log_call(SUGAR_ACCOUNT, replace(CALL, is_repeat=True)))

    form = dict(request.form or ())
    assert form["method"] == recording.given["method"]
    assert_same_arguments(form["rest_data"], recording.given["rest_data"])


def test_the_condition_of_v4_1_has_the_form_that_was_accepted() -> None:
    """LIKE OR LIKE without brackets; IN lists, brackets and functions are what its checker refuses."""
    (request,) = asked(V4_1["a9-like-or-like"]())
    theirs = msgspec.json.decode(recordings("sugarcrm")["a9-like-or-like"].given["rest_data"])["query"]
    ours = msgspec.json.decode(dict(request.form or ())["rest_data"])["query"]

    one = r"contacts\.\w+ LIKE '[0-9%]+'"
    assert re.fullmatch(rf"{one}( OR {one})*", theirs)
    assert re.fullmatch(rf"{one}( OR {one})*", ours)


# SuiteCRM's V8 API

V8: dict[str, Ask] = {
    "02-token-password-grant": lambda: SUITECRM.sign_in(SUITE, None),
    "21-current-user": lambda: SUITECRM.check(SUITE_ACCOUNT),
    "22-meta-modules": lambda: SUITECRM.modules(SUITE_ACCOUNT),
    "23-meta-fields-contacts": lambda: SUITECRM.fields(SUITE_ACCOUNT, "Contacts"),
    "46-lookup-like-suffix": find(SUITECRM, SUITE_ACCOUNT),
    "30-create-contact": lambda: SUITECRM.create(SUITE_ACCOUNT, NINA),
    "92-create-call": lambda: SUITECRM.log_call(SUITE_ACCOUNT, CALL),
}


@pytest.mark.parametrize("name", V8)
def test_v8_is_asked_as_the_server_accepted_it(name: str) -> None:
    recording = recordings("suitecrm")[name]

    (request,) = asked(V8[name]())

    assert (request.method, path_of(request)) == (recording.request.method, recording.path)
    if name != "02-token-password-grant":
        assert authorization_of(request).startswith("Bearer ")
        assert request.accept == recording.request.headers["Accept"]
    assert_same_document(request.json, recording)


def assert_same_document(ours: Any, recording: Recording) -> None:
    if not recording.request.body:
        assert ours is None
        return
    theirs = msgspec.json.decode(recording.request.body)
    if "data" not in theirs:  # the token's: each name is one that the server takes
        assert {key for key in ours if key != "scope"} == set(theirs)
        return
    assert set(ours["data"]) <= {"type", "id", "attributes"}
    assert ours["data"]["type"] == theirs["data"]["type"]
    for name, value in ours["data"]["attributes"].items():
        if name in theirs["data"]["attributes"]:
            assert shape_of(value) == shape_of(theirs["data"]["attributes"][name]), name


def test_v8_filters_are_written_as_the_server_accepted_them() -> None:
    names = [
        key
        for name in (
            "46-lookup-like-suffix",
            "47-lookup-or-two-fields",
            "52-lookup-empty-result-with-page",
            "75-sort-descending",
        )
        for key, _ in recordings("suitecrm")[name].query
    ]
    accepted = {re.sub(r"\[(phone_\w+|Contacts)\]", "[…]", key) for key in names}

    (request,) = asked(V8["46-lookup-like-suffix"]())

    ours = {re.sub(r"\[(phone_\w+|assistant_phone|Contacts)\]", "[…]", key) for key, _ in request.query}
    assert ours <= accepted, ours - accepted


def test_a_v8_link_is_written_as_the_server_accepted_it() -> None:
    recording = recordings("suitecrm")["93-link-call-to-contact"]
    made = recordings("suitecrm")["92-create-call"].answer

    _, request = asked(SUITECRM.log_call(SUITE_ACCOUNT, CALL), made)

    pattern = r"/Api/V8/module/Calls/[0-9a-f-]{36}/relationships"
    assert re.fullmatch(pattern, path_of(request))
    assert re.fullmatch(pattern, recording.path)
    assert request.json == msgspec.json.decode(recording.request.body or "")


# Vtiger

VT: dict[str, Ask] = {
    "01-getchallenge": lambda: VTIGER_CRM.sign_in(VTIGER, None),
    "13-listtypes": lambda: VTIGER_CRM.modules(VTIGER_ACCOUNT),
    "14-listtypes-fieldtype-phone": lambda: VTIGER_CRM.check(VTIGER_ACCOUNT),
    "15-describe-contacts": lambda: VTIGER_CRM.fields(VTIGER_ACCOUNT, "Contacts"),
    "47-query-like": find(VTIGER_CRM, VTIGER_ACCOUNT, field="cf_router_status"),
    "30-create-contact": lambda: VTIGER_CRM.create(VTIGER_ACCOUNT, NINA),
    "a0-create-call-event": lambda: VTIGER_CRM.log_call(VTIGER_ACCOUNT, replace(CALL, record_id="12x2")),
}


@pytest.mark.parametrize("name", VT)
def test_vtiger_is_asked_as_the_server_accepted_it(name: str) -> None:
    recording = recordings("vtiger")[name]

    (request,) = asked(VT[name]())

    given = dict([*request.query, *(request.form or ())])
    assert (request.method, path_of(request)) == (recording.request.method, recording.path)
    assert set(given) == set(recording.given)
    assert given["operation"] == recording.given["operation"]
    if "element" in given:
        ours, theirs = msgspec.json.decode(given["element"]), msgspec.json.decode(recording.given["element"])
        for key in set(ours) & set(theirs):
            assert shape_of(str(ours[key])) == shape_of(str(theirs[key]))
        assert given["elementType"] == recording.given["elementType"]


def test_a_vtiger_login_follows_its_challenge_as_the_server_accepted_it() -> None:
    challenge, login = recordings("vtiger")["01-getchallenge"], recordings("vtiger")["02-login-ok"]

    first, second = asked(VTIGER_CRM.sign_in(VTIGER, None), challenge.answer)

    assert dict(first.query) == challenge.given
    assert [key for key, _ in second.form or ()] == [key for key, _ in login.form]
    assert re.fullmatch(r"[0-9a-f]{32}", dict(second.form or ())["accessKey"])
    assert PASSWORD not in repr(second)


def test_vtql_has_the_form_that_was_accepted() -> None:
    """No brackets, and a semicolon at the end."""
    one = r"\w+ like '[0-9%]+'"
    form = re.compile(rf"select [\w, ]+ from \w+ where {one}( or {one})*( limit \d+, \d+)?;")  # noqa: S608

    (request,) = asked(VT["47-query-like"]())

    assert form.fullmatch(dict(request.query)["query"])
    assert form.fullmatch(recordings("vtiger")["47-query-like"].given["query"])


def test_a_vtiger_call_has_every_field_that_the_server_demands() -> None:
    (request,) = asked(VT["a0-create-call-event"]())
    refused = recordings("vtiger")["a6-create-call-missing-mandatory"]
    accepted = msgspec.json.decode(recordings("vtiger")["a0-create-call-event"].given["element"])
    ours = msgspec.json.decode(dict(request.form or ())["element"])

    assert "does not have a value" in (refused.response.body or "")
    assert set(accepted) - {"visibility", "parent_id"} <= set(ours)


# What was refused, or did harm, is never asked

HARMFUL = re.compile(
    r"injection|broken-quote|swallows|sleep|union|subquery|second-statement|comment-dashes|query-comment|quote-as-html"
)


@pytest.mark.parametrize(
    ("crm", "name"),
    [
        (crm, name)
        for crm in ("sugarcrm", "suitecrm", "vtiger")
        for name in recordings(crm)
        if HARMFUL.search(name)
    ],
)
def test_no_question_of_ours_is_one_that_did_harm(crm: str, name: str) -> None:
    """Whatever the recorded query smuggled in, asked as a keyed text it stays one literal."""
    recording = recordings(crm)[name]
    given = recording.given
    smuggled = given.get("query") or given.get("rest_data") or "".join(value for _, value in recording.query)
    assert smuggled

    assert mysql_literal(sugar_sql.quoted(smuggled)) == (smuggled, "")
    quoted = vtql.quoted(smuggled)
    assert standard_literal(quoted)[1] == ""
    assert mysql_literal(quoted)[1] == ""
