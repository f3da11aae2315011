"""Signing in at an identity provider: a real one on loopback does what it should, and what it must not."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from msgspec.structs import replace

from router.admin.issuer import RETURN_PATH, Discovered, Issuer, IssuerUnavailable, read_answer
from router.admin.site import Site
from router.core.roles import Role
from router.core.single_sign_on import Claims, Grant
from router.records import users
from router.records.configuration import Configuration
from router.records.keys import digest_of_key
from router.records.users import User
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import PASSWORD, open_browsers
from tests.admin.provider import CLIENT, SECRET, SUBJECT, Provider, running_provider
from tests.records.makers import ACME, OTHER, Clock, profile, tenant
from tests.records.makers import JANE as ACTOR
from tests.records.people import audited, enrolled

RETURN = f"http://crmroute.test{RETURN_PATH}"
ACCOUNTS = {
    "anna@acme.example": ("admin", ACME),
    "vera": ("viewer", ACME),
    "olga": ("provider", None),
}
ANNA = "anna@acme.example"


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[Provider]:
    async with running_provider(clock) as running:
        yield running


@pytest.fixture
async def plain(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(), "first", ACTOR, managed_by="page")
    await configuration.create_tenant(profile(id="other"), ACTOR)
    return site_of(configuration, store, clock)


@asynccontextmanager
async def opened(plain: Site, provider: Provider, clock: Clock, **settings: Any) -> AsyncIterator[Any]:
    """Browsers of a site with that provider."""
    issuer = Issuer(provider.settings(**settings), SECRET, RETURN, clock)
    try:
        async with open_browsers(replace(plain, issuer=issuer), ACCOUNTS) as browsers:
            yield browsers
    finally:
        await issuer.aclose()


@pytest.fixture
async def browsers(plain: Site, provider: Provider, clock: Clock) -> AsyncIterator[Any]:
    async with opened(plain, provider, clock) as made:
        yield made


async def user(site: Site, name: str = ANNA) -> User:
    async with site.database.reading() as connection:
        return next(one for one in await users.every(connection, None) if one.name == name)


async def link(site: Site, provider: Provider, name: str = ANNA) -> None:
    claims = Claims(issuer=provider.issuer, subject=SUBJECT)
    await site.accounts.link_identity(await user(site, name), claims, ACTOR)


async def go(browser: Any, path: str = "/sign-in/single") -> str:
    """Out to the provider, which sends the browser back: with which path."""
    out = await browser.client.get(path)
    assert out.status_code == 303, out.text
    async with httpx.AsyncClient() as client:
        back = await client.get(out.headers["Location"])
    assert back.status_code == 302
    return str(back.headers["Location"]).removeprefix("http://crmroute.test")


async def come_back(browser: Any, path: str, status: int = 303) -> httpx.Response:
    answer: httpx.Response = await browser.client.get(path)
    assert answer.status_code == status, answer.text
    return answer


async def is_signed_in(browser: Any) -> bool:
    return bool((await browser.client.get("/account")).status_code == 200)


# The way that it should go


async def test_a_linked_person_signs_in_and_comes_to_the_page_they_wanted(
    browsers: Any, plain: Site, provider: Provider
) -> None:
    await link(plain, provider)
    browser = await browsers()
    page = await browser.get("/sign-in?back=%2Ft%2Facme%2Fnumbers")
    assert "Sign in with Test ID" in page
    path = await go(browser, "/sign-in/single?back=%2Ft%2Facme%2Fnumbers")

    answer = await come_back(browser, path)

    assert answer.headers["Location"] == "/t/acme/numbers"
    await browser.get("/t/acme/numbers")
    assert (await audited(plain.database))[0].after == {"by": "identity provider"}


async def test_what_is_asked_has_state_nonce_and_a_challenge_of_this_browser_alone(browsers: Any) -> None:
    asked = []
    for _ in range(2):
        browser = await browsers()
        out = await browser.client.get("/sign-in/single")
        asked.append(
            {name: one for name, (one,) in parse_qs(urlsplit(out.headers["Location"]).query).items()}
        )
        cookie = out.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie

    first, second = asked
    assert first["realm"] == "tests"
    assert (first["client_id"], first["redirect_uri"], first["scope"]) == (CLIENT, RETURN, "openid email")
    secrets = ("state", "nonce", "code_challenge")
    assert not {first[name] for name in secrets} & {second[name] for name in secrets}
    assert len({first[name] for name in secrets}) == 3


async def test_each_sign_in_has_a_new_session_whatever_cookie_there_was(
    browsers: Any, plain: Site, provider: Provider
) -> None:
    await link(plain, provider)
    keys = set()
    for _ in range(2):
        browser = await browsers()
        browser.client.cookies.set("crmroute", "chosen-by-an-attacker")
        answer = await come_back(browser, await go(browser))
        (cookie,) = [one for one in answer.headers.get_list("Set-Cookie") if one.startswith("crmroute=")]
        keys.add(cookie)
        assert "HttpOnly" in cookie
    assert len(keys) == 2
    assert not any("attacker" in one for one in keys)


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "/a%0Ab", "%2F%2Fevil.example"]
)
async def test_it_leads_to_no_other_site(browsers: Any, plain: Site, provider: Provider, back: str) -> None:
    await link(plain, provider)
    browser = await browsers()
    path = await go(browser, f"/sign-in/single?back={back}")

    answer = await come_back(browser, f"{path}&back={back}")

    assert answer.headers["Location"] == "/"


async def test_discovery_and_keys_are_asked_for_once_an_hour(
    browsers: Any, plain: Site, provider: Provider, clock: Clock
) -> None:
    await link(plain, provider)
    for _ in range(2):
        browser = await browsers()
        await come_back(browser, await go(browser))
    places = ("/.well-known/openid-configuration", "/keys")
    assert [provider.asked.count(place) for place in places] == [1, 1]

    clock.now += 3600
    browser = await browsers()
    await come_back(browser, await go(browser))
    assert [provider.asked.count(place) for place in places] == [2, 2]


async def test_a_new_key_of_the_issuer_is_fetched(
    browsers: Any, plain: Site, provider: Provider, clock: Clock
) -> None:
    await link(plain, provider)
    browser = await browsers()
    await come_back(browser, await go(browser))
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    provider.published = [provider.key]
    clock.now += 61

    browser = await browsers()
    await come_back(browser, await go(browser))

    assert await is_signed_in(browser)


# What proves nothing


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"]},
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 248289761001},
    ],
)
async def test_a_token_that_is_not_of_this_sign_in_is_refused(
    browsers: Any, plain: Site, provider: Provider, changes: dict[str, Any]
) -> None:
    await link(plain, provider)
    provider.changes = changes
    browser = await browsers()

    answer = await come_back(browser, await go(browser), 401)

    assert "did not sign you in" in answer.text
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_that_nobody_or_anybody_signed_is_refused(
    browsers: Any, plain: Site, provider: Provider, algorithm: str
) -> None:
    await link(plain, provider)
    provider.algorithm = algorithm
    browser = await browsers()

    await come_back(browser, await go(browser), 401)
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("name", ["first", "of nobody"])
async def test_a_token_by_another_s_key_is_refused(
    browsers: Any, plain: Site, provider: Provider, name: str
) -> None:
    await link(plain, provider)
    provider.key = RSAKey.generate_key(2048, {"kid": name})
    browser = await browsers()

    await come_back(browser, await go(browser), 401)
    assert not await is_signed_in(browser)


async def test_a_state_serves_once(browsers: Any, plain: Site, provider: Provider) -> None:
    await link(plain, provider)
    browser = await browsers()
    path = await go(browser)
    cookie = browser.client.cookies["crmroute-single"]
    await come_back(browser, path)
    browser.client.cookies.clear()
    browser.client.cookies.set("crmroute-single", cookie)

    answer = await come_back(browser, path, 401)

    assert "it serves once" in answer.text
    assert not await is_signed_in(browser)


async def test_a_state_serves_for_five_minutes(
    browsers: Any, plain: Site, provider: Provider, clock: Clock
) -> None:
    await link(plain, provider)
    browser = await browsers()
    path = await go(browser)
    clock.now += 300

    assert "it serves once" in (await come_back(browser, path, 401)).text


async def test_an_answer_that_another_browser_asked_for_is_not_taken(
    browsers: Any, plain: Site, provider: Provider
) -> None:
    """So nobody is signed in to an attacker's account by an address that they were sent."""
    await link(plain, provider)
    attacker, victim, bystander = await browsers(), await browsers(), await browsers()
    path = await go(attacker)
    await victim.client.get("/sign-in/single")

    for browser in (victim, bystander):
        await come_back(browser, path, 401)
        assert not await is_signed_in(browser)
    assert "/token" not in provider.asked


async def test_an_answer_of_another_issuer_is_not_taken(browsers: Any, provider: Provider) -> None:
    browser = await browsers()
    path = await go(browser)

    await come_back(browser, path.replace("iss=http", "iss=https"), 401)

    assert "/token" not in provider.asked


async def test_who_declines_there_is_told_so_here(browsers: Any) -> None:
    browser = await browsers()
    out = await browser.client.get("/sign-in/single?back=/t/acme/numbers")
    (state,) = parse_qs(urlsplit(out.headers["Location"]).query)["state"]

    query = {"error": "access_denied", "error_description": "<script>", "state": state}
    answer = await browser.client.get(RETURN_PATH, params=query)

    assert answer.status_code == 401
    assert "did not sign you in" in answer.text
    assert "<script>" not in answer.text
    assert 'value="/t/acme/numbers"' in answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"jwks_uri": 7},
    ],
)
async def test_a_discovery_document_that_is_not_the_issuer_s_is_not_followed(
    browsers: Any, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.discovery_changes = changes
    browser = await browsers()

    answer = await browser.client.get("/sign-in/single")

    assert answer.status_code == 503
    assert "cannot be reached" in answer.text


@pytest.mark.parametrize("body", [b'{"issuer": "\xff"}', b'{"x":' * 5_000, b"[", b"\xff"])
def test_a_document_that_cannot_be_read_is_the_issuer_s_fault(body: bytes) -> None:
    for shape in (Discovered, dict[str, Any]):
        with pytest.raises(IssuerUnavailable, match="is not what it should be"):
            read_answer("GET https://login.example", body, shape)


async def test_an_issuer_that_is_away_leaves_the_password(
    plain: Site, provider: Provider, clock: Clock
) -> None:
    async with opened(plain, provider, clock, issuer="http://127.0.0.1:9") as browsers:
        browser = await browsers()
        answer = await browser.client.get("/sign-in/single")
        assert answer.status_code == 503
        assert "cannot be reached" in answer.text
        await browser.post("/sign-in", {"name": "vera", "password": PASSWORD})


async def test_without_an_issuer_there_is_no_button_and_no_way(plain: Site) -> None:
    async with open_browsers(plain) as browsers:
        browser = await browsers()
        assert "/sign-in/single" not in await browser.get("/sign-in")
        for path in ("/sign-in/single", RETURN_PATH):
            await browser.get(path, 404)


# Whose account it is


async def test_a_stranger_is_told_what_to_do(browsers: Any, plain: Site) -> None:
    browser = await browsers()

    answer = await come_back(browser, await go(browser), 403)

    assert "Ask an administrator" in answer.text
    assert not await is_signed_in(browser)
    assert (await audited(plain.database))[0].action == "refused sign in"


async def test_a_disabled_user_is_refused(browsers: Any, plain: Site, provider: Provider) -> None:
    await link(plain, provider)
    await plain.accounts.change_user((await user(plain)).id, ACTOR, is_disabled=True)
    browser = await browsers()

    await come_back(browser, await go(browser), 403)
    assert not await is_signed_in(browser)


@pytest.mark.parametrize(
    ("said", "links", "status"),
    [
        ({"email": ANNA, "email_verified": True}, True, 303),
        ({"email": ANNA, "email_verified": True}, False, 403),
        ({"email": ANNA, "email_verified": False}, True, 403),
        ({"email": ANNA, "email_verified": "true"}, True, 403),
        ({"email": ANNA}, True, 403),
    ],
)
async def test_a_verified_address_links_where_the_operator_allows_it(
    plain: Site, provider: Provider, clock: Clock, said: dict[str, Any], links: bool, status: int
) -> None:
    provider.person |= said
    async with opened(plain, provider, clock, links_by_name=links) as browsers:
        browser = await browsers()

        await come_back(browser, await go(browser), status)


async def test_a_user_without_a_password_is_made_for_the_provider_alone(
    plain: Site, provider: Provider, clock: Clock
) -> None:
    provider.person |= {"email": "new@acme.example", "email_verified": True}
    new = {"name": "new@acme.example", "role": "viewer", "password": ""}
    async with opened(plain, provider, clock, links_by_name=True) as browsers:
        admin, person = await browsers(ANNA), await browsers()
        await admin.get("/users")
        await admin.post("/users", new)

        await person.post("/sign-in", {"name": new["name"], "password": ""}, 401)
        await come_back(person, await go(person))
        page = await person.get("/account")
        assert "Current password" not in page
        await person.post("/account", {"intent": "unlink"}, 409)
        assert "no way left to sign in" in person.page


async def test_what_the_token_leaves_out_is_asked_of_the_user_info(
    plain: Site, provider: Provider, clock: Clock
) -> None:
    provider.told_later = {"email": ANNA, "email_verified": True}
    async with opened(plain, provider, clock, links_by_name=True) as browsers:
        browser = await browsers()
        await come_back(browser, await go(browser))
        provider.told_later |= {"sub": "somebody else"}
        await come_back(browser, await go(await browsers()), 401)


GRANTS = (
    Grant(value="crm-admins", role=Role.ADMIN, tenant=ACME),
    Grant(value="crm-editors", role=Role.EDITOR, tenant=ACME),
    Grant(value="elsewhere", role=Role.ADMIN, tenant=OTHER),
    Grant(value="ops", role=Role.PROVIDER),
)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["crm-editors"], Role.EDITOR),
        (["crm-editors", "crm-admins", 7], Role.ADMIN),
        ("crm-editors", Role.EDITOR),
        (["elsewhere"], None),
        (["ops"], None),
        ([], None),
        ({"crm-admins": True}, None),
    ],
)
async def test_the_claim_gives_the_role_in_the_own_tenant_or_lets_nobody_in(
    plain: Site, provider: Provider, clock: Clock, groups: Any, role: Role | None
) -> None:
    provider.person |= {"realm": {"roles": groups}}
    async with opened(plain, provider, clock, roles_claim="realm.roles", roles=GRANTS) as browsers:
        await link(plain, provider)
        browser = await browsers()

        await come_back(browser, await go(browser), 303 if role else 403)

        assert (await user(plain)).role is (role or Role.ADMIN)
        assert await is_signed_in(browser) is (role is not None)


# Linking it oneself


async def out_to_link(browser: Any, provider: Provider, **proof: str) -> str:
    """From the page of the account out to the provider, and with which path it sends the browser back."""
    await browser.get("/account")
    await browser.post("/account", {"intent": "link", "current": PASSWORD, **proof}, 200)
    (address,) = re.findall(rf'href="({provider.issuer}[^"]*)"', browser.page)
    async with httpx.AsyncClient() as client:
        back = await client.get(unescape(address))
    assert back.status_code == 302
    return str(back.headers["Location"]).removeprefix("http://crmroute.test")


async def test_a_user_links_a_person_and_takes_the_link_away(
    browsers: Any, plain: Site, provider: Provider
) -> None:
    browser = await browsers("vera")
    path = await out_to_link(browser, provider)
    answer = await come_back(browser, path)
    assert answer.headers["Location"] == "/account?done=linked"

    elsewhere = await browsers()
    await come_back(elsewhere, await go(elsewhere))
    assert "vera" in await elsewhere.get("/account")

    await browser.get("/account")
    await browser.post("/account", {"intent": "unlink"})
    assert await is_signed_in(browser)
    assert not await is_signed_in(elsewhere)
    await come_back(elsewhere, await go(elsewhere), 403)


async def test_a_session_alone_links_nobody(browsers: Any, plain: Site, provider: Provider) -> None:
    """Whoever has a session's cookie, and not the password, finds no way out to link and none back."""
    browser = await browsers("vera")
    page = await browser.get("/account")
    for guess in ("", "guess"):
        browser.page = page
        answer = await browser.post("/account", {"intent": "link", "current": guess}, 422)

        assert "Set-Cookie" not in answer.headers
        assert provider.issuer not in browser.page
        assert re.search(r'id="current"[^>]*aria-invalid="true"', browser.page)
    assert (await audited(plain.database))[0].action == "refused sign in"

    await come_back(browser, await go(browser, "/sign-in/single?link=1"), 403)
    assert not (await plain.accounts.ways_in(await user(plain, "vera"))).is_linked


async def test_guessing_the_password_to_link_waits(browsers: Any) -> None:
    browser = await browsers("vera")
    page, statuses = await browser.get("/account"), []
    for number in range(12):
        token = re.search(r'name="csrf" value="(\w+)"', page)
        data = {"intent": "link", "current": f"guess {number}", "csrf": token[1] if token else ""}
        statuses.append((await browser.client.post("/account", data=data)).status_code)

    assert 429 in statuses


async def test_linking_takes_a_code_where_there_is_a_second_factor(
    browsers: Any, plain: Site, provider: Provider, clock: Clock
) -> None:
    browser = await browsers("vera")
    vera = await user(plain, "vera")
    session = digest_of_key(browser.client.cookies["crmroute"])
    authenticator, codes = await enrolled(plain.accounts, vera, clock, keeping=session)
    await browser.get("/account")
    for code in ("", "000000"):
        sent = {"intent": "link", "current": PASSWORD, "code": code}
        await browser.post("/account", sent, 422)
        assert "The password or the code is wrong." in browser.page

    code = authenticator.at(int(clock.now))
    path = await out_to_link(browser, provider, code=code)
    await browser.post("/account", {"intent": "link", "current": PASSWORD, "code": code}, 422)
    await out_to_link(browser, provider, code=codes[0])
    await come_back(browser, path, 401)
    await come_back(browser, await out_to_link(browser, provider, code=codes[1]))
    assert (await plain.accounts.ways_in(vera)).is_linked


async def test_a_provider_that_is_away_is_told_on_the_account(
    plain: Site, provider: Provider, clock: Clock
) -> None:
    async with opened(plain, provider, clock, issuer="http://127.0.0.1:9/away") as browsers:
        browser = await browsers("vera")
        await browser.get("/account")

        await browser.post("/account", {"intent": "link", "current": PASSWORD}, 503)

        assert "The identity provider cannot be reached." in browser.page


async def test_who_signed_in_meanwhile_links_nothing(browsers: Any, plain: Site, provider: Provider) -> None:
    browser = await browsers("vera")
    path = await out_to_link(browser, provider)
    await browser.sign_in("olga")

    await come_back(browser, path, 401)

    await come_back(await browsers(), path, 401)
    stranger = await browsers()
    await come_back(stranger, await go(stranger), 403)


async def test_a_person_is_linked_to_one_user(browsers: Any, plain: Site, provider: Provider) -> None:
    await link(plain, provider)
    browser = await browsers("vera")
    path = await out_to_link(browser, provider)

    await come_back(browser, path, 409)

    other = await browsers()
    await come_back(other, await go(other))
    assert ANNA in await other.get("/account")
