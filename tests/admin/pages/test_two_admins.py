"""Two admins change one thing, on pages and by the API: the second is told, loses nothing and chooses."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from router.admin.site import Site
from router.core.identities import RuleName
from router.core.roles import Role
from router.core.rules import Rule
from router.core.tenants import Integration, Number
from router.records import integrations, numbers, rules, tenants, users
from router.records.configuration import Configuration
from router.records.errors import Outdated
from router.records.users import User
from router.store.memory import MemoryStore
from tests.admin.api import Api, running, site_of
from tests.admin.pages.browser import Browser, make_accounts, open_browsers
from tests.records.makers import ACME, JANE, Clock, tenant

SECRET, OTHER_SECRET = "canary-7f3a", "canary-51bd"
INTEGRATION = "/t/acme/integration/crm"
SETTINGS = "/t/acme/settings"
Browsers = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    site = site_of(configuration, store, clock)
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await make_accounts(site, {"anna": ("admin", ACME), "olga": ("admin", ACME)})
    return site


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Browsers]:
    async with open_browsers(site) as browser:
        yield browser


@pytest.fixture
async def both(browsers: Browsers) -> tuple[Browser, Browser]:
    return await browsers("anna"), await browsers("olga")


@pytest.fixture
async def api(site: Site) -> AsyncIterator[Api]:
    async with running(site) as opened:
        yield opened


async def drafted(site: Site) -> Rule:
    async with site.database.reading() as connection:
        return (await rules.named(connection, ACME, "Sales")).draft


async def rule_id(site: Site, name: str = "Sales") -> int:
    async with site.database.reading() as connection:
        return (await rules.named(connection, ACME, name)).id


async def kept(site: Site, name: str = "crm") -> Integration:
    async with site.database.reading() as connection:
        return (await integrations.one(connection, ACME, name)).document


async def spare(browser: Browser) -> None:
    """An integration that no rule uses."""
    path = "/t/acme/integration/new/custom"
    await browser.get(path)
    await browser.post(path, browser.fields() | {"name": "spare", "settings.url": "https://spare.example"})


def differing(page: str) -> list[list[str]]:
    """The rows of the table of differences: place, yours, theirs."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>', page)
    return [list(row) for row in rows]


# Rules


async def test_a_rule_of_two_is_shown_place_by_place_and_the_second_puts_theirs_in(
    both: tuple[Browser, Browser], site: Site
) -> None:
    path = f"/t/acme/routing/{await rule_id(site)}"
    anna, olga = both
    for browser in both:
        await browser.get(path)
    await anna.post(path, anna.fields() | {"field": "level", "lines.0.value": "Silver", "intent": "save"})

    await olga.post(path, olga.fields() | {"field": "rank", "note": "mine", "intent": "publish"}, 409)

    assert "anna changed this meanwhile" in olga.page
    assert differing(olga.page) == [
        ["field", "rank", "level"],
        ["line 1, value", "Gold", "Silver"],
        ["note", "mine", "–"],
    ]
    assert (await drafted(site)).field == "level"
    assert olga.fields()["field"] == "rank"
    await olga.post(path, olga.fields() | {"intent": "save"})
    assert ((await drafted(site)).field, (await drafted(site)).lines[0].value) == ("rank", "Gold")


async def test_whoever_loads_theirs_has_theirs(both: tuple[Browser, Browser], site: Site) -> None:
    path = f"/t/acme/routing/{await rule_id(site)}"
    anna, olga = both
    for browser in both:
        await browser.get(path)
    await anna.post(path, anna.fields() | {"field": "level", "intent": "save"})
    await olga.post(path, olga.fields() | {"field": "rank", "intent": "save"}, 409)

    assert f'href="{path}">Load theirs' in olga.page
    await olga.get(path)

    assert olga.fields()["field"] == "level"
    await olga.post(path, olga.fields() | {"note": "seen", "intent": "save"})
    assert ((await drafted(site)).field, (await drafted(site)).note) == ("level", "seen")


@pytest.mark.parametrize(
    ("pressed", "status"),
    [({"intent": "add"}, 200), ({"intent": "save", "lookup_seconds": "soon"}, 422)],
)
async def test_a_press_in_between_does_not_hide_what_the_other_saved(
    both: tuple[Browser, Browser], site: Site, pressed: dict[str, str], status: int
) -> None:
    """The form comes back with a line more, or a mistake to mend: it is still the one that was loaded."""
    path = f"/t/acme/routing/{await rule_id(site)}"
    anna, olga = both
    for browser in both:
        await browser.get(path)
    loaded = olga.fields()
    await anna.post(path, anna.fields() | {"field": "level", "intent": "save"})

    await olga.post(path, loaded | pressed, status)
    await olga.post(path, loaded | {"revision": olga.fields()["revision"], "intent": "save"}, 409)

    assert (await drafted(site)).field == "level"


async def test_the_same_typed_by_two_is_told_as_the_same(both: tuple[Browser, Browser], site: Site) -> None:
    path = f"/t/acme/routing/{await rule_id(site)}"
    anna, olga = both
    for browser in both:
        await browser.get(path)
    typed = {"field": "level", "intent": "save"}
    await anna.post(path, anna.fields() | typed)

    await olga.post(path, olga.fields() | typed, 409)

    assert differing(olga.page) == []
    assert "is the same as what you typed" in olga.page


async def test_secrets_of_a_rule_are_in_no_difference(both: tuple[Browser, Browser], site: Site) -> None:
    path = f"/t/acme/routing/{await rule_id(site)}"
    anna, olga = both
    for browser in both:
        await browser.get(path)
    own = {"user": "own", "user.name": "desk", "intent": "save"}
    await anna.post(path, anna.fields() | own | {"user.password": SECRET})

    await olga.post(path, olga.fields() | own | {"user.name": "me", "user.password": OTHER_SECRET}, 409)

    assert SECRET not in olga.page
    assert OTHER_SECRET not in olga.page
    assert differing(olga.page) == [["source, credentials", "(hidden)", "(hidden)"]]


async def test_the_page_is_told_of_what_the_api_changed_and_the_api_of_the_page(
    both: tuple[Browser, Browser], api: Api, site: Site
) -> None:
    id_ = await rule_id(site)
    path, resource = f"/t/acme/routing/{id_}", f"/tenants/acme/rules/{id_}"
    anna, _ = both
    await anna.get(path)
    read = await api.ask("GET", resource)
    document = read.json()["draft"]
    changed = await api.ask("PUT", resource, document | {"field": "level"}, match=read.headers["ETag"])
    assert changed.status_code == 200

    await anna.post(path, anna.fields() | {"field": "rank", "intent": "save"}, 409)
    assert "admin@acme changed this meanwhile" in anna.page
    assert ["field", "rank", "level"] in differing(anna.page)
    await anna.post(path, anna.fields() | {"intent": "save"})

    late = await api.ask("PUT", resource, document | {"field": "late"}, match=changed.headers["ETag"])
    assert late.status_code == 412
    assert "anna changed the rule Sales meanwhile" in late.json()["detail"]
    assert (await drafted(site)).field == "rank"


# Integrations


async def test_an_integration_of_two_is_shown_and_the_second_puts_theirs_in(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    for browser in both:
        await browser.get(INTEGRATION)
    await anna.post(INTEGRATION, anna.fields() | {"settings.url": "https://anna.example"})

    typed = {"settings.url": "https://olga.example", "settings.headers": f"X-Key = {SECRET}"}
    await olga.post(INTEGRATION, olga.fields() | typed, 409)

    assert "anna changed this meanwhile" in olga.page
    assert ["settings, url", "https://olga.example", "https://anna.example"] in differing(olga.page)
    assert olga.fields()["settings.url"] == "https://olga.example"
    assert SECRET not in "".join(map("".join, differing(olga.page)))
    assert (await kept(site)).settings["url"] == "https://anna.example"
    await olga.post(INTEGRATION, olga.fields() | {"settings.headers": ""})
    assert (await kept(site)).settings["url"] == "https://olga.example"


async def test_a_mistake_mended_does_not_hide_what_the_other_saved(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    for browser in both:
        await browser.get(INTEGRATION)
    await anna.post(INTEGRATION, anna.fields() | {"settings.url": "https://anna.example"})
    loaded = olga.fields()

    await olga.post(INTEGRATION, loaded | {"log.subject": "x" * 5000}, 422)
    late = {"settings.url": "https://late.example", "revision": olga.fields()["revision"]}
    await olga.post(INTEGRATION, loaded | late, 409)

    assert (await kept(site)).settings["url"] == "https://anna.example"


async def test_the_page_of_an_integration_is_told_of_what_the_api_changed(
    both: tuple[Browser, Browser], api: Api, site: Site
) -> None:
    anna, _ = both
    await anna.get(INTEGRATION)
    read = await api.ask("GET", "/tenants/acme/integrations/crm")
    sent: dict[str, Any] = read.json()["document"] | {"in_flight": 3}
    changed = await api.ask("PUT", "/tenants/acme/integrations/crm", sent, match=read.headers["ETag"])
    assert changed.status_code == 200, changed.text

    await anna.post(INTEGRATION, anna.fields() | {"log.missed": "true"}, 409)
    assert "admin@acme changed this meanwhile" in anna.page
    await anna.post(INTEGRATION, anna.fields() | {"log.missed": "true"})

    late = await api.ask("PUT", "/tenants/acme/integrations/crm", sent, match=changed.headers["ETag"])
    assert late.status_code == 412
    assert (await kept(site)).in_flight == 3, "what the form does not show is the other's, and stays"


async def test_what_was_typed_for_an_integration_that_another_renamed_is_kept(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    await spare(anna)
    for browser in both:
        await browser.get("/t/acme/integration/spare")
    await anna.post("/t/acme/integration/spare", anna.fields() | {"name": "new name"})

    typed = {"settings.url": "https://olga.example"}
    await olga.post("/t/acme/integration/spare", olga.fields() | typed, 409)

    assert "It is called new name now." in olga.page
    assert "anna changed this meanwhile" in olga.page
    assert differing(olga.page) == [["settings, url", "https://olga.example", "https://spare.example"]]
    assert (olga.fields()["settings.url"], olga.fields()["name"]) == ("https://olga.example", "new name")
    assert 'action="/t/acme/integration/new%20name"' in olga.page
    await olga.post("/t/acme/integration/new%20name", olga.fields())
    assert (await kept(site, "new name")).settings["url"] == "https://olga.example"


async def test_a_form_of_a_renamed_integration_changes_none_that_took_its_name(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    await spare(anna)
    for browser in both:
        await browser.get("/t/acme/integration/spare")
    await anna.post("/t/acme/integration/spare", anna.fields() | {"name": "old one"})
    await spare(anna)

    late = olga.fields() | {"settings.url": "https://olga.example"}
    await olga.post("/t/acme/integration/spare", late, 409)

    assert "It is called old one now." in olga.page
    assert (await kept(site, "spare")).settings["url"] == "https://spare.example"


async def test_what_was_typed_for_an_integration_that_another_removed_makes_it_anew(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    await spare(anna)
    for browser in both:
        await browser.get("/t/acme/integration/spare")
    await anna.post("/t/acme/integration/spare/delete", {})

    typed = {"settings.url": "https://olga.example", "settings.headers": "X-Desk = 7"}
    await olga.post("/t/acme/integration/spare", olga.fields() | typed, 409)

    assert "The integration spare was removed meanwhile, so nothing was saved." in olga.page
    assert olga.fields()["settings.headers"] == "X-Desk = 7"
    assert olga.fields()["settings.url"] == "https://olga.example"
    assert 'action="/t/acme/integration/new/custom"' in olga.page
    await olga.post("/t/acme/integration/new/custom", olga.fields())
    assert (await kept(site, "spare")).settings["url"] == "https://olga.example"


# The tenant


async def test_a_tenant_of_two_is_shown_place_by_place(both: tuple[Browser, Browser], site: Site) -> None:
    anna, olga = both
    for browser in both:
        await browser.get(SETTINGS)
    await anna.post(SETTINGS, anna.fields() | {"zone": "Europe/London", "hold_seconds": "8"})

    await olga.post(SETTINGS, olga.fields() | {"hold_seconds": "soon"}, 422)
    await olga.post(SETTINGS, olga.fields() | {"name": "Olga's", "hold_seconds": ""}, 409)

    assert differing(olga.page) == [
        ["name", "Olga&#39;s", "Acme"],
        ["zone", "Europe/Paris", "Europe/London"],
        ["hold seconds", "–", "8.0"],
    ]
    await olga.post(SETTINGS, olga.fields())
    async with site.database.reading() as connection:
        profile = (await tenants.one(connection, ACME)).profile
    assert (profile.name, profile.zone, profile.hold_seconds) == ("Olga's", "Europe/Paris", None)


# Numbers and IVR entries


def removing(page: str, name: str, value: str) -> dict[str, str]:
    """The fields of the form that removes a row."""
    row = rf'name="{name}" value="{re.escape(value)}"><input type="hidden" name="seen" value="(\d*)"'
    found = re.search(row, page)
    assert found is not None
    return {name: value, "seen": found[1]}


async def test_a_number_that_another_led_elsewhere_meanwhile_is_not_removed(
    both: tuple[Browser, Browser],
) -> None:
    anna, olga = both
    for browser in both:
        await browser.get("/t/acme/numbers")
    await anna.post("/t/acme/numbers", {"did": "+33142345002", "rule": "Sales"})

    shown = removing(olga.page, "did", "+33142345002")
    await olga.post("/t/acme/numbers/delete", shown, 409)

    assert "+33142345002 was changed meanwhile: it leads to Sales now." in olga.page
    await olga.post("/t/acme/numbers/delete", removing(olga.page, "did", "+33142345002"))
    assert "+33142345002" not in await olga.get("/t/acme/numbers")


async def test_an_ivr_entry_that_another_led_elsewhere_meanwhile_is_not_removed(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    for browser in both:
        await browser.get("/t/acme/numbers")
    id_ = await rule_id(site, "By number")
    copy = (await anna.post(f"/t/acme/routing/{id_}/duplicate", {})).headers["Location"]
    await anna.get(copy)
    await anna.post(copy, anna.fields() | {"name": "Second", "intent": "publish"})
    await anna.post("/t/acme/numbers/entries", {"name": "account", "rule": "Second"})

    await olga.post("/t/acme/numbers/entries/delete", removing(olga.page, "name", "account"), 409)

    assert "account was changed meanwhile: it leads to Second now." in olga.page
    await olga.post("/t/acme/numbers/entries/delete", removing(olga.page, "name", "account"))


LIST = "/t/acme/numbers/list"
ROWS = "+33142345002;Sales;mine\n+33142345077;Sales"


async def numbers_of(site: Site) -> dict[str, tuple[str | None, str]]:
    async with site.database.reading() as connection:
        listed = await numbers.every_number(connection, ACME)
    return {one.did: (one.rule_name, one.note) for one in listed}


async def test_a_list_is_shown_anew_where_another_changed_a_number_of_it_meanwhile(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    await anna.get("/t/acme/numbers")
    await olga.get("/t/acme/numbers")
    await olga.post(LIST, {"text": ROWS}, 200)
    await anna.post("/t/acme/numbers", {"did": "+33142345002", "rule": "Sales", "note": "anna's"})

    await olga.post(LIST, olga.fields() | {"intent": "import"}, 409)

    assert "changed since the preview, so nothing was taken" in olga.page
    assert olga.fields()["text"] == ROWS
    kept = await numbers_of(site)
    assert kept["+33142345002"] == ("Sales", "anna's")
    assert "+33142345077" not in kept
    await olga.post(LIST, olga.fields() | {"intent": "import"})
    assert (await numbers_of(site))["+33142345002"] == ("Sales", "mine")


async def test_a_list_is_taken_where_another_changed_what_is_not_in_it(
    both: tuple[Browser, Browser], site: Site
) -> None:
    anna, olga = both
    await anna.get("/t/acme/numbers")
    await olga.get("/t/acme/numbers")
    await olga.post(LIST, {"text": ROWS}, 200)
    await anna.post("/t/acme/numbers", {"did": "+33142345099", "rule": "Sales"})

    await olga.post(LIST, olga.fields() | {"intent": "import"})

    assert {"+33142345077", "+33142345099"} <= set(await numbers_of(site))


async def test_rows_that_were_typed_after_the_preview_are_shown_first(
    both: tuple[Browser, Browser], site: Site
) -> None:
    _, olga = both
    await olga.get("/t/acme/numbers")
    await olga.post(LIST, {"text": ROWS}, 200)

    await olga.post(LIST, olga.fields() | {"text": "+33142345088;Sales", "intent": "import"}, 409)

    assert "+33142345088" in olga.page
    assert "+33142345088" not in await numbers_of(site)


async def test_a_number_that_changes_at_the_very_moment_of_an_import_is_not_overwritten(site: Site) -> None:
    shown = {"+33142345002": None, "+33142345077": None}
    listed = [Number(did, RuleName("Sales")) for did in reversed(shown)]

    with pytest.raises(Outdated):
        await site.configuration.put_numbers(ACME, listed, "imported", JANE, shown)

    assert "+33142345077" not in await numbers_of(site)


# Users


async def user_named(site: Site, name: str) -> User:
    async with site.database.reading() as connection:
        return next(one for one in await users.every(connection, None) if one.name == name)


def row_form(page: str, id_: int) -> dict[str, str]:
    """The fields of the form on a user's row, as it is shown."""
    found = re.search(rf'action="/users/{id_}">(.*?)</form>', page, re.DOTALL)
    assert found is not None
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', found[1]))
    for name, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', found[1], re.DOTALL):
        fields[name] = re.findall(r'value="([^"]*)" selected', body)[0]
    return fields | {"intent": "save"}


async def test_a_role_that_another_changed_meanwhile_is_shown_before_it_is_changed_again(
    both: tuple[Browser, Browser], site: Site
) -> None:
    await make_accounts(site, {"vera": ("viewer", ACME)})
    vera = await user_named(site, "vera")
    anna, olga = both
    for browser in both:
        await browser.get("/users")
    await anna.post(f"/users/{vera.id}", row_form(anna.page, vera.id) | {"role": "editor", "language": "fr"})

    late = row_form(olga.page, vera.id) | {"role": "admin"}
    await olga.post(f"/users/{vera.id}", late, 409)

    assert "vera was changed meanwhile" in olga.page
    assert "The role is Editor now, and the pages are in Français." in olga.page
    now = await user_named(site, "vera")
    assert (now.role, now.language) == (Role.EDITOR, "fr")
    again = row_form(olga.page, vera.id)
    assert (again["role"], again["language"]) == ("admin", "")
    await olga.post(f"/users/{vera.id}", again)
    now = await user_named(site, "vera")
    assert (now.role, now.language) == (Role.ADMIN, "")
