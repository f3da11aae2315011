"""Zoho's own description of its API, held against our requests and against the local server's answers.

The description is Zoho's and lies beside the project, where it lies at all; without it nothing is compared. Its
files refer to each other at a remote address: that is led to the files at hand, and to an empty one where there
is none. It says of few properties that they may be null, though many are, so nulls are taken out before a
comparison; and where it offers several shapes they overlap, so one of them must fit at least. Of an
organisation, a module and a field it demands dozens of properties, of which the local server has a few.
"""

import json
import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from router.core.call_logs import NewContact
from tests.crms import people
from tests.crms.driving import Recorder, finished
from tests.crms.product import Product, running
from tests.crms.zoho import SELF_RIG, Zoho
from workers.connectors.answers import read_json, read_text
from workers.connectors.steps import Request, Response

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "crm" / "specs" / "zoho"
FILES = ("coql", "module_search", "org", "fields", "modules", "record")
PARTIAL = frozenset({"org", "fields", "modules"})
"""Files of which the local server's answers have some properties, and no others."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="Zoho's description is not here")


@cache
def description(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return loaded


def at_hand(address: str) -> Resource[Any]:
    return DRAFT202012.create_resource(lenient(description(Path(address).stem)) or True)


def lenient(schema: Any, is_partial: bool = False) -> Any:
    """The same schema, of whose several shapes more than one may fit."""
    if isinstance(schema, list):
        return [lenient(item, is_partial) for item in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"nullable", "format", "required"} if is_partial else {"nullable", "format"}
    made = {
        ("anyOf" if name == "oneOf" else name): lenient(part, is_partial)
        for name, part in schema.items()
        if name not in left_out or isinstance(part, dict)
    }
    is_closed = is_partial and isinstance(made.get("properties"), dict)
    return {"additionalProperties": False, **made} if is_closed else made


REGISTRY: Registry[Any] = Registry(retrieve=at_hand)  # type: ignore[call-arg]


def without_nulls(raw: Any) -> Any:
    match raw:
        case dict():
            return {name: without_nulls(value) for name, value in raw.items() if value is not None}
        case list() | tuple():
            return [without_nulls(item) for item in raw]
    return raw


def resolved(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """A parameter or an answer of this file, where only a reference to it stands."""
    if "$ref" not in node:
        return node
    target: Any = description(name)
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def operations(request: Request) -> list[tuple[str, str, dict[str, Any]]]:
    """Where the request is described: in which files, at which path, and what is said of its method."""
    path = re.sub(r"^https?://[^/]+", "", request.url)
    found = []
    for name in FILES:
        for known, methods in description(name)["paths"].items():
            fits = re.fullmatch(re.sub(r"\{[^}]+\}", r"[^/]+", known), path)
            if fits and request.method.lower() in methods:
                found.append((name, known, methods[request.method.lower()]))
    fewest = min(known.count("{") for _, known, _ in found)
    return [operation for operation in found if operation[1].count("{") == fewest]


def require_valid(name: str, schema: Any, instance: Any, what: str) -> None:
    """Raises AssertionError, with everything that does not fit."""
    components = description(name).get("components", {})
    whole = lenient({**schema, "components": components}, is_partial=name in PARTIAL)
    errors = Draft202012Validator(whole, registry=REGISTRY).iter_errors(without_nulls(instance))
    assert not (told := [f"{what}: {error.json_path}: {error.message[:300]}" for error in errors]), told


def require_described(request: Request, response: Response) -> None:
    described = operations(request)
    parameters = {
        one["name"]: one
        for name, _, operation in described
        for one in (resolved(name, given) for given in operation.get("parameters", []))
        if one["in"] == "query"
    }
    for parameter, value in request.query:
        schema = parameters[parameter]["schema"]
        assert schema["type"] in ("string", "integer")
        assert value in schema.get("enum", [value])
        assert schema["type"] == "string" or value.isdecimal()
    assert {name for name, one in parameters.items() if one.get("required")} <= set(dict(request.query))
    for name, path, operation in described:
        if request.json is not None:
            body = operation["requestBody"]["content"]["application/json"]["schema"]
            require_valid(name, body, request.json, f"the body to {path}")
        if response.status == 204:
            assert not response.body
            continue
        status = "200" if response.status in (200, 201) else str(response.status)
        if status not in operation["responses"]:
            continue
        answer = resolved(name, operation["responses"][status])["content"]["application/json"]["schema"]
        require_valid(name, answer, read_json(read_text(response)), f"the answer of {path}")


@pytest.fixture
async def zoho() -> AsyncIterator[Product]:
    async with running(SELF_RIG) as product:
        yield product


async def everything(product: Product) -> list[tuple[Request, Response]]:
    """Each kind of request once at least, and the errors of a look-up; the sign-ins are not described."""
    assert isinstance(product.crm, Zoho)
    recorder = Recorder(product.asker._sender)
    product.asker._sender = recorder
    subject = product.subject()
    await product.find(people.ALICE, "Tier", "Account_Name", "Owner")
    await product.find(people.NOBODY)
    await product.find(people.NOBODY, modules=("Spaceships",))
    await product.find(digits="4711")
    await product.find(digits="4711", digits_field="Teir")
    await product.check(subject, "Tier")
    await product.abilities.modules(subject)
    await product.abilities.fields(subject, "Contacts")
    await product.abilities.create(subject, NewContact("Leads", people.NOBODY, "Nina Neuve"))
    for call in (
        finished(module="Contacts", record_id="410000000000000001"),
        finished(module="Accounts", record_id="410000000000000090"),
        finished(is_repeat=True),
    ):
        await product.abilities.log_call(subject, call)
    return [exchange for exchange in recorder.exchanges if "/oauth/" not in exchange[0].url]


async def test_every_request_and_answer_is_as_zoho_describes_it(zoho: Product) -> None:
    exchanges = await everything(zoho)

    for request, response in exchanges:
        require_described(request, response)
    asked = {(request.method, operations(request)[0][1]) for request, _ in exchanges}
    assert asked == {
        ("GET", "/crm/v8/org"),
        ("GET", "/crm/v8/settings/modules"),
        ("GET", "/crm/v8/settings/fields"),
        ("GET", "/crm/v8/{module}/search"),
        ("GET", "/crm/v8/{module_api_name}"),
        ("POST", "/crm/v8/coql"),
        ("POST", "/crm/v8/{module_api_name}"),
    }
    assert {response.status for _, response in exchanges} == {200, 201, 204, 400}


async def test_the_comparison_finds_what_does_not_fit(zoho: Product) -> None:
    """A description that lets everything pass would prove nothing."""
    exchanges = await everything(zoho)
    search = next(one for one in exchanges if one[0].name == "search" and one[1].status == 200)
    refused = next(one for one in exchanges if one[1].status == 400)

    modules = next(one for one in exchanges if one[0].name == "modules")

    for request, response in (
        (search[0], Response(200, b'{"data": [{"id": 5}]}')),
        (modules[0], Response(200, b'{"modules": [{"api_nmae": "Contacts"}]}')),
        (
            refused[0],
            Response(400, b'{"code": "NO_SUCH_CODE", "message": "", "details": {}, "status": "error"}'),
        ),
    ):
        with pytest.raises(AssertionError):
            require_described(request, response)
