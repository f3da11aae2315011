"""One's own account and API tokens, as a browser uses them."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pyotp
import pytest

from router.admin.site import Site
from router.core.roles import Role
from router.records import users
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import PASSWORD, open_browsers
from tests.records.makers import ACME, OTHER, Clock, profile, tenant
from tests.records.makers import JANE as ACTOR

ACCOUNTS = {
    "olga": ("provider", None),
    "anna": ("admin", ACME),
    "vera": ("viewer", ACME),
    "otto": ("admin", OTHER),
}
NEW = "a new horse battery"


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(), "first", ACTOR, managed_by="page")
    await configuration.create_tenant(profile(id="other"), ACTOR)
    return site_of(configuration, store, clock)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Any]:
    async with open_browsers(site, ACCOUNTS) as browser:
        yield browser


async def done(browser: Any, fields: dict[str, str]) -> str:
    """The page after a form of it."""
    answer = await browser.post("/account", fields)
    page: str = await browser.get(answer.headers["Location"])
    return page


# The password


async def test_a_new_password_ends_what_is_open_elsewhere(browsers: Any) -> None:
    here, elsewhere = await browsers("vera"), await browsers("vera")
    await here.get("/account")
    key = here.client.cookies["crmroute"]
    fields = {"intent": "password", "former": PASSWORD, "password": NEW, "again": NEW}

    assert "The password is changed." in await done(here, fields)
    assert here.client.cookies["crmroute"] != key
    assert (await elsewhere.client.get("/account")).status_code == 303
    again = await browsers()
    await again.post("/sign-in", {"name": "vera", "password": PASSWORD}, 401)
    await again.post("/sign-in", {"name": "vera", "password": NEW})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"former": "wrong"}, "former"),
        ({"password": "short", "again": "short"}, "password"),
        ({"again": "another horse"}, "again"),
    ],
)
async def test_what_is_wrong_with_a_new_password_is_told_at_its_field(
    browsers: Any, wrong: dict[str, str], field: str
) -> None:
    browser = await browsers("vera")
    await browser.get("/account")
    fields = {"intent": "password", "former": PASSWORD, "password": NEW, "again": NEW}

    await browser.post("/account", fields | wrong, 422)

    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', browser.page)
    assert NEW not in browser.page
    assert PASSWORD not in browser.page
    again = await browsers()
    await again.post("/sign-in", {"name": "vera", "password": PASSWORD})


async def test_guessing_the_own_password_waits(browsers: Any) -> None:
    browser = await browsers("vera")
    page = await browser.get("/account")
    fields = {"intent": "password", "password": NEW, "again": NEW}
    statuses = []
    for number in range(12):
        browser.page = page
        token = re.search(r'name="csrf" value="(\w+)"', page)
        data = {**fields, "former": f"guess {number}", "csrf": token[1] if token else ""}
        statuses.append((await browser.client.post("/account", data=data)).status_code)

    assert 429 in statuses


async def test_a_password_that_was_typed_is_not_carried_through_a_sign_in(browsers: Any) -> None:
    browser = await browsers("vera")
    await browser.get("/account")
    browser.client.cookies.clear()
    fields = {"intent": "password", "former": PASSWORD, "password": NEW, "again": NEW}
    await browser.post("/account", fields, 401)

    assert NEW not in browser.page
    assert PASSWORD not in browser.page


# The second factor


async def test_a_second_factor_is_set_up_used_and_taken_away(browsers: Any, site: Site, clock: Clock) -> None:
    browser = await browsers("vera")
    await browser.get("/account")
    await browser.post("/account", {"intent": "begin"}, 200)
    secret = browser.fields()["secret"]
    assert '<svg viewBox="0 0' in browser.page
    assert "style=" not in browser.page
    made = pyotp.TOTP(secret)

    wrong = {"intent": "confirm", "secret": secret, "code": "000000"}
    await browser.post("/account", wrong, 422)
    assert browser.fields()["secret"] == secret
    await browser.post("/account", {**wrong, "code": made.at(int(clock.now))}, 200)
    codes = re.findall(r"<li><code>(\w{20})</code></li>", browser.page)
    assert len(codes) == 10
    assert codes[0] not in await browser.get("/account")
    assert "10 recovery codes are left." in browser.page

    await browser.post("/account", {"intent": "give-up", "own": "wrong"}, 422)
    again = await browsers()
    await again.post("/sign-in", {"name": "vera", "password": PASSWORD}, 200)
    assert 'name="proof"' in again.page
    assert "The second factor is off." in await done(browser, {"intent": "give-up", "own": PASSWORD})
    await again.post("/sign-in", {"name": "vera", "password": PASSWORD})


async def test_a_second_factor_that_is_on_is_not_replaced_without_the_password(
    browsers: Any, site: Site, clock: Clock
) -> None:
    browser = await browsers("vera")
    await browser.get("/account")
    await browser.post("/account", {"intent": "begin"}, 200)
    secret = browser.fields()["secret"]
    fields = {"intent": "confirm", "secret": secret, "code": pyotp.TOTP(secret).at(int(clock.now))}
    await browser.post("/account", fields, 200)
    other = pyotp.random_base32()

    await done(browser, fields | {"secret": other, "code": pyotp.TOTP(other).at(int(clock.now))})

    async with site.database.reading() as connection:
        vera = next(one for one in await users.every(connection, ACME) if one.name == "vera")
    assert await site.accounts.recovery_codes_left(vera) == 10
    assert [one.has_second_factor for one in [vera]] == [True]


# Sessions and the language


async def test_other_sessions_are_listed_and_ended(browsers: Any) -> None:
    here, one, two = await browsers("vera"), await browsers("vera"), await browsers("vera")
    page = await here.get("/account")
    others = re.findall(r'name="session" value="(\w+)"', page)
    assert (len(others), page.count("this one")) == (2, 1)

    await done(here, {"intent": "end", "session": others[0]})
    statuses = [(await browser.client.get("/account")).status_code for browser in (one, two)]
    assert sorted(statuses) == [200, 303]
    assert "End all others" not in await done(here, {"intent": "end-others"})
    for browser in (one, two):
        assert (await browser.client.get("/account")).status_code == 303


async def test_somebody_else_s_session_is_not_ended(browsers: Any) -> None:
    mine, other = await browsers("vera"), await browsers("anna")
    await mine.get("/account")
    third = await browsers("anna")
    (session,) = re.findall(r'name="session" value="(\w+)"', await third.get("/account"))

    await done(mine, {"intent": "end", "session": session})

    await other.get("/account")


async def test_the_own_language_is_kept_or_is_the_browser_s(browsers: Any) -> None:
    browser = await browsers("vera")
    await browser.get("/account")

    assert '<html lang="fr">' in await done(browser, {"intent": "language", "language": "fr"})
    assert '<html lang="fr">' in await (await browsers("vera")).get("/account")
    assert '<html lang="en">' in await done(browser, {"intent": "language", "language": ""})


@pytest.mark.parametrize("path", ["/account", "/account/tokens"])
async def test_a_form_without_its_token_does_nothing(browsers: Any, path: str) -> None:
    browser = await browsers("anna")
    for token in ("", "0" * 64):
        await browser.post(path, {"csrf": token, "intent": "end-others"}, 403)


# API tokens


async def test_a_token_is_made_told_once_used_and_revoked(browsers: Any) -> None:
    browser = await browsers("anna")
    await browser.get("/account/tokens")
    await browser.post("/account/tokens", {"name": "ci", "role": "editor", "days": "30"}, 200)
    (key,) = re.findall(r"crmroute_[\w-]+", browser.page)
    headers = {"Authorization": f"Bearer {key}"}
    browser.client.cookies.delete("crmroute-language")

    stranger = await browsers()
    assert (await stranger.client.get("/api/v1/tenants/acme", headers=headers)).status_code == 200
    page = await browser.get("/account/tokens")
    assert key not in page
    (path,) = re.findall(r'action="(/account/tokens/\d+)"', page)
    await browser.post(path, {"intent": "remove"})
    assert (await stranger.client.get("/api/v1/tenants/acme", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"role": "provider"}, "role"),
        ({"days": "999"}, "days"),
        ({"name": " "}, "name"),
        ({"days": "²"}, "days"),
    ],
)
async def test_a_token_is_no_more_than_its_maker(browsers: Any, wrong: dict[str, str], field: str) -> None:
    browser = await browsers("anna")
    await browser.get("/account/tokens")
    await browser.post("/account/tokens", {"name": "ci", "role": "admin", "days": "7"} | wrong, 422)

    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', browser.page)
    assert "crmroute_" not in browser.page


async def test_an_admin_s_token_is_of_the_own_tenant_and_goes_down_with_its_maker(
    browsers: Any, site: Site
) -> None:
    browser = await browsers("anna")
    await browser.get("/account/tokens")
    fields = {"name": "ci", "role": "admin", "days": "7", "tenant": "other"}
    await browser.post("/account/tokens", fields, 200)
    (key,) = re.findall(r"crmroute_[\w-]+", browser.page)
    made = await site.accounts.token(key)
    assert made is not None
    assert (made.tenant, made.made_by) == (ACME, "anna")
    assert made.maker is not None

    await site.accounts.change_user(made.maker, ACTOR, is_disabled=True)
    assert await site.accounts.token(key) is None


async def test_tokens_of_another_tenant_are_not_there(browsers: Any) -> None:
    anna, otto, vera = await browsers("anna"), await browsers("otto"), await browsers("vera")
    await anna.get("/account/tokens")
    await anna.post("/account/tokens", {"name": "of acme", "role": "admin", "days": "7"}, 200)
    (path,) = re.findall(r'action="(/account/tokens/\d+)"', anna.page)

    assert "of acme" not in await otto.get("/account/tokens")
    await otto.post(path, {"intent": "remove"}, 404)
    await vera.get("/account/tokens", 403)


# The audit


async def test_the_audit_is_filtered_and_its_pages_keep_the_filter(browsers: Any, site: Site) -> None:
    for number in range(103):
        await site.accounts.create_user(f"guest {number}", Role.VIEWER, ACME, None, ACTOR)
    browser = await browsers("anna")
    page = await browser.get("/audit?what=create+user+GUEST&who=&since=2000-01-01T00:00")

    assert "guest 102" in page
    assert "sign in" not in re.sub(r"<form.*?</form>", "", page, flags=re.DOTALL)
    (older,) = re.findall(r'href="(/audit\?[^"]*before=[^"]*)"', page)
    rest = await browser.get(unescape(older))
    assert [f"guest {number}<" in rest for number in (0, 1, 2, 3)] == [True, True, True, False]
    assert "Nothing found" in await browser.get("/audit?until=2000-01-01T00:00")
    assert "Nothing found" in await browser.get("/audit?who=nobody%00")
