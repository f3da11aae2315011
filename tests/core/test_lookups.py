"""The question to a CRM: what it depends on, how long it may take, and which values come back."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.actions import StartLookup
from router.core.events import AskedFor, CallParked
from router.core.identities import RuleName, Uniqueid
from router.core.lookups import Answer, AskedBy, LookupJob, LookupKey, plain_value
from router.core.plans import TenantPlan
from router.core.rules import Credentials, Greeting, Outcome, Source
from router.core.tenants import CacheAges, Number
from tests.core.makers import (
    ASKS_CRM,
    CRM,
    GREETING,
    begin,
    greeting_plan,
    line,
    only,
    parked,
    plan,
    plan_of,
    rule,
    tenant,
)

ANOTHER_CALL = parked(uniqueid=Uniqueid("pbx1-1700046001.2"))


def question(plan: TenantPlan, event: CallParked | None = None) -> LookupJob:
    return only(StartLookup, begin(plan, event or parked())[1]).job


def with_settings(settings: dict[str, Any], **rule_changes: Any) -> TenantPlan:
    crm = replace(CRM, settings=settings)
    return plan_of(tenant(rule(**rule_changes), integrations=(crm,)))


def test_a_question_names_the_number_and_the_fields_that_the_lines_test() -> None:
    lines = (line("=", "gold"), line(">", 5, field="orders"))

    key = question(plan(lines=lines, source=Source(CRM.name, modules=("Leads", "Contacts")))).key

    assert (key.subject, key.modules) == ("+41791234567", ("Leads", "Contacts"))
    assert sorted(key.fields) == ["orders", "status"]


def test_a_number_that_is_no_number_is_asked_for_as_it_came() -> None:
    assert question(plan(), parked(caller_number="117")).key.subject == "117"


# Factors: what differs between two calls; whether the request carries it. Equal keys share one answer.
@pytest.mark.parametrize(
    ("parameters", "event", "is_shared"),
    [
        pytest.param({"number": "caller"}, ANOTHER_CALL, True, id="another call of the same number"),
        pytest.param({"id": "call_id"}, ANOTHER_CALL, False, id="another call, whose id is sent"),
        pytest.param({"number": "caller"}, parked(did="0445550003"), True, id="another number dialled"),
        pytest.param(
            {"did": "called"}, parked(did="0445550003"), False, id="another number dialled, which is sent"
        ),
        pytest.param(
            {"did": "called"}, parked(did="+41445550001"), True, id="the same number, written otherwise"
        ),
        pytest.param({"number": "caller"}, parked(caller_number="0791234568"), False, id="another caller"),
    ],
)
def test_two_calls_share_an_answer_when_they_would_ask_the_same(
    parameters: dict[str, str], event: CallParked, is_shared: bool
) -> None:
    numbers = (Number("0445550001", RuleName("Sales")), Number("0445550003", RuleName("Sales")))
    crm = replace(CRM, settings={"url": "https://crm.example", "parameters": parameters})
    plan = plan_of(tenant(rule(), integrations=(crm,), numbers=numbers))

    keys = [question(plan, each).key for each in (parked(), event)]

    assert (keys[0] == keys[1]) is is_shared
    assert (keys[0].digest() == keys[1].digest()) is is_shared


# Factors: which part of the configuration changed; whether it could change the CRM's answer.
BEFORE = plan()
WITH_PASSWORD = Source(CRM.name, credentials=Credentials("sales", {"env": "SALES_PASSWORD"}))


@pytest.mark.parametrize(
    ("edited", "is_shared"),
    [
        pytest.param(plan(name=RuleName("Other")), True, id="another rule that asks the same"),
        pytest.param(plan(lines=(line("=", "silver"),)), True, id="another value in the lines"),
        pytest.param(with_settings({"url": "https://other.example"}), False, id="the integration's settings"),
        pytest.param(plan(source=WITH_PASSWORD), False, id="the rule's own password"),
        pytest.param(plan(source=replace(ASKS_CRM, modules=("Leads",))), False, id="the modules"),
        pytest.param(plan(lines=(line("=", "gold", field="tier"),)), False, id="the fields"),
        pytest.param(
            greeting_plan(Greeting("hello", digits_field="no")), False, id="the field of the digits"
        ),
    ],
)
def test_an_edit_forgets_an_answer_only_when_it_could_change_it(edited: TenantPlan, is_shared: bool) -> None:
    assert (question(edited).key == question(BEFORE).key) is is_shared


def test_a_change_of_cache_ages_keeps_the_answers() -> None:
    brief = replace(CRM, cache=CacheAges(fresh_seconds=1))

    job = question(plan_of(tenant(rule(), integrations=(brief,))))

    assert job.key == question(BEFORE).key
    assert job.cache.fresh_seconds == 1


def test_a_rule_with_a_password_of_its_own_is_named_to_the_worker() -> None:
    assert question(plan(source=WITH_PASSWORD)).credentials_of == "Sales"
    assert question(plan()).credentials_of is None


def test_a_rule_with_an_address_of_its_own_asks_there() -> None:
    custom = question(plan(source=Source(custom={"url": "https://own.example"})))
    edited = question(plan(source=Source(custom={"url": "https://new.example"})))

    assert custom.key.integration == "rule:Sales"
    assert custom.key.revision != edited.key.revision


# Factors: the rule's own time, the tenant's hold, and what is left of the dialplan's. The operator grants 2.5
# seconds for a look-up and 6 of hold, and keeps half a second of the dialplan's hold back.
@pytest.mark.parametrize(
    ("of_rule", "of_tenant", "of_dialplan", "budget"),
    [
        pytest.param(None, None, 6.0, 2.5, id="the operator's"),
        pytest.param(4.0, None, 6.0, 4.0, id="the rule's"),
        pytest.param(9.0, None, 20.0, 6.0, id="the rule's, cut at the operator's hold"),
        pytest.param(9.0, 8.0, 20.0, 8.0, id="the rule's, cut at the tenant's hold"),
        pytest.param(None, 1.0, 6.0, 1.0, id="the tenant's hold"),
        pytest.param(9.0, 20.0, 6.0, 5.5, id="what the dialplan leaves"),
        pytest.param(None, None, 2.0, 1.5, id="what the dialplan leaves to a call found late"),
        pytest.param(None, None, 0.1, 0.05, id="next to nothing, of which a fresh answer still serves"),
    ],
)
def test_how_long_a_caller_waits_for_the_crm(
    of_rule: float | None, of_tenant: float | None, of_dialplan: float, budget: float
) -> None:
    limited = plan_of(tenant(rule(lookup_seconds=of_rule), hold_seconds=of_tenant))

    assert question(limited, parked(hold_seconds=of_dialplan)).budget_seconds == budget


def test_a_question_survives_the_way_to_the_worker() -> None:
    job = question(greeting_plan(GREETING), parked(entry="account", digits="4711", asked=AskedFor.KEYED))

    packed = msgspec.msgpack.encode(job)

    assert msgspec.msgpack.decode(packed, type=LookupJob) == job
    assert msgspec.msgpack.decode(packed, type=LookupJob).key.digest() == job.key.digest()


def test_a_digest_is_short_and_of_no_tenants_choosing() -> None:
    key = question(plan()).key

    assert len(key.digest()) == 32
    assert key.digest() != replace(key, tenant=key.tenant.upper()).digest()
    assert isinstance(key, LookupKey)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_the_crm_said_of_the_caller_is_cached(outcome: Outcome) -> None:
    assert Answer(outcome).is_cacheable is (outcome in (Outcome.FOUND, Outcome.NOT_FOUND))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**70, str(2**70)),
        (10**5000, "a number too large to read"),
        (1.5, 1.5),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ("x" * 3000, "x" * 2000),
        ("a\ud800b é", "a?b é"),
        ([1, "a", None, [2]], [1, "a", None, "[2]"]),
        (list(range(200)), list(range(100))),
        ({"id": 1}, '{"id":1}'),
        ({"id": object()}, "a value that cannot be shown"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_a_crm_is_brought_to_one_of_ours(raw: Any, value: Any) -> None:
    assert plain_value(raw) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(JSON)
def test_any_value_of_a_crm_can_be_packed(raw: Any) -> None:
    packed = msgspec.msgpack.encode(plain_value(raw))

    assert len(packed) < 1_000_000


def test_digits_of_an_earlier_menu_are_not_asked_by_where_the_rule_has_no_greeting() -> None:
    key = question(plan(), parked(digits="4711", asked=AskedFor.KEYED)).key

    assert (key.by, key.subject) == (AskedBy.NUMBER, "+41791234567")
