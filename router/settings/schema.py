"""The published JSON Schemas, by which an editor completes and checks the files as they are written.

They are made from the structs: types and limits by msgspec, descriptions from the docstrings in their source.
`python -m router.settings.schema` writes them to `config/schema`; a test fails when they are stale.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from router.core.single_sign_on import Grant
from router.core.tenants import Tenant
from router.settings.model import AsteriskServer, Settings, SingleSignOnSettings, VaultSettings

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that editors' TOML plug-ins know."""
SECRET = {
    "description": 'A text, { env = "NAME" } or { file = "/path" }.',
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"env": {"type": "string"}},
            "required": ["env"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"sealed": {"type": "string"}},
            "required": ["sealed"],
            "additionalProperties": False,
        },
    ],
}


def tenant_schema() -> dict[str, Any]:
    schema = _schema_of(Tenant, "A tenant of crmroute")
    tenant = schema["definitions"]["Tenant"]
    tenant["required"].remove("id")  # the file's name says it
    schema["definitions"]["Credentials"]["properties"]["password"] = SECRET
    return _shaped(schema)


def settings_schema() -> dict[str, Any]:
    """For `local.toml`: everything may be left out, because `default.toml` has it."""
    schema = _schema_of(Settings, "The settings of crmroute")
    for name, definition in schema["definitions"].items():
        if name not in (AsteriskServer.__name__, Grant.__name__):
            definition.pop("required", None)
    schema["definitions"][AsteriskServer.__name__]["properties"]["secret"] = SECRET
    schema["definitions"][VaultSettings.__name__]["properties"]["keys"]["items"] = SECRET
    schema["definitions"][SingleSignOnSettings.__name__]["properties"]["client_secret"] = SECRET
    return _shaped(schema)


def _schema_of(type_: type, title: str) -> dict[str, Any]:
    (root,), components = msgspec.json.schema_components([type_], ref_template="#/definitions/{name}")
    for component in _structs(type_):
        _describe(components[component.__name__], component)
    for definition in components.values():
        if "description" in definition:  # from 3.13 on Python takes a docstring's indent away by itself
            definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": DIALECT, "title": title, "allOf": [root], "definitions": components}


def _shaped(schema: dict[str, Any]) -> dict[str, Any]:
    """Draft 7 ignores what stands beside a `$ref`, so the reference gets an object of its own."""
    return {key: _with_own_refs(value) if key == "definitions" else value for key, value in schema.items()}


def _with_own_refs(node: Any) -> Any:
    match node:
        case {"$ref": reference, **beside} if beside:
            return {"allOf": [{"$ref": reference}], **beside}
        case dict():
            return {key: _with_own_refs(item) for key, item in node.items()}
        case list():
            return [_with_own_refs(item) for item in node]
    return node


def _structs(type_: type) -> Iterator[type]:
    """The struct and every struct within it."""
    found: dict[type, None] = {}
    _collect(msgspec.inspect.type_info(type_), found)
    yield from found


def _collect(shape: msgspec.inspect.Type, found: dict[type, None]) -> None:
    match shape:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            if cls in found:
                return
            found[cls] = None
            for field in fields:
                _collect(field.type, found)
        case msgspec.inspect.UnionType(types=types):
            for member in types:
                _collect(member, found)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            _collect(item, found)
        case msgspec.inspect.DictType(value_type=value):
            _collect(value, found)


def _describe(definition: dict[str, Any], cls: type) -> None:
    """Add the description of each field, its own or its base's."""
    for base in reversed(cls.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            for name, text in _field_docstrings(base).items():
                if name in definition["properties"]:
                    definition["properties"][name]["description"] = text


def _field_docstrings(cls: type) -> dict[str, str]:
    """The string that follows a field in its class's source."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    found: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, text in pairwise(statements):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = " ".join(said.split())
    return found


def schema_texts() -> dict[str, str]:
    """The text of each published file, by its name."""
    schemas = {"tenant.schema.json": tenant_schema(), "settings.schema.json": settings_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(__file__).resolve().parents[2] / "config" / "schema")
