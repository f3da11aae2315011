"""Every page and every form, asked by each role of the tenant and by each of another one.

The routes are the application's own: one that joins them fails here until the table says who may use it.
"""

import pytest
from msgspec import Struct

from router.core.number_lists import read_numbers
from router.core.roles import Role
from tests.admin.attacks.world import PASSWORD, ROLES, World, page_routes
from tests.records.makers import ACME, OTHER, rule

VIEWER, EDITOR, ADMIN, PROVIDER = Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.PROVIDER
RANK = (VIEWER, EDITOR, ADMIN, PROVIDER)
RULE = {
    "name": "Mine",
    "location": "did",
    "type": "auto",
    "several": "agreeing",
    "source": "",
    "default.destination": "queue",
    "default.option": "desk",
    "lines": "0",
    "intent": "save",
    "revision": "1",
}
CRM = {"name": "mine", "settings.url": "https://b.example"}
LIST = "0142345077;Sales"
SHOWN = read_numbers(LIST, "FR", [rule()], [])
TENANT = {"id": "new", "name": "New", "country": "FR", "destination": "queue", "option": "desk"}


TOKEN = {"name": "new", "role": "viewer", "days": "30", "tenant": "TENANT"}


class Allowed(Struct, frozen=True):
    """`least` is the lowest role that may; `fields` are the form's."""

    least: Role
    status: int = 200
    fields: dict[str, str] = {}


PROFILE = {"name": "Mine", "country": "FR", "zone": "UTC", "destination": "queue", "option": "desk"}
ALLOWED = {
    "GET /": Allowed(VIEWER, 303),
    "GET /overview": Allowed(PROVIDER),
    "GET /live": Allowed(PROVIDER),
    "GET /servers": Allowed(PROVIDER),
    "GET /t/{tenant}": Allowed(VIEWER),
    "GET /t/{tenant}/live": Allowed(VIEWER),
    "GET /t/{tenant}/settings": Allowed(VIEWER),
    "POST /t/{tenant}/settings": Allowed(EDITOR, 303, PROFILE),
    "POST /t/{tenant}/settings/retention": Allowed(ADMIN, 303, {"days": "7"}),
    "POST /t/{tenant}/settings/managed-by": Allowed(ADMIN, 303, {"managed_by": "files"}),
    "GET /t/{tenant}/settings/publications/{number}": Allowed(VIEWER),
    "POST /t/{tenant}/settings/publications/{number}": Allowed(ADMIN, 303),
    "POST /t/{tenant}/settings/remove": Allowed(PROVIDER, 303, {"confirmed": "TENANT"}),
    "GET /t/{tenant}/integration/{integration}/connection": Allowed(VIEWER),
    "GET /t/{tenant}/integration/{integration}/sign-in": Allowed(VIEWER, 303),
    "POST /t/{tenant}/integration/{integration}/sign-in": Allowed(ADMIN),
    "POST /t/{tenant}/integration/{integration}/sign-in/device": Allowed(ADMIN, 403, {"state": "x"}),
    "POST /t/{tenant}/routing/pick": Allowed(EDITOR, 200, {"source": "integration", "integration": "crm"}),
    "POST /t/{tenant}/numbers/undo": Allowed(EDITOR, 303, {"publication": "1"}),
    "GET /account/tokens": Allowed(ADMIN),
    "POST /account/tokens": Allowed(
        ADMIN, 200, {"name": "new", "role": "viewer", "days": "30", "tenant": "TENANT"}
    ),
    "POST /account/tokens/{token}": Allowed(ADMIN, 303, {"intent": "remove"}),
    "GET /tenants": Allowed(PROVIDER),
    "POST /tenants": Allowed(PROVIDER, 303, TENANT),
    "GET /t/{tenant}/integration": Allowed(VIEWER),
    "GET /t/{tenant}/integration/new/{connector}": Allowed(ADMIN),
    "POST /t/{tenant}/integration/new/{connector}": Allowed(ADMIN, 303, CRM),
    "GET /t/{tenant}/integration/{integration}": Allowed(VIEWER),
    "POST /t/{tenant}/integration/{integration}": Allowed(ADMIN, 303, CRM | {"revision": "1"}),
    "POST /t/{tenant}/integration/{integration}/delete": Allowed(ADMIN, 303),
    "GET /t/{tenant}/integration/{integration}/state": Allowed(VIEWER),
    "POST /t/{tenant}/integration/{integration}/test": Allowed(VIEWER),
    "POST /t/{tenant}/integration/{integration}/try": Allowed(VIEWER, 200, {"number": "0612345678"}),
    "GET /t/{tenant}/routing": Allowed(VIEWER),
    "GET /t/{tenant}/routing/new": Allowed(EDITOR),
    "POST /t/{tenant}/routing/new": Allowed(EDITOR, 303, RULE),
    "POST /t/{tenant}/routing/try": Allowed(VIEWER, 200, RULE),
    "GET /t/{tenant}/routing/{rule}": Allowed(VIEWER),
    "POST /t/{tenant}/routing/{rule}": Allowed(EDITOR, 303, RULE),
    "POST /t/{tenant}/routing/{rule}/try": Allowed(VIEWER, 200, RULE),
    "POST /t/{tenant}/routing/{rule}/duplicate": Allowed(EDITOR, 303),
    "GET /t/{tenant}/routing/{rule}/delete": Allowed(EDITOR),
    "POST /t/{tenant}/routing/{rule}/delete": Allowed(EDITOR, 303),
    "GET /t/{tenant}/routing/{rule}/versions": Allowed(VIEWER),
    "POST /t/{tenant}/routing/{rule}/versions/{number}": Allowed(EDITOR, 303),
    "GET /t/{tenant}/numbers": Allowed(VIEWER),
    "POST /t/{tenant}/numbers": Allowed(EDITOR, 303, {"did": "0142345077", "rule": "Sales"}),
    "POST /t/{tenant}/numbers/delete": Allowed(EDITOR, 303, {"did": "DID"}),
    "POST /t/{tenant}/numbers/list": Allowed(
        EDITOR, 303, {"text": LIST, "intent": "import", "seen": SHOWN.digest}
    ),
    "POST /t/{tenant}/numbers/entries": Allowed(EDITOR, 303, {"name": "new", "rule": "By number"}),
    "POST /t/{tenant}/numbers/entries/delete": Allowed(EDITOR, 303, {"name": "ENTRY"}),
    "GET /t/{tenant}/calls": Allowed(VIEWER),
    "GET /t/{tenant}/calls/{call}": Allowed(VIEWER),
    "GET /users": Allowed(ADMIN),
    "POST /users": Allowed(
        ADMIN, 303, {"name": "new", "password": PASSWORD, "role": "viewer", "tenant": "acme"}
    ),
    "POST /users/{user}": Allowed(
        ADMIN,
        303,
        {"intent": "save", "role": "editor", "language": "fr", "seen.role": "viewer", "seen.language": ""},
    ),
    "GET /audit": Allowed(ADMIN),
}
FOR_ANYBODY = {
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-out",
    "GET /set-up/{key}",
    "POST /set-up/{key}",
    "POST /language",
    "GET /sign-in/single",
    "GET /sign-in/single/return",
    "GET /account",
    "POST /account",
    "GET /integration/return",
    "GET /sheets/{connector}/fields.css",
}
"""They ask for no role; tests of their own attack them."""
STREAMS = {"GET /live/stream": PROVIDER, "GET /t/{tenant}/live/stream": VIEWER}
"""They do not end; the lowest role that may open them."""
EVERY = [f"{method} {path}" for method, path in page_routes()]
GUARDED = [one for one in EVERY if one not in FOR_ANYBODY and one not in STREAMS]
TENANTS_OWN = [one for one in GUARDED if "{" in one]
each = pytest.mark.parametrize("route", GUARDED)


def asked(route: str, ids: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """The method, the address, the form's fields."""
    method, path = route.split(" ")
    known = {"DID": ids["did"], "ENTRY": ids["name"], "TENANT": ids["tenant"]}
    fields = {name: known.get(value, value) for name, value in ALLOWED[route].fields.items()}
    return method, path.format(**ids, number=ids["version"]), fields


def test_the_table_names_every_route_and_no_other() -> None:
    assert set(EVERY) == set(ALLOWED) | FOR_ANYBODY | set(STREAMS)


async def test_nobody_opens_a_stream_that_is_not_theirs(world: World) -> None:
    for role in (VIEWER, EDITOR, ADMIN):
        for path, tenant in (("/live/stream", ACME), ("/t/acme/live/stream", OTHER)):
            answer = await world.visit(world.made.key_of(role, tenant), "GET", path)
            assert answer.status_code == 404, (role, path)


@each
@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_what_the_table_says(world: World, route: str, role: Role) -> None:
    allowed, before = ALLOWED[route], await world.contents()

    answer = await world.visit(world.made.key_of(role, ACME), *asked(route, world.made.ids[ACME]))

    if RANK.index(role) >= RANK.index(allowed.least):
        assert answer.status_code == allowed.status, answer.text
        return
    assert answer.status_code == (404 if allowed.least is PROVIDER else 403), answer.text
    assert await world.contents() == before


@pytest.mark.parametrize("route", TENANTS_OWN)
async def test_another_tenant_s_pages_are_not_found_by_any_role(world: World, route: str) -> None:
    ids, before = world.made.ids[ACME], await world.contents()
    for role in (ADMIN, EDITOR, VIEWER):
        answer = await world.visit(world.made.key_of(role, OTHER), *asked(route, ids))

        assert answer.status_code == (404 if "{tenant}" in route or role is ADMIN else 403), answer.text
    assert await world.contents() == before


NUMBERED = {"new", "publications"}
"""Parts of paths behind which each tenant has the same names or numbers."""


@pytest.mark.parametrize(
    "route", [one for one in TENANTS_OWN if one.count("{") > 1 and NUMBERED.isdisjoint(one.split("/"))]
)
async def test_another_tenant_s_things_are_not_found_in_the_own_one(world: World, route: str) -> None:
    mixed = world.made.ids[ACME] | {"tenant": OTHER}
    before = await world.contents()

    answer = await world.visit(world.made.key_of(ADMIN, OTHER), *asked(route, mixed))

    assert answer.status_code == 404, answer.text
    assert await world.contents() == before


@pytest.mark.parametrize("route", [one for one in GUARDED if one.startswith("POST")])
async def test_no_form_works_without_the_token_of_its_own_session(world: World, route: str) -> None:
    """None, another session's, and a session's key in place of what is made of it."""
    keys, stranger = world.made.key_of(PROVIDER, ACME), world.made.key_of(ADMIN, OTHER)
    method, path, fields = asked(route, world.made.ids[ACME])
    before = await world.contents()
    for token in ("", "0" * 64, world.csrf(stranger), keys.session):
        answer = await world.visit(keys, method, path, fields | {"csrf": token})

        assert answer.status_code == 403, answer.text
    assert await world.contents() == before


@each
async def test_nobody_is_asked_to_sign_in_and_told_nothing(world: World, route: str) -> None:
    method, path, fields = asked(route, world.made.ids[ACME])
    before = await world.contents()

    answer = await world.visit(None, method, path, fields)

    assert answer.status_code == (303 if method == "GET" else 401)
    assert "Spare of" not in answer.text
    assert await world.contents() == before
