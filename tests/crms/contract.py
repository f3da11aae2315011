"""docs/proprietary-crm.openapi.json as a judge: whether a request or an answer is what the file says.

It is stricter than the file, which lets either side add properties: here both say only what is written.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILE = DOCS / "proprietary-crm.openapi.json"
ROOT = "/crmroute/v1"
JSON, PROBLEM = "application/json", "application/problem+json"


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text())
    return loaded


def operation(method: str, path: str) -> dict[str, Any]:
    """What the file says of a method at a path, which begins below the base address."""
    assert path.startswith(f"{ROOT}/"), path
    for known, described in document()["paths"].items():
        pattern = re.sub(r"\\{[^}]+\\}", "([^/]+)", re.escape(known))
        found = re.fullmatch(pattern, path.removeprefix(ROOT))
        if found and method.lower() in described:
            for parameter, text in zip(_path_parameters(described), found.groups(), strict=True):
                require(unquote(text), parameter["schema"])
            operation: dict[str, Any] = described[method.lower()]
            return operation
    raise AssertionError(f"the contract has no {method} {path}")


def require_request(
    method: str, path: str, body: bytes, content_type: str = "", signature: str | None = None
) -> None:
    """Raises AssertionError where the request is not as described."""
    described = operation(method, path)
    if signature is not None:
        require(signature, document()["components"]["parameters"]["Signature"]["schema"])
    if "requestBody" not in described:
        assert body == b"", "this request has no body"
        return
    require(json.loads(body), described["requestBody"]["content"][content_type]["schema"])


def require_answer(method: str, path: str, status: int, body: bytes, content_type: str) -> None:
    """Raises AssertionError where the answer is not as described."""
    described = operation(method, path)["responses"]
    answer = _found(described.get(str(status), described["default"]))
    assert content_type in answer["content"], f"{status} as {content_type}"
    said = json.loads(body)
    require(said, answer["content"][content_type]["schema"])
    assert status < 400 or said["status"] == status


def examples() -> list[tuple[str, Any, Any]]:
    """Every example of the file, with the schema it stands beside."""
    return list(_examples(document(), "#"))


def _examples(node: Any, place: str) -> Any:
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from _examples(item, f"{place}/{number}")
    if not isinstance(node, dict):
        return
    if "schema" in node:
        if "example" in node:
            yield place, node["example"], node["schema"]
        for name, example in node.get("examples", {}).items():
            yield f"{place}/{name}", example["value"], node["schema"]
    for name, item in node.items():
        yield from _examples(item, f"{place}/{name}")


def _path_parameters(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in map(_found, described["parameters"]) if one["in"] == "path"]


def _found(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    while "$ref" in node:
        target: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def require(value: Any, schema: Any) -> None:
    """Raises AssertionError, with everything that does not fit."""
    resolved = {**_closed(schema), "components": _closed(document()["components"])}
    errors = sorted(
        Draft202012Validator(resolved, format_checker=FormatChecker()).iter_errors(value), key=str
    )
    assert not errors, "; ".join(f"{error.json_path}: {error.message}" for error in errors)


def _closed(schema: Any) -> Any:
    """The same schema, which knows no property that it does not name."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(item) for key, item in schema.items()}
    return {"additionalProperties": False, **made} if "properties" in made else made
