"""Pipedrive's own description of its API, held against our requests and against the local server's answers.

The description is Pipedrive's and lies beside the project, where it lies at all; without it nothing is compared.
It says of no property that it may be null, though many are, so nulls are taken out before a comparison. Known
slips of it are listed below.
"""

import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from router.core.call_logs import NewContact
from tests.crms import people
from tests.crms.driving import Recorder, finished
from tests.crms.pipedrive import ACCOUNT, ORG_TIER, PERSON_RIG, TIER, TOKEN_RIG, Pipedrive
from tests.crms.product import Product, running
from workers.connectors.answers import read_json, read_text
from workers.connectors.steps import Request, Response

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "crm" / "specs" / "pipedrive"
VERSIONS = {"v1": "v1", "api/v2": "v2"}
NOT_LISTED = {"labels", "open_deals_count", "people_count"}
"""Properties that the description tells of in words only: they come on demand."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="Pipedrive's description is not here")


@cache
def description(version: str) -> dict[str, Any]:
    text = (FOLDER / f"pipedrive-{version}-openapi.yml").read_text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 (a safe loader, in C where there is one)
    return loaded


def operation(request: Request) -> tuple[str, dict[str, Any]]:
    """The described path that the request's address fits, and what is described for its method."""
    path = re.sub(r"^https?://[^/]+/", "", request.url)
    prefix = next(prefix for prefix in VERSIONS if path.startswith(f"{prefix}/"))
    rest = path.removeprefix(prefix)
    paths = description(VERSIONS[prefix])["paths"]
    fitting = [known for known in paths if re.fullmatch(re.sub(r"\{[^}]+\}", r"[^/]+", known), rest)]
    # A literal path is meant before one with a parameter: /persons/search is no person.
    best = min(fitting, key=lambda known: known.count("{"))
    found: dict[str, Any] = paths[best][request.method.lower()]
    return best, found


def strict(schema: Any) -> Any:
    """The same schema, which knows no property that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:
        parts = [strict(part) for part in schema["allOf"]]
        merged = {name: value for part in parts for name, value in part.get("properties", {}).items()}
        return {"type": "object", "properties": merged, "additionalProperties": False}
    made = {
        key: strict(value) for key, value in schema.items() if key not in ("example", "nullable", "format")
    }
    if isinstance(made.get("properties"), dict) and made.get("additionalProperties") is not True:
        named = {**made["properties"], **{name: {} for name in NOT_LISTED}}
        made |= {"properties": named, "additionalProperties": False}
    return made


def without_nulls(raw: Any) -> Any:
    match raw:
        case dict():
            return {name: without_nulls(value) for name, value in raw.items() if value is not None}
        case list() | tuple():
            return [without_nulls(item) for item in raw]
    return raw


def require_valid(schema: Any, instance: Any, what: str) -> None:
    errors = Draft202012Validator(schema).iter_errors(instance)
    assert not (told := [f"{what}: {error.json_path}: {error.message[:200]}" for error in errors]), told


def require_described(request: Request, response: Response) -> None:
    path, described = operation(request)
    parameters = {one["name"]: one for one in described.get("parameters", []) if one["in"] == "query"}
    for name, value in request.query:
        assert name in parameters, (path, name)
        schema = parameters[name]["schema"]
        typed: Any = int(value) if schema["type"] == "integer" else value
        if schema["type"] == "boolean":
            typed = {"true": True, "false": False}[value]
        # An enumeration of one field is meant for each of several, with commas between them.
        for part in typed.split(",") if isinstance(typed, str) and "enum" in schema else [typed]:
            require_valid(schema, part, f"{path}?{name}")
    required = {name for name, one in parameters.items() if one.get("required")}
    assert required <= dict(request.query).keys()
    if request.json is not None:
        body = described["requestBody"]["content"]["application/json"]["schema"]
        require_valid(strict(body), without_nulls(request.json), f"the body to {path}")
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]
    require_valid(strict(answer), without_nulls(read_json(read_text(response))), f"the answer of {path}")


@pytest.fixture
async def token() -> AsyncIterator[Product]:
    async with running(TOKEN_RIG) as product:
        yield product


async def everything(product: Product) -> list[tuple[Request, Response]]:
    """Each kind of request once at least; the sign-ins are not described as an API."""
    assert isinstance(product.crm, Pipedrive)
    product.crm.has_deep_items = True
    recorder = Recorder(product.asker._sender)
    product.asker._sender = recorder
    subject = product.subject()
    on_demand = ("open_deals_count", "label_ids", f"organization.{ORG_TIER}", "organization.people_count")
    await product.find(people.ALICE, TIER, *on_demand)
    await product.find(people.EMMA_AND_ENZO, TIER)
    await product.find(people.NOBODY)
    await product.find(digits="4711", digits_field=ACCOUNT)
    await product.check(subject, TIER)
    await product.abilities.fields(subject, "persons")
    await product.abilities.create(subject, NewContact("persons", people.NOBODY, "Nina Neuve"))
    for call in (
        finished(module="persons", record_id="1"),
        finished(module="organizations", record_id="90"),
        finished(is_repeat=True),
    ):
        await product.abilities.log_call(subject, call)
    return [exchange for exchange in recorder.exchanges if "/oauth/" not in exchange[0].url]


@pytest.mark.parametrize("rig", [TOKEN_RIG, PERSON_RIG], ids=["call-log", "activity"])
async def test_every_request_and_answer_is_as_pipedrive_describes_it(product: Product) -> None:
    exchanges = await everything(product)

    for request, response in exchanges:
        assert response.status in (200, 201)
        require_described(request, response)
    log = "/callLogs" if product.rig is TOKEN_RIG else "/activities"
    asked = {(request.method, operation(request)[0]) for request, _ in exchanges}
    assert asked >= {
        ("GET", "/persons/search"),
        ("GET", "/persons/{id}"),
        ("GET", "/persons"),
        ("GET", "/organizations/{id}"),
        ("GET", "/itemSearch/field"),
        ("GET", "/personFields"),
        ("GET", "/organizationFields"),
        ("GET", "/users/me"),
        ("POST", "/persons"),
        ("GET", log),
        ("POST", log),
    }


def test_a_request_that_is_not_described_is_noticed() -> None:
    answer = Response(200, b'{"success": true, "data": {"items": []}}')
    url = "https://api.pipedrive.com/api/v2/persons/search"

    require_described(Request(name="search", url=url, query=(("term", "42"), ("fields", "phone"))), answer)
    with pytest.raises(AssertionError):
        require_described(Request(name="search", url=url, query=(("term", "42"), ("api_token", "x"))), answer)
