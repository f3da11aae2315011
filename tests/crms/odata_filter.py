"""A strict reader of OData's `$filter`, `$select` and `$expand`, in the two versions that Dynamics speaks.

It takes the grammar's own words and nothing else, knows each field's type, and compares as SQL Server does:
capitals do not count, and `%` and `_` are wildcards where a part of a text is asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*')|(?P<typed>guid'[0-9a-fA-F-]{36}')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)?)|(?P<sign>[(),])"
)
INCOMPATIBLE = {
    4: "A binary operator with incompatible types was detected. Found operand types 'Edm.Int32' and 'Edm.String'.",
    2: "Operator 'eq' incompatible with operand types 'System.Nullable`1[System.Int32]' and 'System.String' at position 9.",
}
FUNCTIONS = {4: ("contains", "startswith", "endswith"), 2: ("substringof", "startswith", "endswith")}
WORDS = frozenset({"eq", "ne", "and", "or", "not", "true", "false", "null"})
EXPANDED = re.compile(r"(?P<name>\w+)\(\$select=(?P<fields>\w+(?:,\w+)*)\)(?:,|$)")
Test = Callable[[Mapping[str, Any]], bool]


class NotOData(Exception):
    """What the server says about a query that it cannot read."""


class UnknownName(Exception):
    """A field that the module has not."""


@dataclass(frozen=True)
class Condition:
    """One comparison, as it was read."""

    operator: str
    field: str
    value: Any


class Filter:
    """One `$filter`. `types` has the type of each field's path: text, number, guid, and so on."""

    def __init__(self, text: str, types: Mapping[str, str], version: int) -> None:
        self.text, self.types, self.version = text, types, version
        self.conditions: list[Condition] = []
        self.tokens = list(self._tokens())
        self.at = 0
        self.matches = self._either()
        if self.at != len(self.tokens):
            self._fail()

    def _tokens(self) -> Any:
        at = 0
        while at < len(self.text):
            if self.text[at] == " ":
                at += 1
                continue
            found = TOKEN.match(self.text, at)
            if found is None:
                raise NotOData(f"Syntax error at position {at} in '{self.text[:80]}'.")
            at = found.end()
            if found.lastgroup in ("name", "number", "text", "guid") and self.text[at : at + 1].isalnum():
                raise NotOData(f"Syntax error at position {at} in '{self.text[:80]}'.")
            yield found.lastgroup, found[0]

    def _fail(self) -> NoReturn:
        raise NotOData(f"Syntax error at token {self.at} in '{self.text[:80]}'.")

    def _take(self, kind: str, *values: str) -> str:
        if self.at >= len(self.tokens):
            self._fail()
        found, value = self.tokens[self.at]
        if found != kind or (values and value not in values):
            self._fail()
        self.at += 1
        return str(value)

    def _is(self, kind: str, value: str) -> bool:
        is_there = self.at < len(self.tokens) and self.tokens[self.at] == (kind, value)
        self.at += is_there
        return is_there

    def _either(self) -> Test:
        tests = [self._all()]
        while self._is("name", "or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._is("name", "and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._is("sign", "("):
            inner = self._either()
            self._take("sign", ")")
            return inner
        name = self._take("name")
        if self._is("sign", "("):
            return self._function(name)
        type_ = self._type(name)
        operator = self._take("name", "eq", "ne")
        value = self._literal(type_)
        self.conditions.append(Condition(operator, name, value))
        is_wanted = operator == "eq"
        return lambda row: _same(_at(row, name), value) is is_wanted

    def _function(self, name: str) -> Test:
        if name not in FUNCTIONS[self.version]:
            raise NotOData(f"An unknown function with name '{name}' was found.")
        if name == "substringof":
            text = _unquoted(self._take("text"))
            self._take("sign", ",")
            field = self._take("name")
        else:
            field = self._take("name")
            self._take("sign", ",")
            text = _unquoted(self._take("text"))
        self._take("sign", ")")
        if self._type(field) != "text":
            raise NotOData(f"No function signature for the function with name '{name}' matches.")
        self.conditions.append(Condition(name, field, text))
        pattern = _like(text, before=name != "startswith", behind=name != "endswith")
        return lambda row: pattern.fullmatch(str(_at(row, field) or "").strip()) is not None

    def _type(self, name: str) -> str:
        if name in WORDS:
            self._fail()
        if name not in self.types:
            raise UnknownName(name)
        return self.types[name]

    def _literal(self, type_: str) -> Any:
        kinds = {"text": "text", "number": "number", "guid": "guid" if self.version == 4 else "typed"}
        if self.at >= len(self.tokens) or type_ not in kinds:
            self._fail()
        kind, raw = self.tokens[self.at]
        if kind != kinds[type_]:
            raise NotOData(INCOMPATIBLE[self.version])
        self.at += 1
        if kind == "text":
            return _unquoted(raw)
        return int(raw) if kind == "number" else raw.removeprefix("guid").strip("'").lower()


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _same(stored: Any, value: Any) -> bool:
    """A database's comparison: neither capitals nor spaces at the end count."""
    if isinstance(stored, str) and isinstance(value, str):
        return stored.rstrip().casefold() == value.rstrip().casefold()
    return bool(stored == value)


def _like(text: str, *, before: bool, behind: bool) -> re.Pattern[str]:
    made = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in text)
    return re.compile(f"{'.*' * before}{made}{'.*' * behind}", re.IGNORECASE | re.DOTALL)


def selected(text: str) -> list[str]:
    """The names of a `$select`."""
    if not re.fullmatch(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)?(,[A-Za-z_]\w*(/[A-Za-z_]\w*)?)*", text):
        raise NotOData("The $select clause cannot be read.")
    return text.split(",")


def expanded(text: str) -> dict[str, list[str]]:
    """The names of an `$expand` of OData 4, and the fields of each."""
    found, at = {}, 0
    for part in EXPANDED.finditer(text):
        if part.start() != at:
            break
        found[part["name"]], at = part["fields"].split(","), part.end()
    if at != len(text):
        raise NotOData("The $expand clause cannot be read.")
    return found
