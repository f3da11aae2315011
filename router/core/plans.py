"""The plan: a tenant's configuration compiled for the call path.

A plan is made when a tenant's file is loaded and compiled rule by rule at first use, so that ten thousand
tenants cost little until they are called. A call keeps the plan it started with; a reload gives new calls a
new one.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from functools import cached_property
from hashlib import blake2b

import msgspec

from router.core.destinations import Destination, DestinationKind, Target, place_of
from router.core.errors import UnknownDestination
from router.core.evaluate import CompiledRule, compile_rule
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.numbers import understand_called
from router.core.rules import Location, Outcome, Rule
from router.core.tenants import Integration, Tenant

Templates = Mapping[DestinationKind, str]
CUSTOM_CONNECTOR = "custom"


def own_integration_name(rule: RuleName) -> IntegrationName:
    """The name under which a rule's own custom URL is known to the workers."""
    return IntegrationName(f"rule:{rule}")


def find_integration(tenant: Tenant, name: IntegrationName) -> Integration | None:
    """The tenant's integration of that name, a rule's own custom URL included."""
    for integration in tenant.integrations:
        if integration.name == name:
            return integration
    for rule in tenant.rules:
        if rule.source and rule.source.custom is not None and own_integration_name(rule.name) == name:
            return Integration(name=name, connector=CUSTOM_CONNECTOR, settings=rule.source.custom)
    return None


def fields_read_of(tenant: Tenant, name: IntegrationName) -> tuple[str, ...]:
    """The fields that the tenant's rules read of this integration, each once."""
    rules = [rule for rule in tenant.rules if rule.source and rule.source.integration == name]
    plans = [RulePlan(tenant, rule, {}, UTC) for rule in rules]
    return tuple(dict.fromkeys(field for plan in plans for field in plan.fields))


def digest_of(*parts: object) -> str:
    """A short name for configuration that is equal when, and only when, the configuration is."""
    packed = msgspec.msgpack.encode(parts, order="deterministic")
    return blake2b(packed, digest_size=8).hexdigest()


class RulePlan:
    """One rule, compiled; or, with `rule` None, the tenant's default alone."""

    def __init__(self, tenant: Tenant, rule: Rule | None, templates: Templates, zone: tzinfo) -> None:
        self.rule = rule
        self.tenant_default = tenant.default
        self.default = rule.default if rule else tenant.default
        self._tenant = tenant
        self._templates = templates
        self._zone = zone

    @property
    def name(self) -> RuleName | None:
        return self.rule.name if self.rule else None

    @cached_property
    def compiled(self) -> CompiledRule | None:
        return compile_rule(self.rule, self._zone) if self.rule else None

    @cached_property
    def integration(self) -> Integration | None:
        source = self.rule.source if self.rule else None
        if self.rule is None or source is None:
            return None
        name = source.integration or own_integration_name(self.rule.name)
        return find_integration(self._tenant, name)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The record's fields that a look-up must bring: the rule's own and those the lines test."""
        if self.rule is None or self.compiled is None:
            return ()
        return self.compiled.fields or ((self.rule.field,) if self.rule.field else ())

    @cached_property
    def needs_lookup(self) -> bool:
        """Whether any line or outcome depends on what the CRM says."""
        if self.rule is None or self.rule.source is None or self.compiled is None:
            return False
        return bool(self.compiled.fields) or any(outcome in LOOKUP_OUTCOMES for outcome in self.rule.outcomes)

    @cached_property
    def revision(self) -> str:
        """Changes with anything that could change the CRM's answer."""
        credentials = self.rule.source.credentials if self.rule and self.rule.source else None
        integration = self.integration
        if integration is None:
            return digest_of(credentials)
        return digest_of(integration.connector, integration.settings, credentials)

    @cached_property
    def sends_digits(self) -> bool:
        return bool(self.rule and self.rule.location is Location.IVR and self.rule.greeting)

    @cached_property
    def varies_by(self) -> frozenset[str]:
        """What of the call itself the request carries, beside the number or the digits."""
        settings = self.integration.settings if self.integration else {}
        parameters = settings.get("parameters")
        values = parameters.values() if isinstance(parameters, dict) else ()
        return frozenset(value for value in values if value in ("called", "call_id"))

    @cached_property
    def fallback_target(self) -> Target | None:
        """The rule's default, else the tenant's; None when no template leads to either."""
        return next((target for target in (self.default, self.tenant_default) if self.place(target)), None)

    @cached_property
    def fallback(self) -> Destination | None:
        """Where `fallback_target` leads."""
        return self.place(self.fallback_target) if self.fallback_target else None

    def place(self, target: Target) -> Destination | None:
        try:
            return place_of(target, self._templates, self._tenant.id)
        except UnknownDestination:
            return None


LOOKUP_OUTCOMES = frozenset(
    {
        Outcome.FOUND,
        Outcome.NOT_FOUND,
        Outcome.SEVERAL,
        Outcome.CRM_ERROR,
        Outcome.TIMEOUT,
        Outcome.OVERLOADED,
    }
)


class TenantPlan:
    """A tenant's numbers, entries and rules, ready to be asked."""

    def __init__(self, tenant: Tenant, templates: Templates, zone: tzinfo) -> None:
        self.tenant = tenant
        self.zone = zone
        self._templates = templates
        self._rule_plans: dict[RuleName | None, RulePlan] = {}

    @property
    def id(self) -> TenantId:
        return self.tenant.id

    @cached_property
    def digest(self) -> str:
        return digest_of(self.tenant)

    @cached_property
    def _rule_of_did(self) -> dict[str, RuleName | None]:
        country = self.tenant.country
        return {understand_called(number.did, country): number.rule for number in self.tenant.numbers}

    @cached_property
    def _rule_of_entry(self) -> dict[str, RuleName]:
        return {entry.name: entry.rule for entry in self.tenant.ivr_entries}

    def rule_for(self, called: str, entry: str) -> RulePlan:
        """The rule of the IVR entry when there is one, else of the number, else the tenant's default."""
        name = self._rule_of_entry.get(entry) if entry else self._rule_of_did.get(called)
        return self.rule_named(name)

    def rule_named(self, name: RuleName | None) -> RulePlan:
        plan = self._rule_plans.get(name)
        if plan is None:
            rule = next((rule for rule in self.tenant.rules if rule.name == name), None)
            plan = RulePlan(self.tenant, rule, self._templates, self.zone)
            self._rule_plans[name] = plan
        return plan


class Plans:
    """Every tenant's plan in force. Replacing one never touches a call that holds the former."""

    def __init__(self, plans: Iterable[TenantPlan] = ()) -> None:
        self._plans = {plan.id: plan for plan in plans}

    def __len__(self) -> int:
        return len(self._plans)

    def plan(self, tenant: TenantId) -> TenantPlan | None:
        return self._plans.get(tenant)

    def put(self, plan: TenantPlan) -> None:
        self._plans[plan.id] = plan

    def remove(self, tenant: TenantId) -> None:
        self._plans.pop(tenant, None)
