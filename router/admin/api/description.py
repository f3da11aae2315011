"""The OpenAPI as it is served: what Litestar finds, with the errors that any operation may answer.

All errors are problem details, and which ones an operation knows follows from its shape: what it takes and
what it changes.
"""

from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin

from router.admin.api.problems import MEDIA_TYPE
from router.admin.handed import NUMBER_MOST
from router.core.rules import Outcome

PROBLEM = "#/components/schemas/Problem"
TOLD = {
    "400": "The request is malformed.",
    "401": "Nobody is signed in, and no API token was sent.",
    "403": "This account may not do that.",
    "404": "It is not there, or not for this account.",
    "409": "It cannot be done as things are; something has the name, or uses it.",
    "412": "Somebody else changed it meanwhile.",
    "413": "The body is too large.",
    "422": "It cannot work as written; every place is told.",
    "428": "`If-Match` is missing.",
    "503": "The records cannot be reached.",
}
OF_ALL = ("400", "401", "403", "404", "503")
OF_CHANGES = ("409", "422")
OF_BODIES = ("413",)
OF_REVISIONS = ("412", "428")
PLACE = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("path", "what", "mend")},
    "required": ["path", "what", "mend"],
}
SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "places": {"type": "array", "items": PLACE, "description": "What is wrong, place by place."},
        "used_by": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["type", "title", "status"],
}
TAG = {"description": "Its revision, for `If-Match`.", "schema": {"type": "string"}, "required": True}
BOUNDS: dict[str, dict[str, Any]] = {
    "lookup_seconds": {"exclusiveMinimum": 0, "maximum": 15},
    "hold_seconds": {"minimum": 1, "maximum": 20},
    "requests_per_second": {"exclusiveMinimum": 0, "maximum": 10_000},
    "outcomes": {"propertyNames": {"enum": [one.value for one in Outcome]}},
}
"""As their types have them: Litestar loses those of what may be null, and of names."""
IF_MATCH = r'^(\*|(W/)?"[0-9]{1,9}")$'
TAGGED = frozenset({"TenantDetails", "RuleDetails", "IntegrationDetails"})
"""Answers that carry their revision as an entity tag, where they are not in a list."""


class Description(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_errors(openapi_schema))


def with_errors(described: dict[str, Any]) -> dict[str, Any]:
    """A copy; the one that is given stays as it is."""
    paths = {
        path: {method: _operation(method, one) for method, one in methods.items()}
        for path, methods in described["paths"].items()
    }
    components = described["components"]
    schemas = {name: _closed(one) for name, one in components["schemas"].items()} | {"Problem": SCHEMA}
    return {**described, "paths": paths, "components": {**components, "schemas": schemas}}


def _operation(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    responses = {status: _tagged(one) for status, one in operation["responses"].items()}
    changed: dict[str, Any] = {
        "responses": responses | {one: _problem(one) for one in _statuses(method, operation)}
    }
    if "parameters" in operation:
        changed["parameters"] = [_parameter(one) for one in operation["parameters"]]
    return {**operation, **changed}


def _statuses(method: str, operation: dict[str, Any]) -> tuple[str, ...]:
    names = {one["name"] for one in operation.get("parameters", ())}
    return (
        *OF_ALL,
        *(OF_CHANGES if method != "get" else ()),
        *(OF_BODIES if "requestBody" in operation else ()),
        *(OF_REVISIONS if "If-Match" in names else ()),
    )


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """`If-Match` has an answer of its own where it is missing, so the function takes none as well. Of what
    may be left out, Litestar does not tell the bounds."""
    if parameter["name"] == "If-Match":
        return {**parameter, "required": True, "schema": {"type": "string", "pattern": IF_MATCH}}
    if parameter["name"] == "before":
        bounds = {"minimum": 0, "maximum": NUMBER_MOST}
        return {**parameter, "schema": {"type": ["integer", "null"], **bounds}}
    return parameter


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Unknown fields are refused in requests, and in no answer."""
    if "properties" not in schema:
        return schema
    properties = {name: {**one, **_lost(name, one)} for name, one in schema["properties"].items()}
    return {"additionalProperties": False, **schema, "properties": properties}


def _lost(name: str, property_: dict[str, Any]) -> dict[str, Any]:
    """A number that may not be null, such as a manifest's own, has kept its bounds."""
    return {} if property_.get("type") == "number" else BOUNDS.get(name, {})


def _problem(status: str) -> dict[str, Any]:
    return {"description": TOLD[status], "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}}


def _tagged(response: dict[str, Any]) -> dict[str, Any]:
    answers = (one.get("schema", {}).get("$ref", "") for one in response.get("content", {}).values())
    is_tagged = any(one.rpartition("/")[2] in TAGGED for one in answers)
    return {**response, "headers": {**response.get("headers", {}), "ETag": TAG}} if is_tagged else response
