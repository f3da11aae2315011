"""Attacks on the session: planted keys, stolen ones, forms of other sites, guessed passwords."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from msgspec.structs import replace

from router.admin.authenticator import CSRF_HEADER
from router.admin.issuer import RETURN_PATH, Issuer
from router.admin.site import Site
from router.core.single_sign_on import Claims
from router.records import users
from router.records.configuration import Configuration
from router.records.database import open_database
from router.records.keys import csrf_of
from router.records.users import User
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import PASSWORD, Browser, open_browsers
from tests.admin.pages.process import AdminProcess
from tests.admin.provider import SECRET, SUBJECT, running_provider
from tests.records.makers import ACME, JANE, Clock, checked, tenant
from tests.records.people import enrolled

ACCOUNTS = {"olga": ("provider", None), "anna": ("admin", ACME), "vera": ("viewer", ACME)}
PLANTED = "chosen-by-an-attacker-0123456789abcdefghijk"
API = "/api/v1"
SIGN_IN = {"name": "anna", "password": PASSWORD}


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    return site_of(configuration, store, clock)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Any]:
    async with open_browsers(site, ACCOUNTS) as browser:
        yield browser


def key_of(browser: Browser) -> str:
    return browser.client.cookies.get("crmroute") or ""


async def user(site: Site, name: str = "anna") -> User:
    async with site.database.reading() as connection:
        return next(one for one in await users.every(connection, None) if one.name == name)


async def is_in(browsers: Any, key: str) -> bool:
    """Whether the key opens a page; the API must say the same."""
    stranger = await browsers()
    stranger.client.cookies.set("crmroute", key)
    page = await stranger.client.get("/account")
    api = await stranger.client.get(f"{API}/tenants/acme")
    assert (page.status_code, api.status_code) in ((200, 200), (303, 401))
    return bool(page.status_code == 200)


# Fixation


async def test_a_planted_key_never_becomes_a_session(browsers: Any) -> None:
    browser = await browsers()
    browser.client.cookies.set("crmroute", PLANTED, domain="crmroute.test", path="/")
    assert (await browser.client.get("/account")).status_code == 303
    await browser.get("/sign-in")
    await browser.sign_in("anna")

    assert key_of(browser) != PLANTED
    assert await is_in(browsers, key_of(browser))
    assert not await is_in(browsers, PLANTED)


async def test_who_signs_in_over_an_attackers_session_gets_one_of_their_own(browsers: Any) -> None:
    attacker = await browsers("vera")
    planted = key_of(attacker)
    victim = await browsers()
    victim.client.cookies.set("crmroute", planted, domain="crmroute.test", path="/")
    await victim.get("/sign-in")
    await victim.sign_in("anna")

    assert key_of(victim) != planted
    assert "anna" in await victim.get("/account")
    assert "anna" not in await attacker.get("/account")


async def test_each_sign_in_has_a_key_of_its_own(browsers: Any) -> None:
    keys = [key_of(await browsers("anna")) for _ in range(3)]

    assert len(set(keys)) == 3
    assert all(len(key) >= 43 for key in keys)


async def test_the_first_step_of_two_opens_nothing(browsers: Any, site: Site, clock: Clock) -> None:
    _, codes = await enrolled(site.accounts, await user(site), clock)
    browser = await browsers()
    browser.client.cookies.set("crmroute", PLANTED, domain="crmroute.test", path="/")
    first = await browser.post("/sign-in", SIGN_IN, 200)
    found = re.search(r'name="proof" value="([^"]+)"', first.text)
    assert found is not None

    assert "crmroute=" not in first.headers.get("Set-Cookie", "")
    assert not await is_in(browsers, found[1])
    assert not await is_in(browsers, PLANTED)
    await browser.post("/sign-in", {"proof": found[1], "code": codes[0]})
    assert key_of(browser) not in (PLANTED, found[1])
    assert await is_in(browsers, key_of(browser))
    await browser.post("/sign-in", {"proof": found[1], "code": codes[1]}, 401)


async def test_the_key_is_new_after_single_sign_on(site: Site, clock: Clock) -> None:
    async with running_provider(clock) as provider:
        issuer = Issuer(provider.settings(), SECRET, f"http://crmroute.test{RETURN_PATH}", clock)
        async with open_browsers(replace(site, issuer=issuer), ACCOUNTS) as browsers:
            await site.accounts.link_identity(
                await user(site), Claims(issuer=provider.issuer, subject=SUBJECT), JANE
            )
            browser = await browsers()
            browser.client.cookies.set("crmroute", PLANTED, domain="crmroute.test", path="/")
            out = await browser.client.get("/sign-in/single")
            way = browser.client.cookies["crmroute-single"]
            async with httpx.AsyncClient() as client:
                back = (await client.get(out.headers["Location"])).headers["Location"]
            stolen = await (await browsers()).client.get(back)
            answer = await browser.client.get(back)

            assert stolen.status_code == 401
            assert answer.status_code == 303, answer.text
            assert key_of(browser) not in (PLANTED, way)
            assert await is_in(browsers, key_of(browser))
            assert not await is_in(browsers, PLANTED)
            assert not await is_in(browsers, way)
        await issuer.aclose()


# What ends sessions


async def test_a_new_password_ends_all_sessions_and_its_own_key(browsers: Any) -> None:
    here, there = await browsers("anna"), await browsers("anna")
    former = key_of(here)
    await here.get("/account")
    new = "battery staple correct"
    await here.post("/account", {"intent": "password", "former": PASSWORD, "password": new, "again": new})

    assert not await is_in(browsers, key_of(there))
    assert not await is_in(browsers, former)
    assert await is_in(browsers, key_of(here))


@pytest.mark.parametrize(
    "told",
    [
        {"intent": "disable"},
        {"intent": "remove"},
        {"intent": "password", "password": "battery staple correct"},
    ],
    ids=lambda told: told["intent"],
)
async def test_what_is_done_to_an_account_ends_its_sessions(
    browsers: Any, site: Site, told: dict[str, str]
) -> None:
    vera, anna = await browsers("vera"), await browsers("anna")
    assert await is_in(browsers, key_of(vera))
    await anna.get("/users")
    await anna.post(f"/users/{(await user(site, 'vera')).id}", told)

    assert not await is_in(browsers, key_of(vera))
    assert await is_in(browsers, key_of(anna))


async def test_a_second_factor_ends_the_other_sessions(browsers: Any, clock: Clock) -> None:
    here, there = await browsers("anna"), await browsers("anna")
    await here.get("/account")
    await here.post("/account", {"intent": "begin"}, 200)
    found = re.search(r'name="secret" value="([^"]+)"', here.page)
    assert found is not None
    code = pyotp.TOTP(found[1]).at(int(clock.now))
    await here.post("/account", {"intent": "confirm", "secret": found[1], "code": code}, 200)

    assert not await is_in(browsers, key_of(there))


async def test_signing_out_ends_the_session_at_the_server_and_no_other(browsers: Any) -> None:
    here, there = await browsers("anna"), await browsers("anna")
    key = key_of(here)
    await here.get("/account")
    answer = await here.post("/sign-out", {})

    assert 'crmroute=""' in answer.headers["Set-Cookie"] or "Max-Age=0" in answer.headers["Set-Cookie"]
    assert not await is_in(browsers, key)
    assert await is_in(browsers, key_of(there))


async def test_nobody_is_signed_out_by_another_site(browsers: Any) -> None:
    browser = await browsers("anna")
    for fields in ({}, {"csrf": "0" * 64}):
        assert (await browser.client.post("/sign-out", data=fields)).status_code == 403

    assert await is_in(browsers, key_of(browser))


async def test_a_key_of_another_installation_is_worth_nothing(browsers: Any, tmp_path: Path) -> None:
    """The same account, the same password, the same vault."""
    clock = Clock()
    database = await open_database(f"sqlite:///{tmp_path}/other.db")
    try:
        configuration = Configuration(database, clock, checked)
        await configuration.apply(tenant(), "first", JANE, managed_by="page")
        async with open_browsers(site_of(configuration, MemoryStore(), clock), ACCOUNTS) as others:
            key = key_of(await others("anna"))
            assert await is_in(others, key)

            assert not await is_in(browsers, key)
    finally:
        await database.aclose()


@pytest.mark.parametrize("key", ["", "0", "é", "%00", "a" * 4000, "' OR 1=1 --", "crmroute_" + "a" * 43])
async def test_a_key_that_is_none_opens_nothing(browsers: Any, key: str) -> None:
    browser = await browsers()
    told = {"Cookie": b"crmroute=" + key.encode()}

    assert (await browser.client.get("/account", headers=told)).status_code == 303
    assert (await browser.client.get(f"{API}/tenants", headers=told)).status_code == 401


# The cookie


def flags(answer: httpx.Response) -> dict[str, set[str]]:
    """Of each cookie that is set, in small letters, without its value."""
    told = {}
    for one in answer.headers.get_list("Set-Cookie"):
        name, *rest = (part.strip().lower() for part in one.split(";"))
        told[name.partition("=")[0]] = set(rest)
    return told


async def test_the_cookie_is_closed_to_scripts_and_other_sites(browsers: Any) -> None:
    browser = await browsers()
    (told,) = flags(await browser.post("/sign-in", SIGN_IN)).values()

    assert {"httponly", "samesite=lax", "path=/"} <= told
    assert not any(flag.startswith("domain") for flag in told)


HTTPS = """
[records]
url = "sqlite:///{folder}/records.db"
[redis]
embedded_folder = "{folder}/redis"
[tenants]
source = "records"
[vault]
keys = ["a key of the tests, long enough to be one"]
[admin]
port = {port}
base_url = "https://crmroute.example"
"""


@pytest.mark.xdist_group("processes")
def test_behind_https_the_cookie_goes_over_https_alone_and_no_header_hides_an_address(
    tmp_path: Path,
) -> None:
    """A real `crmroute admin`, without a trusted proxy: `X-Forwarded-For` is an attacker's word."""
    with AdminProcess(tmp_path / "site", HTTPS) as admin, httpx.Client(base_url=admin.url) as client:
        path = admin.setup_link.removeprefix("https://crmroute.example")
        told = flags(client.post(path, data={"name": "olga", "password": PASSWORD}))
        signed_in = flags(client.post("/sign-in", data={"name": "olga", "password": PASSWORD}))
        statuses = [_guess(client, number) for number in range(12)]

    for cookies in (told, signed_in):
        assert list(cookies) == ["__host-crmroute"]
        assert {"httponly", "samesite=lax", "path=/", "secure"} <= cookies["__host-crmroute"]
        assert not any(flag.startswith("domain") for flag in cookies["__host-crmroute"])
    assert set(statuses) == {401, 429}


def _guess(client: httpx.Client, number: int) -> int:
    headers = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
    return client.post(
        "/sign-in", data={"name": f"nobody-{number}", "password": "wrong"}, headers=headers
    ).status_code


# Forms of other sites


@pytest.mark.parametrize("site_told", ["cross-site", "same-site"])
async def test_another_site_signs_nobody_in(browsers: Any, site_told: str) -> None:
    browser = await browsers()
    answer = await browser.client.post("/sign-in", data=SIGN_IN, headers={"Sec-Fetch-Site": site_told})

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),
        ("PUT", "/tenants/acme/ivr-entries/account"),
        ("PATCH", "/users/1"),
        ("DELETE", "/tenants/acme/ivr-entries/account"),
    ],
)
async def test_the_api_wants_a_sessions_own_token(browsers: Any, method: str, path: str) -> None:
    anna, olga = await browsers("anna"), await browsers("olga")
    for token in (None, "", "0" * 64, csrf_of(key_of(olga)), key_of(anna)):
        headers = {} if token is None else {CSRF_HEADER: token}
        answer = await anna.client.request(method, API + path, json={}, headers=headers)

        assert (answer.status_code, answer.json()["type"].endswith("csrf")) == (403, True), answer.text
    own = {CSRF_HEADER: csrf_of(key_of(anna))}
    answer = await anna.client.request(method, API + path, json={}, headers=own)
    assert "csrf" not in answer.text


async def test_a_token_of_another_session_of_the_same_user_is_none(browsers: Any) -> None:
    here, there = await browsers("anna"), await browsers("anna")
    page = await there.client.get("/account")
    token = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert token is not None

    for path in ("/sign-out", "/t/acme/numbers", "/account", "/users"):
        assert (await here.client.post(path, data={"csrf": token[1]})).status_code == 403
    assert await is_in(browsers, key_of(here))
