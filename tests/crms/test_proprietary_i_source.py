"""What is special to a custom source: everything has the name that the settings give it, and answers are loose."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault
from router.core.numbers import understand_caller
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged
from tests.workers.makers import digits_job, job
from workers.connectors.proprietary_i.api import Settings
from workers.connectors.proprietary_i.describe import check, fields, modules
from workers.connectors.proprietary_i.find import find
from workers.connectors.proprietary_i.write import create, log_call
from workers.connectors.steps import Account, Question, Request, Response
from workers.errors import LookupRefused
from workers.secrets import Secret

SETTINGS = Settings(
    url="https://mw.example/route/Contact?site=7",
    kind="custom_source",
    headers={"X-Client-Id": Secret("canary-client")},
    data_model={
        "Id": "id",
        "Name": "name",
        "Phone": "phone",
        "Changed": "modified",
        "Level__c": "choice",
        "Account.Name": "text",
        "AccountNo": "text",
    },
)
ACCOUNT = Account(SETTINGS)
ROW = {
    "Id": "17",
    "Name": "Alice Martin",
    "Phone": "06 39 98 00 01",
    "Changed": "2026-05-01T09:00:00Z",
    "Level__c": "GOLD",
    "Account": {"Name": "Garage"},
    "AccountNo": "4711",
}


def asked_of(number: str, *fields: str, modules: tuple[str, ...] = ()) -> Question:
    made = job(*fields, caller=understand_caller(number, "", "FR"))
    return Question(replace(made, key=replace(made.key, modules=modules)), "FR")


def keyed(digits: str, number: str = people.ALICE) -> Question:
    caller = understand_caller(number, "", "FR")
    return Question(digits_job(digits, "Level__c", key_digits_field="AccountNo", caller=caller), "FR")


def with_settings(**changes: Any) -> Account[Settings]:
    return Account(replace(SETTINGS, **changes))


def asked(account: Account[Settings], question: Question) -> Request:
    return driven(find(account, question), answered([]))[1][0]


BY_NUMBER = asked_of(people.ALICE, "Level__c", "Account.Name")


def test_one_request_with_every_field_that_is_needed() -> None:
    findings, (request,) = driven(find(ACCOUNT, BY_NUMBER), answered(ROW))

    assert request.url == "https://mw.example/route/Contact?site=7"
    assert request.query == (
        ("number", people.ALICE),
        ("api_fields", "Level__c,Account.Name,Id,Name,Phone,Changed"),
    )
    assert request.headers == (("X-Client-Id", Secret("canary-client")),)
    (record,) = findings.records
    assert record.values == {"Level__c": "GOLD", "Account.Name": "Garage"}
    assert (record.id, record.module, record.name) == ("17", "Contact", "Alice Martin")
    assert record.modified_at == "2026-05-01T09:00:00Z"
    assert findings.problem == ""


def test_the_names_of_the_parameters_are_the_settings_and_a_post_has_them_in_its_body() -> None:
    account = with_settings(
        method="POST",
        number_parameter="who",
        fields_parameter="what",
        input_parameter="keyed",
        input_field_parameter="where",
    )

    request = asked(account, keyed("0815"))

    assert request.query == ()
    assert request.json == {
        "who": people.ALICE,
        "what": "Level__c,AccountNo,Id,Name,Phone,Changed",
        "keyed": "0815",
        "where": "AccountNo",
    }


@pytest.mark.parametrize(
    ("number_format", "number", "sent"),
    [
        ("e164", people.ALICE, "+33639980001"),
        ("national", people.ALICE, "0639980001"),
        ("digits", people.ALICE, "33639980001"),
        ("national", people.JANE, "+12025550143"),
        ("national", "204", "204"),
    ],
)
def test_the_form_of_the_number(number_format: str, number: str, sent: str) -> None:
    request = asked(with_settings(number_format=number_format), asked_of(number, "Level__c"))

    assert dict(request.query)["number"] == sent


def test_digits_come_with_a_number_even_when_that_is_withheld() -> None:
    request = asked(ACCOUNT, keyed("4711", "anonymous"))

    assert dict(request.query)["number"] == "anonymous"
    assert dict(request.query)["caller_input"] == "4711"


def test_digits_are_compared_exactly() -> None:
    rows = [{**ROW, "AccountNo": "47110"}, {**ROW, "Id": "18", "AccountNo": "4711"}]

    findings, _ = driven(find(ACCOUNT, keyed("4711")), answered(rows))

    assert [one.id for one in findings.records] == ["18"]


def test_numbers_are_compared_where_the_record_shows_any() -> None:
    rows = [ROW, {**ROW, "Id": "18", "Phone": "+34639980001"}, {**ROW, "Id": "19", "Phone": None}]

    findings, _ = driven(find(ACCOUNT, BY_NUMBER), answered(rows))

    assert [one.id for one in findings.records] == ["17", "19"]


@pytest.mark.parametrize(
    "response",
    [
        Response(404, b"not found"),
        Response(204),
        Response(200, b" \n"),
        answered(None),
        answered({}),
        answered([]),
        answered([None, {}]),
    ],
    ids=["404", "204", "empty", "null", "object", "list", "list-of-nothing"],
)
def test_the_many_ways_to_say_nobody(response: Response) -> None:
    findings, _ = driven(find(ACCOUNT, BY_NUMBER), response)

    assert (findings.records, findings.problem) == ((), "")


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (Response(403, b"forbidden"), Fault.CREDENTIALS),
        (Response(401), Fault.CREDENTIALS),
        (Response(400, b"bad field name"), Fault.QUERY),
        (Response(302, b"", {"location": "/login"}), Fault.ADDRESS),
        (paged(200), Fault.ADDRESS),
        (answered("GOLD"), Fault.ANSWER),
        (answered(["GOLD"]), Fault.ANSWER),
    ],
)
def test_an_answer_that_is_none(response: Response, fault: Fault) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, BY_NUMBER), response)

    assert refused.value.fault is fault


def test_404_is_a_failure_where_the_settings_say_so() -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(with_settings(absent_is_404=False), BY_NUMBER), Response(404, b"crm call failed"))

    assert refused.value.fault is Fault.ADDRESS


def test_a_field_that_the_answer_lacks_is_told_and_null_is_empty() -> None:
    row = {name: value for name, value in ROW.items() if name != "Account"} | {"Level__c": None}

    findings, _ = driven(find(ACCOUNT, BY_NUMBER), answered(row))

    assert findings.records[0].values == {"Level__c": None}
    assert findings.problem == "the answer has no field `Account.Name`"


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (asked_of(people.ALICE, "Teir"), Fault.FIELD),
        (asked_of(people.ALICE, "Level__c", modules=("Lead",)), Fault.MODULE),
        (Question(digits_job("1", "Level__c", key_digits_field="Other"), "FR"), Fault.FIELD),
    ],
    ids=["field", "module", "digits-field"],
)
def test_what_the_data_model_has_not_is_refused_before_anything_is_sent(
    question: Question, fault: Fault
) -> None:
    with pytest.raises(LookupRefused) as refused:
        driven(find(ACCOUNT, question))

    assert refused.value.fault is fault


def test_the_settings_tell_its_modules_and_fields() -> None:
    listed, asked = driven(fields(ACCOUNT, "Contact"))

    assert asked == []
    assert [(one.name, one.type) for one in listed][2:5] == [
        ("Phone", CrmFieldType.PHONE),
        ("Changed", CrmFieldType.MOMENT),
        ("Level__c", CrmFieldType.CHOICE),
    ]
    assert [one.name for one in driven(modules(ACCOUNT))[0]] == ["Contact"]
    assert driven(check(ACCOUNT)) == ("", [])


def test_it_takes_no_calls_and_makes_no_records() -> None:
    for steps in (
        log_call(ACCOUNT, finished(record_id="17", module="Contact")),
        create(ACCOUNT, NewContact("Contact", people.NOBODY, "Nina")),
    ):
        with pytest.raises(LookupRefused, match="only looks up") as refused:
            driven(steps)
        assert refused.value.fault is Fault.SETTINGS
