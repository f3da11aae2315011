"""Zendesk's own description of its API, held against our requests.

The description is Zendesk's and lies beside the project, where it lies at all; without it nothing is compared.
The slices at hand have paths, methods, parameters and statuses; the shapes of bodies they only name.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.core.call_logs import NewContact
from tests.crms import people
from tests.crms.driving import Recorder, finished
from tests.crms.product import Product
from tests.crms.zendesk import CLIENT_RIG, PERSON_RIG, Zendesk
from workers.connectors.steps import Request

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "crm" / "specs" / "zendesk"
NAMED = {"OrganizationIds": "ids", "OrganizationExternalId": "external_id"}
"""Parameters that the slices only refer to."""
PAGED = {"per_page", "page[size]"}
"""Parameters of every list, which the description tells of in words."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="Zendesk's description is not here")


@cache
def described() -> dict[str, dict[str, Any]]:
    """The paths of all slices."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    slices = [yaml.load(path.read_text(), Loader=loader) for path in FOLDER.glob("*.yml")]  # noqa: S506 (a safe loader, in C where there is one)
    return {path: methods for one in slices for path, methods in one["paths"].items()}


def path_of(request: Request) -> str:
    """Zendesk takes a path with and without `.json`; it describes the latter."""
    return re.sub(r"^https?://[^/]+", "", request.url).removesuffix(".json")


def parameters_of(path: str, operation: dict[str, Any]) -> set[str]:
    listed = [*operation.get("parameters", []), *described()[path].get("parameters", [])]
    return {
        one.get("name") or NAMED.get(one["$ref"].rpartition("/")[2], "")
        for one in listed
        if one.get("in", "query") == "query"
    }


async def everything(product: Product) -> list[tuple[Request, int]]:
    """Each kind of request once at least, with the status of its answer."""
    assert isinstance(product.crm, Zendesk)
    recorder = Recorder(product.asker._sender)
    product.asker._sender = recorder
    subject = product.subject()
    await product.find(people.ALICE, "tier", "organization.tier")
    for module in ("users", "organizations"):
        for name in ("account_no", "external_id"):
            await product.find(digits="4711", digits_field=name, modules=(module,))
    await product.check(subject, "tier")
    await product.abilities.fields(subject, "users")
    for _ in range(2):
        await product.abilities.create(subject, NewContact("users", people.NOBODY, "Nina Neuve"))
    for call in (finished(module="users", record_id="1"), finished(is_repeat=True)):
        await product.abilities.log_call(subject, call)
    return [(request, response.status) for request, response in recorder.exchanges]


@pytest.mark.parametrize("rig", [CLIENT_RIG, PERSON_RIG], ids=["ticket", "voice"])
async def test_every_request_is_as_zendesk_describes_it(product: Product) -> None:
    exchanges = await everything(product)

    for request, status in exchanges:
        path = path_of(request)
        operation = described()[path][request.method.lower()]
        assert set(dict(request.query)) <= parameters_of(path, operation) | PAGED, (path, request.query)
        assert str(status) in operation["responses"] or (request.writes and status == 422), (path, status)
    log = "/api/v2/channels/voice/tickets" if product.rig is PERSON_RIG else "/api/v2/tickets"
    assert {(request.method, path_of(request)) for request, _ in exchanges} >= {
        ("GET", "/api/v2/search"),
        ("GET", "/api/v2/users/search"),
        ("GET", "/api/v2/users/me"),
        ("GET", "/api/v2/organizations/search"),
        ("GET", "/api/v2/organizations/show_many"),
        ("GET", "/api/v2/user_fields"),
        ("GET", "/api/v2/organization_fields"),
        ("GET", "/api/v2/tickets"),
        ("POST", "/api/v2/users"),
        ("POST", log),
    }
