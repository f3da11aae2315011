"""The rule form: what it shows comes back as it was, and what it does not show stays."""

from typing import Any

import msgspec
import pytest

from router.admin.identity import Identity
from router.admin.pages.rule_form import fields_of, rule_of
from router.admin.pages.rule_lines import arranged, line_count
from router.admin.pages.rule_values import value_text
from router.admin.secrets import Secrets
from router.core.identities import IntegrationName
from router.core.plans import own_integration_name
from router.core.roles import Role
from router.core.rules import Credentials, Rule, Source
from router.settings.manifest_files import load_manifests
from router.settings.sealed import Sealer
from tests.admin.api import VAULT
from tests.records.makers import ACME, rule
from tests.workers.test_manifests import CONFIG

MANIFESTS = load_manifests(CONFIG)
CUSTOM = MANIFESTS["custom"]
SECRETS = Secrets(MANIFESTS, VAULT, ACME)
JANE = Identity(who="jane", role=Role.ADMIN, tenant=ACME, origin="192.0.2.7")
FULL: dict[str, Any] = {
    "name": "Everything",
    "field": "tier",
    "type": "number",
    "location": "ivr",
    "greeting": {
        "sound": "acme/your-number",
        "max_digits": 6,
        "tries": 2,
        "without_digits": "caller",
        "digits_field": "account",
    },
    "source": {
        "integration": "crm",
        "modules": ["Contact", "Lead"],
        "credentials": {"username": "jane", "password": "not to be shown"},
    },
    "default": {"destination": "queue", "option": "bronze", "voicemail": True},
    "lines": [
        {"operator": ">=", "value": 10, "destination": "queue", "option": "gold", "queue_priority": 5},
        {"operator": "in list", "value": ["a, b", "c"], "destination": "ivr", "option": "main"},
        {"call": "hour", "operator": "<", "value": 9, "destination": "voicemail", "option": "100"},
        {"field": "debt", "type": "number", "operator": "is empty", "destination": "hangup"},
        {
            "any": [{"operator": "=", "value": "x"}, {"call": "withheld", "operator": "=", "value": True}],
            "destination": "playback",
            "option": "closed",
            "then": {"destination": "queue", "option": "night"},
        },
    ],
    "outcomes": {"not_found": {"destination": "queue", "option": "new"}},
    "several": "first",
    "lookup_seconds": 1.5,
    "note": "for the tests",
}


def full(**changes: Any) -> Rule:
    return msgspec.convert({**FULL, **changes}, type=Rule)


@pytest.mark.parametrize(
    "written",
    [
        full(),
        rule(),
        full(source={"custom": {"url": "https://crm.example/q", "headers": {"X-Key": "7"}}}),
        full(source=None, lines=[], outcomes={}),
        full(lines=[{"operator": "=", "value": "007", "destination": "queue", "option": "bond"}]),
        full(lines=[{"operator": "=", "value": "10", "destination": "queue", "option": "text"}]),
        full(lines=[{"operator": "=", "value": True, "destination": "queue", "option": "yes"}]),
    ],
)
def test_a_rule_that_is_saved_unchanged_is_unchanged(written: Rule) -> None:
    kept = SECRETS.kept_rule(JANE, written, None)
    shown, _ = SECRETS.shown_rule(kept)

    read = rule_of(fields_of(shown, CUSTOM), kept, CUSTOM)

    assert read.problems == ()
    assert read.rule is not None
    assert opened(SECRETS.kept_rule(JANE, read.rule, kept)) == opened(kept)


def opened(rule: Rule) -> Any:
    """The rule with what is sealed in it opened: each sealing is another text."""

    def open_in(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"sealed"}:
            return sealer.unseal(value["sealed"])
        if isinstance(value, dict):
            return {name: open_in(one) for name, one in value.items()}
        return [open_in(one) for one in value] if isinstance(value, list) else value

    sealer = Sealer(VAULT, ACME, own_integration_name(rule.name))
    return open_in(msgspec.to_builtins(rule))


@pytest.mark.parametrize(
    "source",
    [
        {"integration": "crm", "credentials": {"username": "jane", "password": "not to be shown"}},
        {"custom": {"url": "https://a.example", "auth": "bearer", "token": "not to be shown"}},
        {"custom": {"url": "https://a.example", "headers": {"X-Key": "not to be shown"}}},
    ],
)
def test_no_secret_is_on_the_page(source: dict[str, Any]) -> None:
    shown, _ = SECRETS.shown_rule(SECRETS.kept_rule(JANE, full(source=source), None))

    fields = fields_of(shown, CUSTOM)

    assert not any("not to be shown" in value or "sealed" in value for value in fields.values())


def test_a_user_and_an_address_of_the_rules_own_are_typed() -> None:
    own = {"source": "integration", "user": "own", "user.name": "jane", "user.password": "secret"}
    address = {
        "source": "custom",
        "custom.url": "https://crm.example/q",
        "custom.method": "POST",
        "custom.parameters": "who = caller\nkey = text:7",
        "custom.headers": "X-Key = 1",
    }

    with_user = rule_of(fields_of(rule(), CUSTOM) | {"integration": "crm"} | own, rule(), CUSTOM).rule
    with_address = rule_of(fields_of(rule(), CUSTOM) | address, rule(), CUSTOM).rule

    assert with_user is not None
    assert with_user.source == Source(
        IntegrationName("crm"), ("Contact",), credentials=Credentials("jane", "secret")
    )
    assert with_address is not None
    assert with_address.source == Source(
        custom={
            "url": "https://crm.example/q",
            "method": "POST",
            "parameters": {"who": "caller", "key": "text:7"},
            "headers": {"X-Key": "1"},
        }
    )


def test_a_user_of_its_own_is_taken_away() -> None:
    kept = SECRETS.kept_rule(JANE, full(), None)

    read = rule_of(fields_of(SECRETS.shown_rule(kept)[0], CUSTOM) | {"user": ""}, kept, CUSTOM)

    assert read.rule is not None
    assert read.rule.source is not None
    assert read.rule.source.credentials is None


@pytest.mark.parametrize(
    ("operator", "typed", "value"),
    [
        ("=", "GOLD", "GOLD"),
        (">", "10", 10),
        (">", "1.5", 1.5),
        (">", "-3", -3),
        ("=", "1.50", "1.50"),
        ("=", "nan", "nan"),
        ("=", "١٢", "١٢"),
        ("=", "007", "007"),
        ("=", "+33612345678", "+33612345678"),
        ("in list", 'a, "b, c", 3', ["a", "b, c", 3]),
        ("in list", "", []),
    ],
)
def test_what_is_typed_is_read(operator: str, typed: str, value: Any) -> None:
    fields = fields_of(rule(), CUSTOM) | {"lines.0.operator": operator, "lines.0.value": typed}

    read = rule_of(fields, rule(), CUSTOM)

    assert read.rule is not None
    assert read.rule.lines[0].value == value
    assert value_text(read.rule.lines[0].value) == typed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"lookup_seconds": "soon"}, "lookup_seconds"),
        ({"lookup_seconds": "99"}, "lookup_seconds"),
        ({"lines.0.destination": ""}, "lines.0.destination"),
        ({"lines.0.destination": "moon"}, "lines.0.destination"),
        ({"lines.0.operator": "resembles"}, "lines.0.operator"),
        ({"lines.0.subject": "other"}, "lines.0.field"),
        ({"default.destination": ""}, "default.destination"),
        ({"location": "ivr", "greeting.sound": "../etc"}, "greeting.sound"),
        ({"location": "ivr", "greeting.sound": "hello", "greeting.tries": "9"}, "greeting.tries"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(changes: dict[str, str], field: str) -> None:
    read = rule_of(fields_of(rule(), CUSTOM) | changes, rule(), CUSTOM)

    assert read.rule is None
    assert [one.field for one in read.problems] == [field]


@pytest.mark.parametrize(
    ("intent", "order", "focus"),
    [
        ("add", ["10", "a", "9", ""], "lines.3.value"),
        ("remove-1", ["10", "9"], "lines.1.value"),
        ("up-2", ["10", "9", "a"], "lines.1.up"),
        ("down-0", ["a", "10", "9"], "lines.1.down"),
        ("up-1", ["a", "10", "9"], "lines.0.down"),
        ("down-2", ["10", "a", "9"], "lines.2.up"),
    ],
)
def test_lines_move_with_all_that_is_typed(intent: str, order: list[str], focus: str) -> None:
    fields = {"name": "typed", "lines": "3"}
    fields |= {f"lines.{number}.value": value for number, value in enumerate(("10", "a", "9"))}

    moved = arranged(fields, intent)

    assert moved is not None
    assert [moved[0].get(f"lines.{number}.value", "") for number in range(line_count(moved[0]))] == order
    assert moved[0]["name"] == "typed"
    assert moved[1] == focus


@pytest.mark.parametrize(
    "intent", ["save", "publish", "remove-9", "up-x", "down--1", "up-" + "9" * 5_000, ""]
)
def test_other_buttons_move_nothing(intent: str) -> None:
    assert arranged({"lines": "3"}, intent) is None


@pytest.mark.parametrize("lines", ["", "-1", "x", "99999999999999999999", "9" * 5_000, "²"])
def test_a_hostile_count_of_lines_is_no_matter(lines: str) -> None:
    assert line_count({"lines": lines}) in (0, 200)
