"""The pages as a browser asks for them: who gets in, what a form may do, and what hostile text becomes."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from router.admin.site import Site
from router.core.rules import Source
from router.core.tenants import Tenant
from router.records import audit, rules, users
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import PASSWORD, make_accounts, open_browsers
from tests.admin.stands import standing
from tests.records.makers import ACME, JANE, OTHER, Clock, profile, rule, tenant

ACCOUNTS = {
    "olga": ("provider", None),
    "anna": ("admin", ACME),
    "vera": ("viewer", ACME),
    "otto": ("admin", OTHER),
}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    site = site_of(configuration, store, clock)
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    await make_accounts(site, ACCOUNTS)
    return site


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Any]:
    async with open_browsers(site) as browser:
        yield browser


async def rule_path(site: Site) -> str:
    async with site.database.reading() as connection:
        return f"/t/acme/routing/{(await rules.named(connection, ACME, 'Sales')).id}"


async def in_force(store: MemoryStore) -> Tenant:
    (plan,) = await store.plans.fetch([ACME])
    assert plan.document is not None
    return plan.document


# Getting in


async def test_a_stranger_is_asked_to_sign_in_and_comes_back(browsers: Any) -> None:
    browser = await browsers()
    asked = await browser.client.get("/t/acme/routing")

    assert asked.headers["Location"] == "/sign-in?back=%2Ft%2Facme%2Frouting"
    back = await browser.post("/sign-in", {"name": "anna", "password": PASSWORD, "back": "/t/acme/routing"})
    assert back.headers["Location"] == "/t/acme/routing"


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb"])
async def test_signing_in_leads_to_no_other_site(browsers: Any, back: str) -> None:
    browser = await browsers()
    answer = await browser.post("/sign-in", {"name": "anna", "password": PASSWORD, "back": back})

    assert answer.headers["Location"] == "/"


async def test_the_cookie_is_for_the_browser_alone_and_new_at_each_sign_in(browsers: Any) -> None:
    browser = await browsers()
    browser.client.cookies.set("crmroute", "chosen-by-an-attacker")
    answer = await browser.post("/sign-in", {"name": "anna", "password": PASSWORD})

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "chosen-by-an-attacker" not in cookie


async def test_guessing_is_slowed_and_tells_nothing(browsers: Any) -> None:
    browser = await browsers()
    told = set()
    for name in ("anna", "nobody"):
        answer = await browser.post("/sign-in", {"name": name, "password": "wrong"}, 401)
        told.add(re.search(r'role="alert">([^<]+)', answer.text)[1])  # type: ignore[index]
    assert len(told) == 1
    for _ in range(30):
        answer = await browser.client.post("/sign-in", data={"name": "anna", "password": "wrong"})
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    assert "Too many failed attempts" in answer.text


async def test_another_site_cannot_sign_somebody_in(browsers: Any) -> None:
    browser = await browsers()
    answer = await browser.client.post(
        "/sign-in",
        data={"name": "anna", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


async def test_signing_out_ends_the_session(browsers: Any) -> None:
    browser = await browsers("anna")
    await browser.get("/t/acme/routing")
    key = browser.client.cookies["crmroute"]
    await browser.post("/sign-out", {})
    browser.client.cookies.set("crmroute", key)

    assert (await browser.client.get("/t/acme/routing")).status_code == 303


# What a form may do

PATHS = ("/t/acme/routing", "/t/acme/routing/new", "/t/acme/numbers")


@pytest.mark.parametrize("path", [*PATHS, "/tenants"])
async def test_another_tenant_s_pages_are_not_there(browsers: Any, path: str) -> None:
    browser = await browsers("otto")

    await browser.get(path, 404)


async def test_another_tenant_s_rule_is_neither_read_nor_changed(browsers: Any, site: Site) -> None:
    path = (await rule_path(site)).replace("/acme/", "/other/")
    browser = await browsers("otto")
    page = await browser.get("/t/other/routing")

    for ending in ("", "/try", "/duplicate", "/delete", "/versions/1"):
        browser.page = page
        await browser.post(path + ending, {"name": "Mine"}, 404)
    await browser.get(f"{path}/versions", 404)


async def test_a_viewer_reads_tries_and_changes_nothing(browsers: Any, site: Site) -> None:
    path = await rule_path(site)
    browser = await browsers("vera")
    page = await browser.get(path)

    assert 'value="publish"' not in page
    fields = browser.fields()
    await browser.post(f"{path}/try", {**fields, "trial.value": "Gold"}, 200)
    assert "queue gold" in browser.page
    browser.page = page
    for way, told in ((path, fields), (f"{path}/delete", {}), ("/t/acme/numbers", {"did": "0142345009"})):
        await browser.post(way, told, 403)
        browser.page = page


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_changes_nothing(browsers: Any, site: Site, token: str) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)

    await browser.post(f"{path}/duplicate", {"csrf": token}, 403)


async def test_a_rule_is_made_tried_published_and_used(browsers: Any, store: MemoryStore) -> None:
    browser = await browsers("anna")
    await browser.get("/t/acme/routing/new")
    fields = browser.fields() | {"name": "Loyalty", "field": "tier", "source": "integration"}
    fields |= {"integration": "crm", "default.option": "bronze"}
    fields |= {"lines.0.value": "GOLD", "lines.0.option": "gold"}

    await browser.post("/t/acme/routing/try", {**fields, "trial.value": "GOLD"}, 200)
    assert "queue gold" in browser.page
    await browser.get("/t/acme/routing/new")
    made = await browser.post("/t/acme/routing/new", {**fields, "intent": "publish", "comment": "new"})
    await browser.get(made.headers["Location"])
    assert "Version 1 live" in browser.page
    await browser.post("/t/acme/numbers", {"did": "01 42 34 50 09", "rule": "Loyalty"})

    document = await in_force(store)
    assert document.numbers[-1].did == "+33142345009"
    assert document.numbers[-1].rule == "Loyalty"


async def test_of_two_who_edit_one_rule_the_second_is_told_and_loses_nothing(
    browsers: Any, site: Site
) -> None:
    path = await rule_path(site)
    first, second = await browsers("anna"), await browsers("olga")
    for browser in (first, second):
        await browser.get(path)
    await first.post(path, first.fields() | {"field": "level", "intent": "save"})

    await second.post(path, second.fields() | {"field": "rank", "intent": "save"}, 409)
    assert "anna changed this meanwhile" in second.page
    assert second.fields()["field"] == "rank"
    await second.post(path, second.fields() | {"intent": "save"})
    assert 'value="rank"' in await first.get(path)


async def test_what_cannot_work_is_saved_as_a_draft_and_told_at_its_field(
    browsers: Any, site: Site, store: MemoryStore
) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)

    await browser.post(path, browser.fields() | {"lines.0.option": "no, no", "intent": "publish"}, 422)

    assert "The draft is saved, but it cannot be published like this." in browser.page
    assert re.search(r'id="lines.0.option"[^>]*aria-invalid="true"', browser.page)
    assert browser.fields()["lines.0.option"] == "no, no"


async def test_what_was_typed_survives_the_end_of_the_session_and_is_not_saved_by_itself(
    browsers: Any, site: Site
) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)
    typed = browser.fields() | {"field": "typed-long", "intent": "publish"}
    browser.client.cookies.clear()

    await browser.post(path, typed, 401)
    carried = browser.fields()
    await browser.post("/sign-in", carried | {"name": "anna", "password": PASSWORD}, 200)
    again = browser.fields() | {"intent": "show"}
    await browser.post(path, again, 200)

    assert browser.fields()["field"] == "typed-long"
    assert "Nothing is saved yet." in browser.page
    assert 'value="typed-long"' not in await (await browsers("olga")).get(path)


async def test_a_tenant_of_files_is_shown_and_not_changed(
    browsers: Any, site: Site, configuration: Configuration
) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)
    fields = browser.fields()
    await configuration.manage(ACME, "files", JANE)

    await browser.post(path, fields | {"field": "level"}, 409)
    assert "managed by files" in browser.page
    assert 'value="publish"' not in await browser.get(path)


async def test_a_list_is_shown_before_it_is_taken(browsers: Any, store: MemoryStore) -> None:
    browser = await browsers("anna")
    await browser.get("/t/acme/numbers")
    text = "\n".join(f"+3314234{number:04d};Sales;bulk" for number in range(1000))

    await browser.post("/t/acme/numbers/list", {"text": text}, 200)
    assert "Take 1,000 changes" in browser.page
    await browser.post("/t/acme/numbers/list", browser.fields() | {"intent": "import"})

    assert len((await in_force(store)).numbers) == 1002


async def test_a_list_with_a_wrong_row_changes_nothing(browsers: Any, store: MemoryStore) -> None:
    browser = await browsers("anna")
    await browser.get("/t/acme/numbers")
    text = "+33142345050;Sales\n+33142345051;Sails"

    await browser.post("/t/acme/numbers/list", {"text": text, "intent": "import"}, 200)

    assert "Row 2: there is no rule" in unescape(browser.page)
    assert 'value="import"' not in browser.page


async def test_a_rule_in_use_is_not_deleted_and_says_by_what(browsers: Any, site: Site) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")

    page = await browser.get(f"{path}/delete")

    assert "+33142345001" in page
    await browser.get(path)
    await browser.post(f"{path}/delete", {}, 409)


async def test_an_old_version_comes_back(browsers: Any, site: Site, store: MemoryStore) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)
    await browser.post(path, browser.fields() | {"field": "level", "intent": "publish"})
    page = await browser.get(f"{path}/versions")

    assert "field: tier → level" in page
    await browser.post(f"{path}/versions/1", {})
    assert (await in_force(store)).rules[0].field == "tier"


# Hostile text


async def test_hostile_text_stays_text(browsers: Any, site: Site) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)
    hostile = dict.fromkeys(("name", "field", "note", "modules", "lines.0.value", "comment"), HOSTILE)
    await browser.post(path, browser.fields() | hostile | {"intent": "save"})

    for page in (
        path,
        "/t/acme/routing",
        f"{path}/delete",
        f"{path}/versions",
        f"/t/acme/routing?search={HOSTILE}",
    ):
        told = await browser.get(page)
        assert "<script>alert" not in told
        assert "<img" not in told
        assert "{{7*7}}" in unescape(told)


async def test_a_trial_tells_hostile_values_as_text(browsers: Any, site: Site) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)

    await browser.post(
        f"{path}/try", browser.fields() | {"trial.value": HOSTILE, "trial.caller": HOSTILE}, 200
    )

    assert "alert(1)" in browser.page
    assert "<script" not in browser.page


async def test_pages_allow_nothing_from_elsewhere(browsers: Any) -> None:
    browser = await browsers("anna")
    answer = await browser.client.get("/t/acme/routing")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! src=)|style=\"|\son\w+=", answer.text)


# The first account, and languages


async def test_the_set_up_link_serves_once(
    configuration: Configuration, store: MemoryStore, clock: Clock
) -> None:
    site = site_of(configuration, store, clock)
    key = await site.accounts.setup_key()
    with standing(site) as app:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://crmroute.test"
        ) as client:
            weak = await client.post(f"/set-up/{key}", data={"name": "olga", "password": "short"})
            made = await client.post(f"/set-up/{key}", data={"name": "olga", "password": PASSWORD})
            again = await client.post(f"/set-up/{key}", data={"name": "eve", "password": PASSWORD})
            tenants = await client.get("/tenants")

    assert [answer.status_code for answer in (weak, made, again, tenants)] == [422, 303, 404, 200]


async def test_french_is_spoken_to_the_french(browsers: Any) -> None:
    browser = await browsers("anna")
    browser.client.headers["Accept-Language"] = "fr-FR,fr;q=0.9"

    page = await browser.get("/t/acme/routing")

    assert '<html lang="fr">' in page
    assert "Nom du champ CRM" in page
    assert "Utilisée par" in page


async def test_a_chosen_language_stays_with_the_account(browsers: Any) -> None:
    browser = await browsers("anna")
    await browser.post("/language", {"language": "fr", "back": "/t/acme/numbers"})

    assert "File" not in await browser.get("/t/acme/numbers")
    elsewhere = await browsers("anna")
    assert '<html lang="fr">' in await elsewhere.get("/t/acme/numbers")


# Users and the audit


async def test_an_admin_makes_users_of_the_own_tenant_and_no_provider(browsers: Any, site: Site) -> None:
    browser = await browsers("anna")
    await browser.get("/users")
    page = browser.page
    new = {"name": "eddy", "password": PASSWORD}

    await browser.post("/users", {**new, "role": "provider"}, 422)
    browser.page = page
    await browser.post("/users", {**new, "role": "editor", "tenant": "other"})

    eddy = await browsers("eddy")
    await eddy.get("/t/acme/routing")
    await eddy.get("/t/other/routing", 404)
    await eddy.get("/users", 403)


async def test_an_admin_does_not_see_or_change_others_users(browsers: Any, site: Site) -> None:
    async with site.database.reading() as connection:
        everybody = {user.name: user.id for user in await users.every(connection, None)}
    browser = await browsers("anna")
    page = await browser.get("/users")

    assert "otto" not in page
    for name in ("otto", "olga"):
        browser.page = page
        await browser.post(f"/users/{everybody[name]}", {"intent": "disable"}, 404)


async def test_who_is_disabled_is_out_at_once(browsers: Any, site: Site) -> None:
    vera, anna = await browsers("vera"), await browsers("anna")
    async with site.database.reading() as connection:
        everybody = {user.name: user.id for user in await users.every(connection, None)}
    await vera.get("/t/acme/routing")
    await anna.get("/users")
    await anna.post(f"/users/{everybody['vera']}", {"intent": "disable"})

    assert (await vera.client.get("/t/acme/routing")).status_code == 303


async def test_an_admin_changes_a_role_and_a_language_as_the_audit_tells(browsers: Any, site: Site) -> None:
    vera, anna = await browsers("vera"), await browsers("anna")
    async with site.database.reading() as connection:
        id_ = next(one.id for one in await users.every(connection, None) if one.name == "vera")
    await vera.get("/t/acme/routing")
    await anna.get("/users")
    seen = {"intent": "save", "seen.role": "viewer", "seen.language": ""}

    await anna.post(f"/users/{id_}", {**seen, "role": "viewer", "language": "fr"})
    assert '<html lang="fr">' in await vera.get("/t/acme/routing"), "a role that stays ends nothing"
    seen["seen.language"] = "fr"
    answer = await anna.post(f"/users/{id_}", {**seen, "role": "editor", "language": "fr"})

    assert "The role is changed." in await anna.get(answer.headers["Location"])
    assert 'name="language" value="" ' not in anna.page, "the page's own language is chosen as elsewhere"
    assert (await vera.client.get("/t/acme/routing")).status_code == 303
    again = await browsers("vera")
    await again.get("/t/acme/routing/new")
    async with site.database.reading() as connection:
        noted = [one for one in await audit.read(connection, audit.Wanted(), 20) if one.name == "vera"]
    changes = [(one.who, one.before, one.after) for one in noted if one.action == "change"]
    assert changes == [
        ("anna", {"role": "viewer"}, {"role": "editor"}),
        ("anna", {"language": ""}, {"language": "fr"}),
    ]


@pytest.mark.parametrize(
    "chosen", [{"role": "provider"}, {"role": "king"}, {"role": "editor", "seen.role": ""}]
)
async def test_no_role_is_given_that_an_admin_may_not_give(
    browsers: Any, site: Site, chosen: dict[str, str]
) -> None:
    anna = await browsers("anna")
    async with site.database.reading() as connection:
        id_ = next(one.id for one in await users.every(connection, None) if one.name == "vera")
    await anna.get("/users")
    sent = {"intent": "save", "seen.role": "viewer", "seen.language": "", "language": ""}

    await anna.post(f"/users/{id_}", {**sent, **chosen}, 422)

    async with site.database.reading() as connection:
        assert (await users.one(connection, id_)).role == "viewer"


async def test_the_last_provider_stays(browsers: Any, site: Site) -> None:
    async with site.database.reading() as connection:
        everybody = {user.name: user.id for user in await users.every(connection, None)}
    olga = await browsers("olga")
    await olga.get("/users")

    await olga.post(f"/users/{everybody['olga']}", {"intent": "remove"}, 422)


async def test_the_audit_tells_who_changed_what_of_the_own_tenant(browsers: Any, site: Site) -> None:
    path = await rule_path(site)
    browser = await browsers("anna")
    await browser.get(path)
    await browser.post(path, browser.fields() | {"field": "level", "intent": "save"})
    page = await browser.get("/audit")

    assert "change rule <strong>Sales</strong>" in page
    assert "field: tier → level" in page
    assert "otto" not in page
    await (await browsers("vera")).get("/audit", 403)


async def test_a_rule_s_secret_does_not_follow_its_address(browsers: Any, site: Site) -> None:
    source = Source(custom={"url": "https://a.example", "headers": {"X": {"env": "CRM_KEY"}}})
    id_ = await site.configuration.create_rule(ACME, rule(name="Filed", source=source), JANE)
    browser = await browsers("anna")
    await browser.get(f"/t/acme/routing/{id_}")

    await browser.post(
        f"/t/acme/routing/{id_}", browser.fields() | {"custom.url": "https://evil.example"}, 422
    )

    assert "the address changed: enter headers.X again" in browser.page
    assert browser.fields()["custom.url"] == "https://evil.example"


async def test_an_address_that_is_nowhere_gets_a_page_and_in_the_api_a_problem(browsers: Any) -> None:
    browser = await browsers("anna")

    page = await browser.get("/t/acme/nowhere", 404)
    problem = await browser.client.get("/api/v1/nowhere")

    assert "There is nothing here" in page
    assert problem.status_code == 404
    assert problem.headers["Content-Type"] == "application/problem+json"


async def test_every_field_of_the_rule_form_has_help(browsers: Any) -> None:
    browser = await browsers("anna")

    page = await browser.get("/t/acme/routing/new")

    tags = re.findall(r'<(?:input|select|textarea)[^>]* name="(?!csrf|lines"|revision)[^>]*>', page)
    shown = [tag for tag in tags if 'type="hidden"' not in tag]
    assert len(shown) > 40
    assert [tag for tag in shown if "aria-describedby" not in tag] == []
    described = {part for tag in shown for part in re.findall(r'aria-describedby="([^"]*)"', tag)[0].split()}
    assert {one for one in described if f'id="{one}"' not in page} == set()
