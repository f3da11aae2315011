"""Checks of one rule."""

from collections.abc import Iterator

from router.core.checks.conditions import check_condition, tests_record
from router.core.checks.reach import check_reach
from router.core.checks.scope import Scope
from router.core.checks.sources import BY_REFERENCE, CUSTOM_CONNECTOR, can_tell_latest, check_settings
from router.core.checks.targets import check_target
from router.core.destinations import DestinationKind
from router.core.problems import Path, Problem, error, pick_one, warning
from router.core.rules import Location, Outcome, Rule, SeveralPolicy, Source

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


def check_rule(rule: Rule, path: Path, scope: Scope) -> Iterator[Problem]:
    yield from check_target(rule.default, (*path, "default"), scope)
    for number, line in enumerate(rule.lines):
        at = (*path, "lines", number)
        yield from check_condition(line, at, rule, scope.tenant.country)
        yield from check_target(line.target, at, scope)
        if line.queue_priority is not None and line.destination is not DestinationKind.QUEUE:
            yield warning((*at, "queue_priority"), "only a queue knows priorities", "Leave it out.")
    yield from check_reach(rule, path)
    yield from _check_greeting(rule, path)
    yield from _check_source(rule, path, scope)
    yield from _check_outcomes(rule, path, scope)
    yield from _check_lookup_seconds(rule, path, scope)
    if rule.field and not (rule.lines or rule.outcomes or rule.source):
        # Without a field too it is meant as a destination with a name.
        what = f"no line tests the field `{rule.field}`, so every call takes the rule's default"
        yield warning(path, what, "Add lines, or leave the field out.")


def _check_greeting(rule: Rule, path: Path) -> Iterator[Problem]:
    greeting, at = rule.greeting, (*path, "greeting")
    if greeting is None:
        return
    if rule.location is Location.DID:
        what = 'a greeting is played at IVR entries only, and this rule is for numbers (location "did")'
        yield error(at, what, 'Write location = "ivr", or leave the greeting out.')
    if greeting.min_digits > greeting.max_digits:
        what = f"at least {greeting.min_digits} digits are asked for and at most {greeting.max_digits}"
        yield error((*at, "min_digits"), what, "Make min_digits the smaller one.")
    if greeting.digits_field == "":
        yield error(
            (*at, "digits_field"), "the field's name is empty", "Write the CRM's own name of the field."
        )


def _check_source(rule: Rule, path: Path, scope: Scope) -> Iterator[Problem]:
    asks_record = [number for number, line in enumerate(rule.lines) if tests_record(line, rule)]
    source, at = rule.source, (*path, "source")
    if source is None:
        if asks_record:
            what = "the line tests the CRM's record, but the rule has no source to ask"
            mend = 'Give the rule a source = { integration = "…" }, or test the call with `call` instead.'
            yield error((*path, "lines", asks_record[0]), what, mend)
        return
    if not asks_record and not LOOKUP_OUTCOMES & rule.outcomes.keys():
        what = "nothing depends on the CRM's answer, so it is never asked"
        yield warning(at, what, "Add a line that tests a field, or leave the source out.")
    if source.integration is not None and source.custom is not None:
        what = "the source names an integration and a custom URL at once"
        yield error(at, what, "Keep one of `integration` and `custom`.")
    elif source.integration is None and source.custom is None:
        yield error(at, "the source names nothing to ask", "Add `integration`, or `custom` with a URL.")
    yield from _check_asked(source, at, scope)
    if source.credentials and isinstance(source.credentials.password, str) and source.credentials.password:
        where = (*at, "credentials", "password")
        yield warning(where, "the secret stands in the file in clear", BY_REFERENCE)
    if rule.several is SeveralPolicy.MOST_RECENT and not _can_tell_latest(source, scope):
        what = "the answer does not say when a record changed, so several records always lead to `several`"
        mend = "Name the record's field of its last change in the integration (`modified_field`)."
        yield warning((*path, "several"), what, mend)


def _check_asked(source: Source, at: Path, scope: Scope) -> Iterator[Problem]:
    if source.integration is not None and scope.integration(source.integration) is None:
        known = [integration.name for integration in scope.tenant.integrations]
        what = f"there is no integration `{source.integration}`"
        mend = pick_one(source.integration, known) if known else "Add it as [[integrations]]."
        yield error((*at, "integration"), what, mend)
    if source.custom is not None:
        yield from check_settings(CUSTOM_CONNECTOR, source.custom, (*at, "custom"), scope)


def _can_tell_latest(source: Source, scope: Scope) -> bool:
    integration = scope.integration(source.integration) if source.integration is not None else None
    connector = integration.connector if integration else CUSTOM_CONNECTOR
    given = integration.settings if integration else (source.custom or {})
    manifest = scope.manifests.get(connector) if scope.manifests is not None else None
    is_known = integration is not None or source.custom is not None
    return not is_known or can_tell_latest(connector, given, manifest)


def _check_outcomes(rule: Rule, path: Path, scope: Scope) -> Iterator[Problem]:
    for outcome, target in rule.outcomes.items():
        at = (*path, "outcomes", outcome.value)
        yield from check_target(target, at, scope)
        why = _why_never(rule, outcome)
        if why:
            yield warning(at, f"the outcome `{outcome.value}` never happens here: {why}", "Leave it out.")


def _why_never(rule: Rule, outcome: Outcome) -> str:
    """Why a look-up of this rule can never end so; empty when it can."""
    greeting = rule.greeting
    if outcome in LOOKUP_OUTCOMES and rule.source is None:
        return "the rule asks no CRM"
    if outcome is Outcome.SEVERAL and rule.several is SeveralPolicy.FIRST:
        return "of several records the first is taken"
    if outcome is Outcome.NO_DIGITS and (greeting is None or greeting.without_digits != "no_digits"):
        return (
            "no digits are asked for"
            if greeting is None
            else "without digits the caller's number is looked up"
        )
    if outcome is Outcome.NO_LOOKUP and rule.source is not None:
        asks = LOOKUP_OUTCOMES & rule.outcomes.keys() or any(tests_record(line, rule) for line in rule.lines)
        return "the rule always asks the CRM" if asks else ""
    return ""


def _check_lookup_seconds(rule: Rule, path: Path, scope: Scope) -> Iterator[Problem]:
    if rule.lookup_seconds is not None and rule.lookup_seconds > scope.hold_seconds:
        what = (
            f"the CRM gets {rule.lookup_seconds:g} s, but a caller is held for {scope.hold_seconds:g} s only"
        )
        yield warning((*path, "lookup_seconds"), what, f"Write {scope.hold_seconds:g} or less.")
