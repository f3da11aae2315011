"""Reading a tenant's configuration as a critic: what cannot work, and what is probably not meant.

Nothing here keeps a configuration from being used: a call always ends at a destination, whatever is wrong.
The command line, the web page and the loader show what is found, each with its own idea of a place.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import phonenumbers

from router.core.checks.rules import check_rule
from router.core.checks.scope import CheckLimits, Scope
from router.core.checks.sources import check_integration
from router.core.checks.targets import check_target
from router.core.destinations import DestinationKind
from router.core.display import one_line
from router.core.identities import RuleName
from router.core.manifests import Manifest
from router.core.numbers import CallerKind, understand_called, understand_caller
from router.core.problems import Path, Problem, error, pick_one, warning
from router.core.rules import Location, Rule
from router.core.tenants import Tenant
from router.core.test_calls import OWN_TENANTS

__all__ = ["CheckLimits", "Problem", "check_tenant"]

HOLD_LEAST, HOLD_MOST = 1, 20


def check_tenant(
    tenant: Tenant,
    templates: Mapping[DestinationKind, str],
    manifests: Mapping[str, Manifest] | None = None,
    *,
    limits: CheckLimits | None = None,
    is_zone: Callable[[str], bool] | None = None,
) -> list[Problem]:
    """Everything wrong with a tenant, errors and warnings, in the order of its file's parts.

    Without `manifests` nothing is said of connectors' settings, without `is_zone` nothing of the time zone.
    """
    scope = Scope(tenant, templates, manifests or None, limits or CheckLimits(), is_zone)
    return [
        *_check_signs(tenant),
        *_check_place(scope),
        *_check_numbers(tenant),
        *_check_entries(tenant),
        *_check_integrations(scope),
        *_check_rules(scope),
    ]


def _check_signs(tenant: Tenant) -> Iterator[Problem]:
    """A pattern that ends in `$` lets a line end through, which no protocol behind these names would."""
    names: list[tuple[Path, str]] = [
        (("id",), tenant.id),
        *((("numbers", at, "did"), one.did) for at, one in enumerate(tenant.numbers)),
        *((("ivr_entries", at, "name"), one.name) for at, one in enumerate(tenant.ivr_entries)),
        *((("integrations", at, "name"), one.name) for at, one in enumerate(tenant.integrations)),
        *((("rules", at, "name"), one.name) for at, one in enumerate(tenant.rules)),
        *(
            (("rules", at, "greeting", "sound"), one.greeting.sound)
            for at, one in enumerate(tenant.rules)
            if one.greeting
        ),
    ]
    if tenant.id in OWN_TENANTS:
        yield error(
            ("id",), f"`{tenant.id}` is the tenant of crmroute’s own test calls", "Name it otherwise."
        )
    for path, name in names:
        if not name.isprintable():
            yield error(path, f"`{one_line(name, 40)}` has a sign that does not show", "Write it anew.")


def _check_place(scope: Scope) -> Iterator[Problem]:
    tenant = scope.tenant
    if tenant.country not in phonenumbers.SUPPORTED_REGIONS:
        what = f"there is no country `{tenant.country}`"
        yield error(("country",), what, 'Write its ISO 3166 code, such as "FR" or "GB".')
    if scope.is_zone is not None and not scope.is_zone(tenant.zone):
        what = f"there is no time zone `{tenant.zone}`"
        yield error(("zone",), what, 'Write it as the IANA list has it, such as "Europe/Paris".')
    if tenant.hold_seconds is not None:
        yield from _check_hold(tenant.hold_seconds, scope)
    yield from check_target(tenant.default, ("default",), scope)


def _check_hold(hold_seconds: float, scope: Scope) -> Iterator[Problem]:
    if not HOLD_LEAST <= hold_seconds <= HOLD_MOST:
        what = f"callers cannot be held for {hold_seconds:g} s"
        yield error(("hold_seconds",), what, f"Write {HOLD_LEAST} to {HOLD_MOST}.")
    elif hold_seconds > scope.limits.hold_seconds:
        most = scope.limits.hold_seconds
        what = f"this system holds callers for {most:g} s at most, so {hold_seconds:g} s are never used up"
        yield warning(("hold_seconds",), what, f"Write {most:g} or less, or have the operator raise HOLD.")


def _check_numbers(tenant: Tenant) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, number in enumerate(tenant.numbers):
        at: Path = ("numbers", index)
        kind = understand_caller(number.did, "", tenant.country).kind
        if kind not in (CallerKind.NUMBER, CallerKind.SHORT):
            what = f"`{number.did[:40]}` is not a number that can be dialled in {tenant.country}"
            yield error((*at, "did"), what, 'Write it with its country, such as "+33142345001".')
            continue
        did = understand_called(number.did, tenant.country)
        if did in seen:
            what = f"{did} is number {seen[did] + 1} of the list already; the last one decides"
            yield error((*at, "did"), what, "Keep one of the two.")
        seen[did] = index
    for index, number in enumerate(tenant.numbers):
        if number.rule is not None:
            yield from _check_reference(number.rule, Location.DID, ("numbers", index, "rule"), tenant)


def _check_entries(tenant: Tenant) -> Iterator[Problem]:
    yield from _check_unique((entry.name for entry in tenant.ivr_entries), "ivr_entries", "IVR entry")
    for index, entry in enumerate(tenant.ivr_entries):
        yield from _check_reference(entry.rule, Location.IVR, ("ivr_entries", index, "rule"), tenant)


def _check_reference(name: RuleName, location: Location, path: Path, tenant: Tenant) -> Iterator[Problem]:
    rule = next((rule for rule in tenant.rules if rule.name == name), None)
    if rule is None:
        known = [rule.name for rule in tenant.rules]
        mend = pick_one(name, known) if known else "Add it as [[rules]]."
        yield error(path, f"there is no rule `{name}`, so these calls take the tenant's default", mend)
    elif rule.location is not location:
        user = "a number" if location is Location.DID else "an IVR entry"
        what = f"the rule `{name}` is for the location `{rule.location.value}`, and this is {user}"
        mend = f'Write location = "{location.value}" in the rule, or name another rule here.'
        yield error(path, what, mend)


def _check_integrations(scope: Scope) -> Iterator[Problem]:
    integrations = scope.tenant.integrations
    yield from _check_unique(
        (integration.name for integration in integrations), "integrations", "integration"
    )
    used = {rule.source.integration for rule in scope.tenant.rules if rule.source}
    for index, integration in enumerate(integrations):
        yield from check_integration(integration, ("integrations", index), scope)
        if integration.name not in used:
            what = f"no rule asks the integration `{integration.name}`"
            yield warning(("integrations", index), what, "Name it in a rule's source, or remove it.")


def _check_rules(scope: Scope) -> Iterator[Problem]:
    tenant = scope.tenant
    yield from _check_unique((rule.name for rule in tenant.rules), "rules", "rule")
    used = {number.rule for number in tenant.numbers} | {entry.rule for entry in tenant.ivr_entries}
    for index, rule in enumerate(tenant.rules):
        yield from check_rule(rule, ("rules", index), scope)
        if rule.name not in used:
            yield warning(("rules", index), _unused(rule), "Name it there, or remove it.")


def _unused(rule: Rule) -> str:
    user = "number" if rule.location is Location.DID else "IVR entry"
    return f"no {user} uses the rule `{rule.name}`"


def _check_unique(names: Iterable[str], table: str, kind: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            what = (
                f"the {kind} `{name}` is there already, as number {seen[name] + 1}; only one of them is used"
            )
            yield error((table, index, "name"), what, "Give it another name.")
        seen.setdefault(name, index)
