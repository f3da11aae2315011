"""What attacks are tried on: two tenants that have everything, with somebody of each role who is signed in
and has a token. It is made once, in a file of SQLite, and each attack gets a copy of its own.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import sqlalchemy as sa
from msgspec import Struct

from router.admin.api.description import with_errors
from router.admin.app import build_app
from router.admin.authenticator import Authenticator
from router.admin.pages.routes import page_side
from router.admin.site import Site
from router.core.errands import (
    BeginSignIn,
    CheckConnection,
    Checked,
    ErrandFailed,
    Fields,
    ListFields,
    ListModules,
    Modules,
    Reply,
    SignInBegun,
    SignInState,
    TellSignIn,
    Tried,
    TryDraft,
    TryLookup,
)
from router.core.faults import Fault
from router.core.identities import TenantId
from router.core.lookups import Answer
from router.core.roles import Role
from router.core.rules import Outcome
from router.core.tenants import Tenant
from router.records import decisions, publications, rules
from router.records.configuration import Configuration
from router.records.database import Database, open_database
from router.records.keys import csrf_of
from router.records.tables import metadata
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.records.makers import ACME, DATA, JANE, OTHER, Clock, checked, decision, rule, tenant

ADDRESS = "http://admin.test"
API = "/api/v1"
PASSWORD = "correct horse battery"
ROLES = tuple(Role)
TENANTS: tuple[TenantId, ...] = (ACME, OTHER)
DIDS = {ACME: "+33142345009", OTHER: "+33142346009"}
RESTLESS = {"tokens": {"used_at"}, "sessions": {"seen_at"}}
"""Columns that a request changes by being asked."""


REPLIES: dict[type, Reply] = {
    TellSignIn: SignInState(False, False),
    CheckConnection: Checked((), 1, 0.1),
    TryLookup: Tried(Answer(Outcome.NOT_FOUND), (), 1, 0.1),
    TryDraft: Tried(Answer(Outcome.NOT_FOUND), (), 1, 0.1),
    ListModules: Modules(()),
    ListFields: Fields("Contact", ()),
    BeginSignIn: SignInBegun("https://crm.example/authorise", "state"),
}
"""Of the worker; all else fails."""


class Keys(Struct, frozen=True):
    session: str
    token: str


class Made(Struct, frozen=True):
    """`ids`: what stands for the parts of a path, by tenant. `keys`: by role and tenant, None a provider."""

    file: Path
    ids: dict[TenantId, dict[str, str]]
    keys: dict[tuple[Role, TenantId | None], Keys]
    now: float

    def key_of(self, role: Role, tenant: TenantId) -> Keys:
        return self.keys[role, None if role is Role.PROVIDER else tenant]


class Stage:
    """One application for all copies, as it takes longer to build than an attack: its database changes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.store = MemoryStore()
        site = site_of(Configuration(database, self.clock, checked), self.store, self.clock)
        authenticator = Authenticator(site.accounts, is_encrypted=False)
        self.app: Any = build_app(lambda: site, authenticator, pages=page_side(authenticator))

    async def play(self, file: Path, now: float) -> None:
        """From now on on this one."""
        self.database._engine = (await open_database(f"sqlite:///{file}"))._engine
        self.clock.now = now
        self.store.errands.clear()


class World:
    """One copy of it, asked over HTTP."""

    def __init__(self, made: Made, database: Database, client: httpx.AsyncClient) -> None:
        self.made = made
        self.database = database
        self.client = client

    async def ask(self, keys: Keys | None, method: str, path: str, body: Any = None) -> httpx.Response:
        """By an API token; None: as nobody."""
        headers = {"Authorization": f"Bearer {keys.token}"} if keys else {}
        headers["If-Match"] = "*"
        return await self.client.request(method, API + path, json=body, headers=headers)

    async def visit(
        self, keys: Keys | None, method: str, path: str, fields: dict[str, str] | None = None
    ) -> httpx.Response:
        """By a page's session, with its CSRF token."""
        headers = {"Cookie": f"crmroute={keys.session}"} if keys else {}
        data = None
        if method == "POST":
            data = {"csrf": csrf_of(keys.session) if keys else "", **(fields or {})}
        return await self.client.request(method, path, data=data, headers=headers)

    @staticmethod
    def csrf(keys: Keys) -> str:
        return csrf_of(keys.session)

    async def contents(self) -> dict[str, list[tuple[object, ...]]]:
        """All that is kept, but for what every request changes."""
        told = {}
        async with self.database.reading() as connection:
            for table in metadata.sorted_tables:
                columns = [one for one in table.c if one.name not in RESTLESS.get(table.name, ())]
                rows = await connection.execute(sa.select(*columns).order_by(*table.primary_key))
                told[table.name] = [tuple(row) for row in rows]
        return told


def make(folder: Path) -> Made:
    return asyncio.run(_make(folder))


@asynccontextmanager
async def opened(made: Made, stage: Stage, folder: Path) -> AsyncIterator[World]:
    """A copy of it, with a worker that answers every errand."""
    copy = folder / "records.db"
    shutil.copy(made.file, copy)
    await stage.play(copy, made.now)
    worker = asyncio.create_task(_answer_errands(stage.store))
    transport = httpx.ASGITransport(app=stage.app, raise_app_exceptions=False, client=("192.0.2.7", 1234))
    try:
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            yield World(made, stage.database, client)
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        await stage.database.aclose()


def described() -> dict[str, Any]:
    """The OpenAPI; it needs no site."""
    nowhere: Any = None
    told: dict[str, Any] = with_errors(build_app(lambda: nowhere, nowhere).openapi_schema.to_schema())
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told))
    return read


def page_routes() -> list[tuple[str, str]]:
    """Every page's method and path."""
    nowhere: Any = None
    app = build_app(lambda: nowhere, nowhere, pages=page_side(Authenticator(nowhere, is_encrypted=False)))
    return [
        (method, route.path_format)
        for route in app.routes
        if not route.path_format.startswith((API, "/static"))
        for method in sorted(set(getattr(route, "methods", ())) - {"OPTIONS", "HEAD"})
    ]


async def _answer_errands(store: MemoryStore) -> None:
    while True:
        taken = await store.errands.take()
        if taken is not None:
            reply = REPLIES.get(type(taken.errand), ErrandFailed(Fault.SIGN_IN, "it is over"))
            await store.errands.reply(taken, reply)


async def _make(folder: Path) -> Made:
    file, clock = folder / "made.db", Clock()
    database = await open_database(f"sqlite:///{file}")
    site = site_of(Configuration(database, clock, checked), MemoryStore(), clock)
    ids = {one: await _fill(site, one) for one in TENANTS}
    places: list[tuple[Role, TenantId | None]] = [(Role.PROVIDER, None)]
    places += [(role, one) for one in TENANTS for role in ROLES if role is not Role.PROVIDER]
    keys = {place: await _enter(site, *place) for place in places}
    await database.aclose()
    return Made(file, ids, keys, clock.now)


async def _fill(site: Site, id_: TenantId) -> dict[str, str]:
    """A tenant with everything; what stands for the parts of its paths."""
    await site.configuration.apply(_whole(id_), "first", JANE, managed_by="page")
    spare = await site.configuration.create_rule(id_, rule(name=f"Spare of {id_}"), JANE)
    await site.configuration.publish_rule(id_, spare, "", None, JANE)
    user = await site.accounts.create_user(f"user@{id_}", Role.VIEWER, id_, PASSWORD, JANE)
    token, _ = await site.accounts.create_token("ci", Role.VIEWER, id_, 3600, (Role.PROVIDER, JANE))
    async with site.database.writing() as connection:
        await decisions.write(connection, [decision(f"pbx1-{id_}.1", tenant=id_)])
        listed = await rules.every(connection, id_)
        newest = await publications.in_force(connection, id_)
    assert newest is not None
    return {
        "tenant": id_,
        "rule": str(spare),
        "rules": ",".join(str(one.id) for one in listed),
        "integration": f"spare-{id_}",
        "did": DIDS[id_],
        "name": f"entry-{id_}",
        "module": "Contact",
        "user": str(user.id),
        "token": str(token.id),
        "call": f"pbx1-{id_}.1",
        "publication": str(newest.number),
        "version": "1",
        "connector": "custom",
    }


def _whole(id_: TenantId) -> Tenant:
    return tenant(
        id=id_,
        numbers=[{"did": DIDS[id_], "rule": "Sales"}],
        ivr_entries=[{"name": f"entry-{id_}", "rule": "By number"}],
        integrations=[
            *DATA["integrations"],
            {"name": f"spare-{id_}", "settings": {"url": "https://a.example"}},
        ],
    )


async def _enter(site: Site, role: Role, of: TenantId | None) -> Keys:
    name = f"{role}@{of}"
    await site.accounts.create_user(name, role, of, PASSWORD, JANE)
    signed_in = await site.accounts.sign_in(name, PASSWORD, "192.0.2.7")
    user = signed_in.user.id
    _, key = await site.accounts.create_token(name, role, of, 86_400, (Role.PROVIDER, JANE), user=user)
    return Keys(signed_in.key, key)
