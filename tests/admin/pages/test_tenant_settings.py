"""A tenant's settings on its page: profile, files, how long calls are kept, what was in force, its end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from router.admin.site import Site
from router.records import retention, tenants
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.records.makers import ACME, JANE, OTHER, Clock, profile, tenant

PATH = "/t/acme/settings"
ACCOUNTS = {
    "olga": ("provider", None),
    "anna": ("admin", ACME),
    "ed": ("editor", ACME),
    "vera": ("viewer", ACME),
    "otto": ("admin", OTHER),
}
FILE = """
country = "FR"
default = { destination = "queue", option = "reception" }
"""

Browsers = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock, tmp_path: Path) -> Site:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    return msgspec.structs.replace(site_of(configuration, store, clock), folder=tmp_path)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Browsers]:
    async with open_browsers(site, ACCOUNTS) as opened:
        yield opened


async def test_the_profile_is_changed_at_once(browsers: Browsers, store: MemoryStore) -> None:
    browser = await browsers("ed")
    await browser.get(PATH)

    await browser.post(PATH, browser.fields() | {"zone": "Asia/Tokyo", "hold_seconds": "4,5"})

    (plan,) = await store.plans.fetch([ACME])
    assert plan.document is not None
    assert (plan.document.zone, plan.document.hold_seconds) == ("Asia/Tokyo", 4.5)
    assert len(plan.document.rules) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"country": "FRANCE"}, 'id="country-error"'),
        ({"hold_seconds": "soon"}, 'id="hold_seconds-error"'),
        ({"hold_seconds": "99"}, 'id="hold_seconds-error"'),
        ({"option": "a b;c"}, 'id="option-error"'),
    ],
)
async def test_what_is_wrong_stands_at_its_field(
    browsers: Browsers, changes: dict[str, str], told: str
) -> None:
    browser = await browsers("anna")
    await browser.get(PATH)

    await browser.post(PATH, browser.fields() | {"name": "Typed"} | changes, 422)

    assert told in browser.page
    assert browser.fields()["name"] == "Typed"


async def test_two_who_change_it_do_not_overwrite_each_other(browsers: Browsers) -> None:
    anna, ed = await browsers("anna"), await browsers("ed")
    await anna.get(PATH)
    await ed.get(PATH)
    await anna.post(PATH, anna.fields() | {"name": "Anna's"})

    await ed.post(PATH, ed.fields() | {"name": "Ed's"}, 409)

    assert "anna changed this meanwhile" in ed.page


async def test_calls_are_kept_as_long_as_is_said(browsers: Browsers, site: Site) -> None:
    browser = await browsers("anna")
    await browser.get(PATH)

    await browser.post(f"{PATH}/retention", {"days": "30"})
    await browser.get(PATH)
    await browser.post(f"{PATH}/retention", {"days": "0"}, 422)

    assert 'id="days-error"' in browser.page
    async with site.database.reading() as connection:
        assert await retention.days(connection, ACME) == 30


async def test_a_file_that_differs_is_told_place_by_place(browsers: Browsers, site: Site) -> None:
    browser = await browsers("anna")
    await browser.get(PATH)
    await browser.post(f"{PATH}/managed-by", {"managed_by": "files"})
    assert "Its file is not on this host" in await browser.get(PATH)

    (site.folder / "tenants").mkdir()
    file = site.folder / "tenants" / "acme.toml"
    file.write_text(FILE)
    differing = await browser.get(PATH)
    file.write_text("country = ")
    broken = await browser.get(PATH)

    assert "zone: removed (was Europe/Paris)" in differing
    assert "rule Sales: removed" in differing
    assert "acme.toml:1" in broken
    assert 'name="managed_by" value="page"' in broken


async def test_what_was_in_force_comes_back(browsers: Browsers, store: MemoryStore) -> None:
    browser = await browsers("anna")
    await browser.get(PATH)
    await browser.post(PATH, browser.fields() | {"name": "New name"})
    page = await browser.get(f"{PATH}/publications/2")
    assert "name: Acme → New name" in page

    await browser.get(f"{PATH}/publications/1")
    await browser.post(f"{PATH}/publications/1", {})

    (plan,) = await store.plans.fetch([ACME])
    assert plan.document is not None
    assert plan.document.name == "Acme"


async def test_a_tenant_goes_only_with_its_name_typed(browsers: Browsers, site: Site) -> None:
    browser = await browsers("olga")
    await browser.get(PATH)
    await browser.post(f"{PATH}/remove", {"confirmed": "other"}, 422)
    async with site.database.reading() as connection:
        assert ACME in [row.id for row in await tenants.every(connection)]

    await browser.post(f"{PATH}/remove", {"confirmed": "acme"})

    async with site.database.reading() as connection:
        assert ACME not in [row.id for row in await tenants.every(connection)]
    await browser.get(PATH, 404)


@pytest.mark.parametrize(
    ("path", "vera", "ed", "anna"),
    [
        (PATH, 403, 422, 422),
        (f"{PATH}/retention", 403, 403, 422),
        (f"{PATH}/managed-by", 403, 403, 303),
        (f"{PATH}/remove", 404, 404, 404),
        (f"{PATH}/publications/9", 403, 403, 404),
    ],
)
async def test_who_may_do_what(browsers: Browsers, path: str, vera: int, ed: int, anna: int) -> None:
    for name, status in {"vera": vera, "ed": ed, "anna": anna, "otto": 404}.items():
        browser = await browsers(name)
        await browser.get("/t/other/settings" if name == "otto" else PATH)
        await browser.post(path, {}, status)


async def test_a_list_is_taken_back_on_the_page(browsers: Browsers, store: MemoryStore) -> None:
    browser = await browsers("ed")
    await browser.get("/t/acme/numbers")
    rows = "\n".join(f"+3314234{number:04d};Sales" for number in range(1000))
    await browser.post("/t/acme/numbers/list", {"text": rows}, 200)
    imported = await browser.post("/t/acme/numbers/list", browser.fields() | {"intent": "import"})
    page = await browser.get(imported.headers["Location"])
    assert "Take it back" in page

    undone = await browser.post("/t/acme/numbers/undo", {"publication": browser.fields()["publication"]})

    page = await browser.get(undone.headers["Location"])
    (plan,) = await store.plans.fetch([ACME])
    assert plan.document is not None
    assert plan.document.numbers == tenant().numbers
    assert "numbers are as they were before the list." in page
