"""Signing in with a second factor, as a browser does it: the password goes over once, and never back."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.admin.site import Site
from router.records import users
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import PASSWORD, open_browsers
from tests.records.makers import ACME, Clock, tenant
from tests.records.makers import JANE as ACTOR
from tests.records.people import enrolled


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(), "first", ACTOR, managed_by="page")
    return site_of(configuration, store, clock)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Any]:
    async with open_browsers(site, {"anna": ("admin", ACME)}) as browser:
        yield browser


async def codes_of(site: Site, clock: Clock) -> tuple[str, ...]:
    async with site.database.reading() as connection:
        (anna,) = await users.every(connection, ACME)
    return (await enrolled(site.accounts, anna, clock))[1]


def hidden(page: str) -> dict[str, str]:
    """Those of the page's first form."""
    form = page.partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))


async def test_the_second_step_carries_no_password_and_leads_back(
    browsers: Any, site: Site, clock: Clock
) -> None:
    codes = await codes_of(site, clock)
    browser = await browsers()
    first = {"name": "anna", "password": PASSWORD, "back": "/t/acme/numbers"}
    await browser.post("/sign-in", first, 200)

    assert PASSWORD not in browser.page
    assert set(hidden(browser.page)) == {"back", "name", "proof"}
    answer = await browser.post("/sign-in", hidden(browser.page) | {"code": codes[0]})
    assert answer.headers["Location"] == "/t/acme/numbers"


async def test_after_a_wrong_code_the_sign_in_begins_again(browsers: Any, site: Site, clock: Clock) -> None:
    codes = await codes_of(site, clock)
    browser = await browsers()
    await browser.post("/sign-in", {"name": "anna", "password": PASSWORD}, 200)
    second = hidden(browser.page)
    await browser.post("/sign-in", second | {"code": "000000"}, 401)

    assert 'id="password"' in browser.page
    await browser.post("/sign-in", second | {"code": codes[0]}, 401)
    assert "awaited for five minutes" in browser.page
    assert "Set-Cookie" not in (await browser.client.get("/sign-in")).headers


async def test_what_was_typed_comes_through_both_steps(browsers: Any, site: Site, clock: Clock) -> None:
    codes = await codes_of(site, clock)
    browser = await browsers()
    await browser.post("/t/acme/numbers", {"did": "0142345009"}, 401)
    await browser.post("/sign-in", hidden(browser.page) | {"name": "anna", "password": PASSWORD}, 200)
    await browser.post("/sign-in", hidden(browser.page) | {"code": codes[0]}, 200)

    assert hidden(browser.page)["did"] == "0142345009"
