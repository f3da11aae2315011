"""The API as a client sees it: the whole application on both databases, its authentication by a header."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from argon2 import PasswordHasher
from litestar import Litestar

from router.admin.authentication import Connection
from router.admin.crm_fields import CrmFields
from router.admin.identity import Identity
from router.admin.live import LiveBoard
from router.admin.publisher import Publisher
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Role
from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.passwords import Passwords
from router.settings.load import load_settings
from router.settings.manifest_files import load_manifests
from router.settings.vault import Vault
from router.store.seams import Store
from tests.admin.stands import standing
from tests.records.makers import Clock, checked
from tests.workers.test_manifests import CONFIG

ADDRESS = "http://admin.test/api/v1"


async def authenticate(connection: Connection) -> Identity | None:
    """`X-Test-Identity: admin@acme`, or `provider`."""
    told = connection.headers.get("X-Test-Identity", "")
    if not told:
        return None
    role, _, tenant = told.partition("@")
    return Identity(
        who=told,
        role=Role(role),
        tenant=TenantId(tenant) if tenant else None,
        origin="192.0.2.7",
        maker=int(connection.headers.get("X-Test-Maker", "0")) or None,
    )


VAULT = Vault(["a key of the tests, long enough to be one"])


def accounts_of(configuration: Configuration, clock: Clock) -> Accounts:
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Accounts(configuration.database, clock, VAULT, quick)


def site_of(configuration: Configuration, store: Store, clock: Clock) -> Site:
    return Site(
        folder=CONFIG,
        settings=load_settings(CONFIG, {}, with_asterisk=False),
        database=configuration.database,
        configuration=configuration,
        publisher=Publisher(configuration.database, store.plans),
        accounts=accounts_of(configuration, clock),
        vault=VAULT,
        store=store,
        crm_fields=CrmFields(store.errands, clock),
        live=LiveBoard(store),
        manifests=load_manifests(CONFIG),
        check=checked,
        clock=clock,
    )


class Api:
    """A client that speaks as somebody."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient) -> None:
        self.app = app
        self._client = client

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = "admin@acme",
        match: str | None = "*",
        headers_more: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        headers = ({"X-Test-Identity": who} if who else {}) | (headers_more or {})
        if match is not None:
            headers["If-Match"] = match
        return await self._client.request(method, f"{ADDRESS}{path}", json=body, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:
        """The body of a success."""
        answer = await self.ask("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Api]:
    with standing(site, authenticate) as app:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            yield Api(app, client)
