"""A tenant's configuration as the call path finds it."""

from datetime import UTC

import pytest
from msgspec.structs import replace

from router.core.destinations import Destination, DestinationKind, Target
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.plans import Plans, RulePlan, TenantPlan, digest_of, find_integration
from router.core.rules import CallFact, Outcome, Source
from router.core.tenants import IvrEntry, Number
from tests.core.makers import ACME, CRM, TEMPLATES, line, plan, plan_of, queue, rule, tenant

SALES = rule()
SUPPORT = rule(name=RuleName("Support"), default=queue("help"))
BOTH = plan_of(
    tenant(
        SALES,
        SUPPORT,
        numbers=(
            Number("044 555 00 01", SALES.name),
            Number("+41 44 555 00 02", SUPPORT.name),
            Number("117"),
        ),
        ivr_entries=(IvrEntry("account", SUPPORT.name), IvrEntry("stale", RuleName("removed"))),
    )
)


@pytest.mark.parametrize(
    ("called", "entry", "name"),
    [
        ("+41445550001", "", "Sales"),
        ("+41445550002", "", "Support"),
        ("+41445550001", "account", "Support"),
        ("+41445550001", "unknown", None),
        ("+41445550001", "stale", None),
        ("117", "", None),
        ("+41440000000", "", None),
        ("", "", None),
    ],
)
def test_the_entry_decides_else_the_number_else_the_tenants_default(
    called: str, entry: str, name: str | None
) -> None:
    assert BOTH.rule_for(called, entry).name == name


def test_a_rule_is_compiled_once_for_all_its_calls() -> None:
    assert BOTH.rule_for("+41445550002", "") is BOTH.rule_for("", "account")


def test_without_a_rule_the_tenants_default_stands() -> None:
    assert plan_of(tenant()).rule_named(None).fallback == Destination("route-queue", "reception")


def of_rule(plan: TenantPlan) -> RulePlan:
    return plan.rule_named(RuleName("Sales"))


# Factors: a source; a line that tests the record; an outcome that only a look-up can have.
@pytest.mark.parametrize(
    ("plan", "is_needed"),
    [
        pytest.param(plan(), True, id="a line tests the record"),
        pytest.param(plan(source=None), False, id="there is nobody to ask"),
        pytest.param(plan(lines=()), False, id="nothing depends on the answer"),
        pytest.param(
            plan(lines=(line("=", "CH", call=CallFact.COUNTRY),)), False, id="lines test the call alone"
        ),
        pytest.param(
            plan(lines=(), outcomes={Outcome.NOT_FOUND: queue("new")}), True, id="an outcome of a look-up"
        ),
        pytest.param(
            plan(lines=(), outcomes={Outcome.WITHHELD: queue("x")}), False, id="an outcome of the call"
        ),
    ],
)
def test_the_crm_is_asked_only_when_something_depends_on_it(plan: TenantPlan, is_needed: bool) -> None:
    assert of_rule(plan).needs_lookup is is_needed


def test_a_look_up_brings_the_rules_own_field_and_those_tested() -> None:
    assert of_rule(plan(lines=(line("=", 1, field="tier"),))).fields == ("status", "tier")
    assert of_rule(plan(lines=())).fields == ("status",)
    assert of_rule(plan(lines=(), field="")).fields == ()


@pytest.mark.parametrize(
    ("parameters", "varies"),
    [
        (None, set()),
        ({"id": "call_id", "to": "called", "from": "caller"}, {"call_id", "called"}),
        ({"id": ["call_id"]}, set()),
        ("call_id", set()),
    ],
)
def test_a_request_varies_by_what_its_parameters_carry(parameters: object, varies: set[str]) -> None:
    crm = replace(CRM, settings={"parameters": parameters})

    assert of_rule(plan_of(tenant(rule(), integrations=(crm,)))).varies_by == varies


def test_an_integration_is_found_by_its_name_and_a_rules_own_by_the_rules() -> None:
    custom = tenant(rule(source=Source(custom={"url": "https://own.example"})))

    own = find_integration(custom, IntegrationName("rule:Sales"))

    assert find_integration(custom, CRM.name) == CRM
    assert own is not None
    assert (own.connector, own.settings) == ("custom", {"url": "https://own.example"})
    assert find_integration(custom, IntegrationName("rule:Other")) is None
    assert find_integration(custom, IntegrationName("other")) is None


def test_a_place_is_the_tenants_own() -> None:
    templates = {**TEMPLATES, DestinationKind.QUEUE: "{tenant}-queues,{option},1"}

    place = TenantPlan(tenant(), templates, UTC).rule_named(None).place(queue("gold"))

    assert place == Destination("acme-queues", "gold")


def test_a_target_without_a_place_has_none() -> None:
    assert of_rule(plan()).place(Target(DestinationKind.CONFERENCE, "board")) is None
    assert of_rule(plan()).place(queue("a,b")) is None


def test_a_digest_is_equal_when_the_configuration_is() -> None:
    assert plan().digest == plan().digest
    assert plan().digest != plan(note="edited").digest
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_plans_are_replaced_and_removed_by_tenant() -> None:
    plans = Plans([plan()])
    edited = plan(note="edited")

    plans.put(edited)

    assert (len(plans), plans.plan(ACME)) == (1, edited)
    plans.remove(ACME)
    plans.remove(TenantId("nobody"))
    assert (len(plans), plans.plan(ACME)) == (0, None)
