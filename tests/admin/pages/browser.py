"""A browser without a screen: it keeps cookies, and sends the forms of the pages that it has read."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from html import unescape

import httpx

from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Role
from tests.admin.stands import standing
from tests.records.makers import JANE

PASSWORD = "correct horse battery"
Accounts = Mapping[str, tuple[str, TenantId | None]]


class Browser:
    """A client with cookies, which sends the forms of the pages it has read."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = ""

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        self.page = answer.text
        return self.page

    async def post(self, path: str, fields: dict[str, str], status: int = 303) -> httpx.Response:
        """With the CSRF token of the page read last."""
        found = re.search(r'name="csrf" value="(\w+)"', self.page)
        data = {"csrf": found[1] if found else "", **fields}
        answer = await self.client.post(path, data=data)
        assert answer.status_code == status, answer.text
        self.page = answer.text or self.page
        return answer

    async def sign_in(self, name: str) -> None:
        await self.post("/sign-in", {"name": name, "password": PASSWORD})

    def fields(self) -> dict[str, str]:
        """Those of the rule form on the page read last."""
        fields = {}
        for tag in re.findall(r"<input[^>]*>", self.page):
            found = re.search(r' name="([^"]+)".* value="([^"]*)"', tag)
            is_sent = "checkbox" not in tag or tag.endswith(" checked>")
            if found and is_sent:
                fields[found[1]] = unescape(found[2])
        for name, typed in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)<', self.page):
            fields[name] = unescape(typed)
        selects = re.findall(r'<select[^>]*? name="([^"]+)"[^>]*>(.*?)</select>', self.page, re.DOTALL)
        for name, body in selects:
            chosen = re.search(r'value="([^"]*)" selected', body)
            fields[name] = unescape(chosen[1]) if chosen else ""
        return fields


async def make_accounts(site: Site, accounts: Accounts) -> None:
    for name, (role, tenant) in accounts.items():
        await site.accounts.create_user(name, Role(role), tenant, PASSWORD, JANE)


@asynccontextmanager
async def open_browsers(
    site: Site, accounts: Accounts | None = None
) -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    """Gives a function that opens a browser, and signs somebody in with it."""
    await make_accounts(site, accounts or {})
    opened: list[httpx.AsyncClient] = []

    async def browser(name: str = "") -> Browser:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://crmroute.test")
        opened.append(client)
        made = Browser(client)
        if name:
            await made.sign_in(name)
        return made

    with standing(site) as app:
        try:
            yield browser
        finally:
            for client in opened:
                await client.aclose()
