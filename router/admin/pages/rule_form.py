"""The rule form: a rule as the form's fields, and back. Pure.

What the form does not show (groups of tests, a playback's way on) it carries along untouched, so that saving
here never loses what was written in a file or by the API. Secrets go in and are not shown
(`router.admin.pages.settings_form`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from router.admin.pages.rule_lines import line_count
from router.admin.pages.rule_places import field_told
from router.admin.pages.rule_values import text_of, typed_value, value_text
from router.admin.pages.settings_form import settings_fields, settings_of
from router.core.manifests import Manifest
from router.core.rules import (
    OPERATORS_WITHOUT_VALUE,
    Greeting,
    Line,
    Location,
    Operator,
    Outcome,
    Rule,
    RuleValue,
    Source,
)

Fields = dict[str, str]
INTEGRATION, CUSTOM = "integration", "custom"
OWN_USER = "own"
"""The rule signs in by a user of its own."""
OTHER = "other"
TARGETS = ("destination", "option", "voicemail")
GREETING = ("sound", "min_digits", "max_digits", "digit_seconds", "tries", "digits_field")
NAMELESS, NO_NUMBER, NO_DESTINATION, NO_FIELD = PROBLEMS = (
    "Give the rule a name.",
    "Write a number.",
    "Choose a destination.",
    "Name the CRM field.",
)
_SHOWN = ("name", "field", "type", "location", "note", "several", "lookup_seconds")
_READ = (*_SHOWN, "greeting", "source", "default", "lines", "outcomes")


class Misread(Struct, frozen=True):
    """A field that is not what it has to be; `field` is its name in the form."""

    field: str
    what: str


class Read(Struct, frozen=True):
    """`rule` None: the fields do not make a rule, and `problems` say why."""

    rule: Rule | None
    problems: tuple[Misread, ...]


def fields_of(rule: Rule, custom: Manifest) -> Fields:
    """The form's fields, with the rule in them; `custom` is the manifest of a custom URL."""
    data = _plain(rule)
    fields = {name: text_of(data.get(name, "")) for name in _SHOWN}
    fields["location"] = rule.location.value
    fields["type"] = rule.type.value
    fields["several"] = rule.several.value
    _put_target(fields, "default", data["default"])
    for outcome, target in data.get("outcomes", {}).items():
        _put_target(fields, f"outcomes.{outcome}", target)
    _put_source(fields, rule.source, custom)
    for name in GREETING if rule.greeting else ():
        fields[f"greeting.{name}"] = text_of(getattr(rule.greeting, name))
    for number, line in enumerate(rule.lines):
        _put_line(fields, number, line)
    fields["lines"] = str(len(rule.lines))
    return fields


def modules_in(fields: Mapping[str, str]) -> list[str]:
    """The modules as they are typed, with commas between them."""
    return [one.strip() for one in fields.get("modules", "").split(",") if one.strip()]


def _put_target(fields: Fields, prefix: str, target: Mapping[str, Any]) -> None:
    for name in TARGETS:
        fields[f"{prefix}.{name}"] = text_of(target.get(name, ""))


def _put_source(fields: Fields, source: Source | None, custom: Manifest) -> None:
    fields["source"] = ""
    fields |= settings_fields((source.custom if source else None) or {}, custom, CUSTOM)
    if source is None:
        return
    fields["source"] = CUSTOM if source.custom is not None else INTEGRATION
    fields["integration"] = source.integration or ""
    fields["modules"] = ", ".join(source.modules)
    if source.credentials is not None:
        fields["user"] = OWN_USER
        fields["user.name"] = source.credentials.username or ""


def _put_line(fields: Fields, number: int, line: Line) -> None:
    prefix = f"lines.{number}"
    fields[f"{prefix}.subject"] = line.call.value if line.call else OTHER if line.field else ""
    fields[f"{prefix}.field"] = line.field or ""
    fields[f"{prefix}.operator"] = line.operator.value if line.operator else ""
    fields[f"{prefix}.value"] = value_text(line.value)
    _put_target(fields, prefix, _plain(line))
    fields[f"{prefix}.kept"] = _json(_plain(line))


def rule_of(fields: Mapping[str, str], former: Rule | None, custom: Manifest) -> Read:
    """The rule that the fields make; `former` has what the form does not show."""
    return _Reader(fields, _plain(former) if former else {}, custom).read()


class _Reader:
    def __init__(self, fields: Mapping[str, str], former: Mapping[str, Any], custom: Manifest) -> None:
        self._fields = fields
        self._former = former
        self._custom = custom
        self._problems: list[Misread] = []

    def read(self) -> Read:
        kept = self._former
        data = {name: value for name, value in kept.items() if name not in _READ}
        data |= {name: self._of(name) for name in ("name", "field", "note") if self._of(name)}
        data |= {name: self._of(name) for name in ("type", "location", "several") if self._of(name)}
        if self._of("lookup_seconds"):
            data["lookup_seconds"] = self._number("lookup_seconds", float)
        data["default"] = self._target("default", kept.get("default"))
        data["outcomes"] = self._outcomes(kept.get("outcomes", {}))
        data["source"] = self._source()
        data["greeting"] = self._greeting(kept.get("greeting"))
        data["lines"] = [self._line(number) for number in range(line_count(self._fields))]
        return self._made(data)

    def _made(self, data: Mapping[str, Any]) -> Read:
        if not data.get("name"):
            self._problems.append(Misread("name", NAMELESS))
        if self._problems:
            return Read(None, tuple(self._problems))
        given = {name: value for name, value in data.items() if value is not None}
        try:
            return Read(msgspec.convert(given, Rule), ())
        except msgspec.ValidationError as error:
            what, _, place = str(error).partition(" - at `$")
            return Read(None, (Misread(field_told(place.rstrip("`")), f"{what}."),))

    def _of(self, name: str) -> str:
        return self._fields.get(name, "").strip()

    def _number(self, name: str, kind: Callable[[str], float]) -> float | None:
        try:
            return kind(self._of(name).replace(",", "."))
        except ValueError:
            self._problems.append(Misread(name, NO_NUMBER))
            return None

    def _target(self, prefix: str, kept: Any) -> dict[str, Any]:
        target: dict[str, Any] = {"destination": self._of(f"{prefix}.destination")}
        if not target["destination"]:
            self._problems.append(Misread(f"{prefix}.destination", NO_DESTINATION))
        if self._of(f"{prefix}.option"):
            target["option"] = self._of(f"{prefix}.option")
        if self._of(f"{prefix}.voicemail"):
            target["voicemail"] = True
        same_kind = isinstance(kept, dict) and kept.get("destination") == target["destination"]
        return target | ({"then": kept["then"]} if same_kind and "then" in kept else {})

    def _outcomes(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        chosen = [one.value for one in Outcome if self._of(f"outcomes.{one.value}.destination")]
        return {name: self._target(f"outcomes.{name}", kept.get(name)) for name in chosen}

    def _source(self) -> dict[str, Any] | None:
        kind = self._of("source")
        if kind == CUSTOM:
            source = self._former.get("source") or {}
            former = source.get("custom") or {}
            return {"custom": settings_of(self._fields, self._custom, CUSTOM, former)}
        if kind != INTEGRATION:
            return None
        made: dict[str, Any] = {"integration": self._of("integration")}
        modules = modules_in(self._fields)
        made |= {"modules": modules} if modules else {}
        return made | ({"credentials": self._credentials()} if self._of("user") == OWN_USER else {})

    def _credentials(self) -> dict[str, Any]:
        typed = {"username": self._of("user.name"), "password": self._of("user.password")}
        return {name: text for name, text in typed.items() if text}

    def _greeting(self, kept: Any) -> dict[str, Any] | None:
        if self._of("location") != Location.IVR.value or not self._of("greeting.sound"):
            return None
        made: dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
        for name in GREETING:
            text = self._of(f"greeting.{name}")
            made.pop(name, None)
            if text:
                is_text = name in ("sound", "digits_field")
                made[name] = text if is_text else self._number(f"greeting.{name}", int)
        return made

    def _line(self, number: int) -> dict[str, Any]:
        prefix = f"lines.{number}"
        kept = _kept(self._fields.get(f"{prefix}.kept", ""))
        line = self._target(prefix, kept)
        line |= {name: kept[name] for name in ("queue_priority", "type") if name in kept}
        if is_group(self._fields, number):
            return line | {name: kept[name] for name in ("all", "any") if name in kept}
        operator = self._of(f"{prefix}.operator") or Operator.EQUALS.value
        line["operator"] = operator
        if operator not in OPERATORS_WITHOUT_VALUE:
            line["value"] = self._value(f"{prefix}.value", operator, kept)
        subject = self._of(f"{prefix}.subject")
        if subject == OTHER:
            line["field"] = self._of(f"{prefix}.field")
            if not line["field"]:
                self._problems.append(Misread(f"{prefix}.field", NO_FIELD))
        elif subject:
            line["call"] = subject
        return line

    def _value(self, name: str, operator: str, kept: Mapping[str, Any]) -> Any:
        """What was there stays as it was written, a number a number, unless it was typed over."""
        typed = self._of(name)
        former: RuleValue = kept.get("value")
        if kept.get("operator") == operator and value_text(former) == typed:
            return former
        return typed_value(typed, is_list=operator == Operator.IN_LIST)


def is_group(fields: Mapping[str, str], number: int) -> bool:
    """Whether a line has several tests, which the form shows but does not change."""
    kept = _kept(fields.get(f"lines.{number}.kept", ""))
    return bool(kept.get("all") or kept.get("any"))


def _plain(struct: Struct) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(struct)
    return data


def _json(data: object) -> str:
    return msgspec.json.encode(data).decode()


def _kept(text: str) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def with_greeting_defaults(fields: Fields) -> Fields:
    """A form without a greeting offers what a greeting would have."""
    blank = Greeting(sound="x")
    told = {f"greeting.{name}": text_of(getattr(blank, name)) for name in GREETING if name != "sound"}
    return told | fields
