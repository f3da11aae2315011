"""Every operation of the API, asked by each role of the tenant and by each of another one.

The operations come from the OpenAPI: one that joins it fails here until the table says who may do it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct

from router.core.roles import Role
from tests.admin.attacks.world import PASSWORD, ROLES, Made, World, described
from tests.records.makers import ACME, OTHER, SALES

VIEWER, EDITOR, ADMIN, PROVIDER = Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.PROVIDER
RANK = (VIEWER, EDITOR, ADMIN, PROVIDER)
PROFILE = {"country": "FR", "default": {"destination": "hangup"}}
USER = {"name": "new", "role": "viewer", "password": PASSWORD}
TOKEN = {"name": "new", "role": "viewer", "seconds": 60}


class Allowed(Struct, frozen=True):
    """`least` is the lowest role that may; `body` names the tenant as `TENANT`, and its rules as `RULES`."""

    least: Role
    status: int = 200
    body: Any = None


ALLOWED = {
    "listTenants": Allowed(VIEWER),
    "createTenant": Allowed(PROVIDER, 201, {"id": "new", **PROFILE}),
    "readTenant": Allowed(VIEWER),
    "changeTenant": Allowed(EDITOR, 200, PROFILE),
    "removeTenant": Allowed(PROVIDER, 204),
    "manageTenant": Allowed(ADMIN, 200, {"managed_by": "files"}),
    "readDrift": Allowed(VIEWER),
    "listPublications": Allowed(VIEWER),
    "readPublication": Allowed(VIEWER),
    "rollBackTenant": Allowed(ADMIN),
    "listRules": Allowed(VIEWER),
    "createRule": Allowed(EDITOR, 201, SALES | {"name": "New"}),
    "readRule": Allowed(VIEWER),
    "changeRule": Allowed(EDITOR, 200, SALES | {"name": "Changed"}),
    "removeRule": Allowed(EDITOR, 204),
    "checkRule": Allowed(VIEWER),
    "duplicateRule": Allowed(EDITOR, 201),
    "publishRule": Allowed(EDITOR, 200, {"comment": "mine"}),
    "listRuleVersions": Allowed(VIEWER),
    "readRuleVersion": Allowed(VIEWER),
    "rollBackRule": Allowed(EDITOR, 200, {}),
    "arrangeRules": Allowed(EDITOR, 200, {"ids": "RULES"}),
    "tryRule": Allowed(VIEWER, 200, {"rule": SALES, "values": ["gold"]}),
    "tryDraft": Allowed(VIEWER, 200, {"values": ["gold"]}),
    "undoNumbers": Allowed(EDITOR, 200, {"publication": 1}),
    "listNumbers": Allowed(VIEWER),
    "putNumber": Allowed(EDITOR, 200, {"rule": "Sales", "note": "mine"}),
    "removeNumber": Allowed(EDITOR),
    "importNumbers": Allowed(EDITOR, 200, {"text": "0142345077;Sales", "is_preview": False}),
    "listEntries": Allowed(VIEWER),
    "putEntry": Allowed(EDITOR, 200, {"rule": "By number", "note": "mine"}),
    "removeEntry": Allowed(EDITOR),
    "searchCalls": Allowed(VIEWER),
    "readCall": Allowed(VIEWER),
    "readRetention": Allowed(VIEWER),
    "changeRetention": Allowed(ADMIN, 200, {"days": 7}),
    "listIntegrations": Allowed(VIEWER),
    "createIntegration": Allowed(ADMIN, 201, {"name": "new", "settings": {"url": "https://b.example"}}),
    "readIntegration": Allowed(VIEWER),
    "changeIntegration": Allowed(ADMIN, 200, {"name": "new", "settings": {"url": "https://b.example"}}),
    "removeIntegration": Allowed(ADMIN, 204),
    "readIntegrationState": Allowed(VIEWER),
    "beginSignIn": Allowed(ADMIN),
    "testIntegration": Allowed(VIEWER, 200, {}),
    "tryLookup": Allowed(VIEWER, 200, {"number": "0612345678"}),
    "listModules": Allowed(VIEWER),
    "listFields": Allowed(VIEWER),
    "listConnectors": Allowed(VIEWER),
    "listServers": Allowed(PROVIDER),
    "readOverview": Allowed(PROVIDER),
    "readLiveOfAll": Allowed(PROVIDER),
    "readTenantOverview": Allowed(VIEWER),
    "readLive": Allowed(VIEWER),
    "listUsers": Allowed(ADMIN),
    "createUser": Allowed(ADMIN, 201, {**USER, "tenant": "TENANT"}),
    "readUser": Allowed(ADMIN),
    "changeUser": Allowed(ADMIN, 200, {"is_disabled": True}),
    "setPassword": Allowed(ADMIN, 204, {"password": PASSWORD + "!"}),
    "removeSecondFactor": Allowed(ADMIN, 204),
    "removeUser": Allowed(ADMIN, 204),
    "listTokens": Allowed(ADMIN),
    "createToken": Allowed(ADMIN, 201, {**TOKEN, "tenant": "TENANT"}),
    "removeToken": Allowed(ADMIN, 204),
    "listAudit": Allowed(PROVIDER),
    "listTenantAudit": Allowed(ADMIN),
}
OF_INSTALLATION = {
    *("createTenant", "listAudit", "removeTenant", "listServers", "readOverview", "readLiveOfAll"),
}
"""Not found for everybody but the provider: nobody learns what an installation has."""
OWN_LISTS = {"listTenants", "listUsers", "listTokens", "listConnectors"}
"""They show what the asker reaches."""
PUTS_WHAT_IS_NOT_THERE = {"putNumber", "putEntry"}
"""What they name need not be there: the tenant's own comes to be."""


class Operation(Struct, frozen=True):
    name: str
    method: str
    path: str

    def at(self, ids: dict[str, str]) -> str:
        number = ids["publication"] if "/publications/" in self.path else ids["version"]
        return self.path.format(**ids, number=number)


def operations() -> Iterator[Operation]:
    for path, methods in described()["paths"].items():
        for method, one in methods.items():
            yield Operation(one["operationId"], method.upper(), path.removeprefix("/api/v1"))


EVERY = list(operations())
each = pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.name)


def body_of(operation: Operation, ids: dict[str, str]) -> Any:
    body = ALLOWED[operation.name].body
    if body is None:
        return None
    real = {"TENANT": ids["tenant"], "RULES": [int(one) for one in ids["rules"].split(",")]}
    return {name: real.get(value, value) if isinstance(value, str) else value for name, value in body.items()}


def test_the_table_names_every_operation_and_no_other() -> None:
    assert {one.name for one in EVERY} == set(ALLOWED)


@each
@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_what_the_table_says(world: World, operation: Operation, role: Role) -> None:
    ids, allowed = world.made.ids[ACME], ALLOWED[operation.name]
    before = await world.contents()

    answer = await world.ask(
        world.made.key_of(role, ACME), operation.method, operation.at(ids), body_of(operation, ids)
    )

    if RANK.index(role) >= RANK.index(allowed.least):
        assert answer.status_code == allowed.status, answer.text
        return
    refused = 404 if operation.name in OF_INSTALLATION else 403
    assert answer.status_code == refused, answer.text
    assert await world.contents() == before


@each
async def test_another_tenant_s_are_not_found_by_any_role(world: World, operation: Operation) -> None:
    """Whether or not they are there: users and tokens are refused to lower roles, which is told of any id."""
    if operation.name in OWN_LISTS:
        return
    ids, before = world.made.ids[ACME], await world.contents()
    missing = ids | {"user": "999999", "token": "999999"}
    for role in (ADMIN, EDITOR, VIEWER):
        keys = world.made.key_of(role, OTHER)

        answer = await world.ask(keys, operation.method, operation.at(ids), body_of(operation, ids))
        unknown = await world.ask(keys, operation.method, operation.at(missing), body_of(operation, ids))

        is_by_id = "{tenant}" not in operation.path and "{" in operation.path
        assert answer.status_code == (403 if is_by_id and role is not ADMIN else 404), answer.text
        assert answer.json() == unknown.json()
    assert await world.contents() == before


@each
async def test_another_tenant_s_things_are_not_found_in_the_own_one(
    world: World, operation: Operation
) -> None:
    """The tenant is the own one, and what is in it another's."""
    if operation.path.count("{") < 2 or operation.name in PUTS_WHAT_IS_NOT_THERE:
        return
    mixed = world.made.ids[ACME] | {"tenant": OTHER, "publication": "99"}
    before = await world.contents()

    answer = await world.ask(
        world.made.key_of(ADMIN, OTHER), operation.method, operation.at(mixed), body_of(operation, mixed)
    )

    assert answer.status_code == 404, answer.text
    assert await world.contents() == before


async def test_lists_show_the_own_tenant_s_alone(world: World) -> None:
    for path in ("/tenants", "/users", "/tokens"):
        answer = await world.ask(world.made.key_of(ADMIN, OTHER), "GET", path)

        tenants = {one.get("tenant", one["id"]) for one in answer.json()}
        assert tenants == {OTHER}, path


async def test_a_body_s_ids_of_another_tenant_change_nothing(world: World) -> None:
    admin, before = world.made.key_of(ADMIN, OTHER), await world.contents()
    foreign = [int(one) for one in world.made.ids[ACME]["rules"].split(",")]
    own = [int(one) for one in world.made.ids[OTHER]["rules"].split(",")]
    tries: list[tuple[str, str, Any]] = [
        ("PUT", "/tenants/other/rule-order", {"ids": foreign}),
        ("PUT", "/tenants/other/rule-order", {"ids": [*own[:-1], foreign[0]]}),
        ("PUT", "/tenants/other/numbers/0142345088", {"rule": "Spare of acme"}),
        ("PUT", "/tenants/other/ivr-entries/new", {"rule": "Spare of acme"}),
        ("POST", "/users", {**USER, "tenant": "acme"}),
        ("POST", "/tokens", {**TOKEN, "tenant": "acme"}),
        ("POST", "/tenants", {"id": "acme", **PROFILE}),
    ]

    for method, path, body in tries:
        answer = await world.ask(admin, method, path, body)
        assert answer.status_code in (404, 409), (path, answer.text)
    assert await world.contents() == before


@each
async def test_nobody_is_told_nothing(world: World, operation: Operation) -> None:
    ids = world.made.ids[ACME]
    answer = await world.ask(None, operation.method, operation.at(ids), body_of(operation, ids))

    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:crmroute:problem:not-signed-in"


async def test_a_token_is_over_with_its_tenant(made: Made, world: World) -> None:
    await world.ask(made.key_of(PROVIDER, ACME), "DELETE", "/tenants/acme")

    answer = await world.ask(made.key_of(ADMIN, ACME), "GET", "/tenants")

    assert answer.status_code == 401
