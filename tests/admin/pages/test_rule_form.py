"""The rule form: what it shows comes back as it was, and what it does not show stays."""

from typing import Any

import msgspec
import pytest

from router.admin.pages.rule_form import arranged, fields_of, line_count, rule_of, value_text
from router.core.rules import Rule
from tests.records.makers import rule

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
        full(source={"custom": {"url": "https://crm.example/q", "headers": {"X-Key": {"env": "KEY"}}}}),
        full(source=None, lines=[], outcomes={}),
        full(lines=[{"operator": "=", "value": "007", "destination": "queue", "option": "bond"}]),
        full(lines=[{"operator": "=", "value": "10", "destination": "queue", "option": "text"}]),
        full(lines=[{"operator": "=", "value": True, "destination": "queue", "option": "yes"}]),
    ],
)
def test_a_rule_that_is_saved_unchanged_is_unchanged(written: Rule) -> None:
    read = rule_of(fields_of(written), written)

    assert read.problems == ()
    assert read.rule == written


def test_no_password_is_on_the_page() -> None:
    assert not any("not to be shown" in value for value in fields_of(full()).values())


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
    fields = fields_of(rule()) | {"lines.0.operator": operator, "lines.0.value": typed}

    read = rule_of(fields, rule())

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
    read = rule_of(fields_of(rule()) | changes, rule())

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


@pytest.mark.parametrize("intent", ["save", "publish", "remove-9", "up-x", "down--1", ""])
def test_other_buttons_move_nothing(intent: str) -> None:
    assert arranged({"lines": "3"}, intent) is None


@pytest.mark.parametrize("lines", ["", "-1", "x", "99999999999999999999", "²"])
def test_a_hostile_count_of_lines_is_no_matter(lines: str) -> None:
    assert line_count({"lines": lines}) in (0, 200)
