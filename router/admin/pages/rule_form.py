"""The rule form: a rule as the form's fields, and back. Pure.

What the form does not show (groups of tests, a playback's way on, a custom URL's headers) it carries along
untouched, so that saving here never loses what was written in a file or by the API.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from router.core.problems import Path
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
LINES_MOST = 200
INTEGRATION, CUSTOM = "integration", "custom"
OTHER = "other"
TARGETS = ("destination", "option", "voicemail")
GREETING = ("sound", "min_digits", "max_digits", "digit_seconds", "tries", "digits_field")
NAMELESS, NO_NUMBER, NO_DESTINATION, NO_FIELD = PROBLEMS = (
    "Give the rule a name.",
    "Write a number.",
    "Choose a destination.",
    "Name the CRM field.",
)
BLANK_LINE: Mapping[str, str] = {"operator": "=", "destination": "queue"}
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


def fields_of(rule: Rule) -> Fields:
    """The form's fields, with the rule in them."""
    data = _plain(rule)
    fields = {name: _text(data.get(name, "")) for name in _SHOWN}
    fields["location"] = rule.location.value
    fields["type"] = rule.type.value
    fields["several"] = rule.several.value
    _put_target(fields, "default", data["default"])
    for outcome, target in data.get("outcomes", {}).items():
        _put_target(fields, f"outcomes.{outcome}", target)
    _put_source(fields, rule.source)
    for name in GREETING if rule.greeting else ():
        fields[f"greeting.{name}"] = _text(getattr(rule.greeting, name))
    for number, line in enumerate(rule.lines):
        _put_line(fields, number, line)
    fields["lines"] = str(len(rule.lines))
    return fields


def _put_target(fields: Fields, prefix: str, target: Mapping[str, Any]) -> None:
    for name in TARGETS:
        fields[f"{prefix}.{name}"] = _text(target.get(name, ""))


def _put_source(fields: Fields, source: Source | None) -> None:
    fields["source"] = ""
    if source is None:
        return
    fields["source"] = CUSTOM if source.custom is not None else INTEGRATION
    fields["integration"] = source.integration or ""
    fields["modules"] = ", ".join(source.modules)
    fields["url"] = _text((source.custom or {}).get("url", ""))


def _put_line(fields: Fields, number: int, line: Line) -> None:
    prefix = f"lines.{number}"
    fields[f"{prefix}.subject"] = line.call.value if line.call else OTHER if line.field else ""
    fields[f"{prefix}.field"] = line.field or ""
    fields[f"{prefix}.operator"] = line.operator.value if line.operator else ""
    fields[f"{prefix}.value"] = value_text(line.value)
    _put_target(fields, prefix, _plain(line))
    fields[f"{prefix}.kept"] = _json(_plain(line))


def value_text(value: RuleValue) -> str:
    """A value as it is typed; those of a list have commas between them, and quotes where one has a comma."""
    if isinstance(value, list):
        return ", ".join(_quoted(_text(one)) for one in value)
    return _text(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"') else text


def rule_of(fields: Mapping[str, str], former: Rule | None) -> Read:
    """The rule that the fields make; `former` has what the form does not show, a password among it."""
    return _Reader(fields, _plain(former) if former else {}).read()


class _Reader:
    def __init__(self, fields: Mapping[str, str], former: Mapping[str, Any]) -> None:
        self._fields = fields
        self._former = former
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
        data["source"] = self._source(kept.get("source"))
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
            return Read(None, (Misread(_field_at(place.rstrip("`")), f"{what}."),))

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

    def _source(self, kept: Any) -> dict[str, Any] | None:
        former: dict[str, Any] = kept if isinstance(kept, dict) else {}
        kind = self._of("source")
        if kind == CUSTOM:
            return {"custom": {**former.get("custom", {}), "url": self._of("url")}}
        if kind != INTEGRATION:
            return None
        made: dict[str, Any] = {"integration": self._of("integration")}
        modules = [one.strip() for one in self._of("modules").split(",") if one.strip()]
        made |= {"modules": modules} if modules else {}
        return made | {name: former[name] for name in ("credentials",) if name in former}

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
        if operator == Operator.IN_LIST:
            return [_typed(one) for one in _cells(typed)]
        return _typed(typed)


def is_group(fields: Mapping[str, str], number: int) -> bool:
    """Whether a line has several tests, which the form shows but does not change."""
    kept = _kept(fields.get(f"lines.{number}.kept", ""))
    return bool(kept.get("all") or kept.get("any"))


def line_count(fields: Mapping[str, str]) -> int:
    text = fields.get("lines", "0")
    return min(int(text), LINES_MOST) if text.isascii() and text.isdigit() else 0


def with_lines(fields: Mapping[str, str], order: Iterable[int | None]) -> Fields:
    """The form with its lines in this order; None is a new one."""
    arranged = {name: value for name, value in fields.items() if not name.startswith("lines.")}
    wanted = list(order)[:LINES_MOST]
    for number, former in enumerate(wanted):
        if former is None:
            arranged |= {f"lines.{number}.{name}": value for name, value in BLANK_LINE.items()}
            continue
        old = f"lines.{former}."
        arranged |= {
            f"lines.{number}.{name.removeprefix(old)}": value
            for name, value in fields.items()
            if name.startswith(old)
        }
    arranged["lines"] = str(len(wanted))
    return arranged


def arranged(fields: Mapping[str, str], intent: str) -> tuple[Fields, str] | None:
    """What a button for lines does: `add`, `remove-2`, `up-2`, `down-2`; and the field to be in then.

    None for every other button.
    """
    order: list[int | None] = list(range(line_count(fields)))
    verb, _, text = intent.partition("-")
    number = int(text) if text.isascii() and text.isdigit() else -1
    if verb == "add":
        return with_lines(fields, [*order, None]), f"lines.{len(order)}.value"
    if verb not in ("remove", "up", "down") or number not in order:
        return None
    if verb == "remove":
        del order[number]
        return with_lines(fields, order), f"lines.{min(number, len(order) - 1)}.value"
    to = max(0, min(len(order) - 1, number + (1 if verb == "down" else -1)))
    order.insert(to, order.pop(number))
    is_at_end = to == (0 if verb == "up" else len(order) - 1)  # its own button does nothing there
    other = "down" if verb == "up" else "up"
    return with_lines(fields, order), f"lines.{to}.{other if is_at_end else verb}"


def field_at(path: Path) -> str:
    """The form's field for a place within a rule, as `router.core.check` tells it: ("lines", 0, "value")."""
    parts = [str(part) for part in path]
    if parts[:1] == ["source"]:
        return {"custom": "url", "credentials": "source"}.get(parts[1], parts[1]) if parts[1:] else "source"
    if parts[:1] == ["lines"] and len(parts) < 3:
        return ".".join([*parts, "value"])
    if parts[:1] in (["default"], ["outcomes"]):
        is_whole = len(parts) == (1 if parts[0] == "default" else 2)
        return ".".join([*parts, "destination"] if is_whole else parts)
    return ".".join(parts[:3])


def _field_at(place: str) -> str:
    """As msgspec names a place: `.lines[0].value`."""
    parts = place.replace("[", ".").replace("]", "").split(".")
    return field_at(tuple(part for part in parts if part))


def _cells(text: str) -> list[str]:
    rows = list(csv.reader([text.replace("\n", " ").replace("\r", " ")], skipinitialspace=True))
    return [cell.strip() for cell in rows[0] if cell.strip()] if rows else []


NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?", re.ASCII)


def _typed(text: str) -> Any:
    """A number as a number, where writing it anew gives the same text; the rest is text."""
    if NUMBER.fullmatch(text) is None:
        return text
    number = float(text) if "." in text else int(text)
    return number if str(number) == text else text


def _text(value: object) -> str:
    if value is None or value is False:
        return ""
    return "true" if value is True else str(value)


def _plain(struct: Struct) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(struct)
    return data


def _json(data: object) -> str:
    return msgspec.json.encode(data).decode()


def _kept(text: str) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def with_greeting_defaults(fields: Fields) -> Fields:
    """A form without a greeting offers what a greeting would have."""
    blank = Greeting(sound="x")
    told = {f"greeting.{name}": _text(getattr(blank, name)) for name in GREETING if name != "sound"}
    return told | fields
