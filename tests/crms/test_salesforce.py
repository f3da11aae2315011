"""What is special to Salesforce: its error codes, its token, its instance, leads and the index that lags."""

import json
from typing import Any

import pytest

from router.core.faults import Fault
from router.core.lookups import Record
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.product import Product, running
from tests.crms.salesforce import CLIENT_RIG, PERSON_RIG
from tests.workers.makers import job
from workers.connectors.salesforce.api import Settings, answer, client_of
from workers.connectors.salesforce.find import find
from workers.connectors.steps import Account, Findings, Grant, Question, Response
from workers.errors import GrantExpired, LookupFailed, LookupRefused, LookupUnavailable
from workers.secrets import Secret

SETTINGS = Settings(url="https://acme.my.salesforce.com", client_id="key", client_secret=Secret("secret"))
ACCOUNT = Account(SETTINGS, Grant(token=Secret("00D!token"), base_url="https://acme.my.salesforce.com"))


def response(status: int, body: Any, **headers: str) -> Response:
    return Response(status, json.dumps(body).encode(), {"content-type": "application/json", **headers})


def error(status: int, code: str) -> Response:
    return response(status, [{"message": "No such column 'Teir__c'", "errorCode": code}])


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (400, "INVALID_FIELD", Fault.FIELD),
        (400, "INVALID_TYPE", Fault.MODULE),
        (404, "NOT_FOUND", Fault.MODULE),
        (400, "MALFORMED_QUERY", Fault.QUERY),
        (400, "MALFORMED_SEARCH", Fault.QUERY),
        (403, "API_DISABLED_FOR_ORG", Fault.RIGHTS),
        (403, "INSUFFICIENT_ACCESS", Fault.RIGHTS),
        (403, "SOMETHING_NEW", Fault.RIGHTS),
        (400, "SOMETHING_NEW", Fault.QUERY),
    ],
)
def test_each_error_names_its_step(status: int, code: str, fault: Fault) -> None:
    with pytest.raises(LookupRefused) as refused:
        answer(error(status, code))

    assert refused.value.fault is fault
    assert "Teir__c" not in refused.value.problem, "the CRM's words are quoted apart"
    assert refused.value.said == "No such column 'Teir__c'"


def test_the_days_quota_is_no_missing_right() -> None:
    with pytest.raises(LookupUnavailable) as throttled:
        answer(error(403, "REQUEST_LIMIT_EXCEEDED"))

    assert throttled.value.fault is Fault.THROTTLED


@pytest.mark.parametrize("status", [401, 400])
def test_a_session_that_is_over_is_renewed(status: int) -> None:
    with pytest.raises(GrantExpired):
        answer(error(status, "INVALID_SESSION_ID"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[1]", b"{", b'"text"'])
def test_an_error_that_nobody_can_read_is_told_by_its_status(body: bytes) -> None:
    with pytest.raises(LookupFailed, match=r"\(400\)"):
        answer(Response(400, body, {"content-type": "application/json"}))


@pytest.mark.parametrize(
    ("instance", "is_trusted"),
    [
        ("https://acme.my.salesforce.com", True),
        ("https://na139.salesforce.com", True),
        ("https://acme.sandbox.my.salesforce.com", True),
        ("https://salesforce.com.evil.example", False),
        ("https://evilsalesforce.com", False),
        ("http://na139.salesforce.com", False),
        ("https://user@na139.salesforce.com", False),
        ("https://127.0.0.1", False),
    ],
)
def test_a_token_is_shown_to_salesforce_only(instance: str, is_trusted: bool) -> None:
    read = client_of(SETTINGS).read_grant
    assert read is not None
    body = {"access_token": "00D!new", "instance_url": instance}

    if is_trusted:
        assert read(body, None).base_url == instance
    else:
        with pytest.raises(LookupRefused, match="not its own"):
            read(body, None)


def test_the_rows_of_another_module_are_not_taken_for_this_one() -> None:
    steps = find(
        ACCOUNT, Question(job("Tier__c", key_subject="+33142345001", key_modules=("Contact",)), "FR")
    )
    next(steps)
    row = {
        "attributes": {"type": "Lead"},
        "Id": "00Q1",
        "Name": "Luc",
        "Phone": "0142345001",
        "Tier__c": "Gold",
    }

    request = steps.send(response(200, {"searchRecords": [row]}))

    assert "FROM Contact" in dict(request.query)["q"]


def test_an_account_that_is_not_set_gives_an_empty_value() -> None:
    steps = find(ACCOUNT, Question(job("Account.Name", key_modules=("Contact",)), "FR"))
    next(steps)
    row = {
        "attributes": {"type": "Contact"}, "Id": "0031", "Name": "Alice", "Phone": "+33 1 42 34 50 01", "Account": None,
    }  # fmt: skip

    with pytest.raises(StopIteration) as ended:
        steps.send(response(200, {"searchRecords": [row]}))

    findings: Findings = ended.value.value
    assert findings.records == (
        Record(
            {"Account.Name": None},
            id="0031",
            module="Contact",
            name="Alice",
            link="https://acme.my.salesforce.com/lightning/r/Contact/0031/view",
        ),
    )


async def test_a_record_that_the_index_has_not_met_is_found_in_the_database() -> None:
    async with running(CLIENT_RIG) as product:
        hide_from_the_index(product)

        answered = await product.find(people.DAVID)

        assert (answered.outcome, answered.records[0].name) == (Outcome.FOUND, "David Leroy")
        assert [seen.path.rpartition("/")[2] for seen in product.crm.data_requests] == ["search", "query"]


def hide_from_the_index(product: Product) -> None:
    """The first search finds nobody, as it does for some minutes after a record was made."""
    everybody = product.crm.people
    product.crm.people = []
    original = product.crm.of_kind

    def of_kind(kind: str) -> Any:
        found = original(kind)
        product.crm.people = everybody
        return found

    product.crm.of_kind = of_kind  # type: ignore[method-assign]


async def test_a_rotating_refresh_token_is_used_once() -> None:
    async with running(PERSON_RIG) as product:
        for _ in range(3):
            product.crm.tokens.expire_all()
            assert (await product.find(people.ALICE)).outcome is Outcome.FOUND

        assert product.crm.tokens.reused == 0
