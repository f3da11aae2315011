"""An admin connects a CRM from the page: a real browser, a real worker, a strict Salesforce with its own page
of consent, all of them over HTTP."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from router.admin.sign_ins import RETURN_PATH
from tests.admin.pages.chromium import close, launch, needs_chromium
from tests.admin.pages.journey import NAME, set_up, sign_in
from tests.admin.pages.process import LOCAL, AdminProcess
from tests.crms.product import KEY
from tests.crms.salesforce import CLIENT, PERSON_RIG, SECRET, Salesforce
from tests.crms.server import Mood
from tests.crms.site import RunningCrms, start_worker
from tests.store.servers import running_server

PAGE = "/t/acme/integration/sales"
WORKER = f"""
[worker]
https_only = false
allowed_networks = ["127.0.0.0/8"]
[vault]
keys = ["{KEY}"]
"""
SETTINGS = LOCAL.replace('embedded_folder = "{folder}/redis"', 'url = "{redis}"').replace(
    '[vault]\nkeys = ["a key of the tests, long enough to be one"]\n', WORKER
)
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
OVER = "This sign-in is not yours, or is over"

pytestmark = [
    pytest.mark.xdist_group("browser"),
    needs_chromium,
]


@pytest.fixture(scope="module")
def crm() -> Iterator[Salesforce]:
    running = RunningCrms((PERSON_RIG,))
    running.start()
    made = running.by_name[PERSON_RIG.name]
    assert isinstance(made, Salesforce)
    yield made
    running.stop()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, crm: Salesforce) -> Iterator[AdminProcess]:
    folder = tmp_path_factory.mktemp("site")
    with (
        running_server(folder / "valkey") as server,
        AdminProcess(folder / "config", SETTINGS, redis=server.url) as process,
    ):
        worker = start_worker(folder / "config")
        crm.consent.registered.add(f"{process.url}{RETURN_PATH}")
        yield process
        worker.terminate()
        worker.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def account(browser: Browser, admin: AdminProcess, crm: Salesforce) -> str:
    """With an integration that nobody has signed in to."""
    page = browser.new_page(base_url=admin.url)
    set_up(page, admin.setup_link)
    page.goto("/t/acme/integration/new/salesforce")
    page.locator("#name").fill("sales")
    page.locator('[id="settings.url"]').fill(crm.url)
    page.locator('[id="settings.client_id"]').fill(CLIENT)
    page.locator('[id="settings.client_secret"]').fill(SECRET)
    page.locator('[id="settings.sign_in"]').select_option("person")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**{PAGE}?done=saved")
    close(page.context)
    return NAME


@pytest.fixture
def context(browser: Browser, admin: AdminProcess, account: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=admin.url, locale="en-GB")
    yield opened
    close(opened)


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(context: BrowserContext, account: str, complaints: list[str]) -> Page:
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    sign_in(opened, account)
    return opened


def go_to_the_crm(page: Page, crm: Salesforce) -> None:
    page.goto(PAGE)
    page.get_by_role("button", name="Connect to Salesforce").or_(
        page.get_by_role("button", name="Sign in again")
    ).click()
    page.get_by_role("link", name="Go on to Salesforce").click()
    page.wait_for_url(f"{crm.url}/**")


def test_an_admin_connects_and_the_test_passes(page: Page, crm: Salesforce, complaints: list[str]) -> None:
    page.goto(PAGE)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("nobody has signed in to the CRM yet")

    go_to_the_crm(page, crm)
    page.get_by_role("link", name="Allow").click()
    page.wait_for_url(f"**{PAGE}?done=signed-in")

    expect(page.get_by_text("Signed in: rules can ask this CRM.")).to_be_visible()
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested .badge.good").first).to_be_visible()
    expect(page.locator("#tested .badge.bad")).to_have_count(0)
    assert crm.consent.redeemed == 1
    assert complaints == []


def test_the_way_back_again_is_refused(page: Page, crm: Salesforce) -> None:
    go_to_the_crm(page, crm)
    way_back = page.get_by_role("link", name="Allow").get_attribute("href") or ""
    page.get_by_role("link", name="Allow").click()
    page.wait_for_url(f"**{PAGE}?done=signed-in")
    before = crm.consent.redeemed

    page.goto(way_back)

    expect(page.get_by_role("heading", level=1)).to_have_text(OVER)
    assert crm.consent.redeemed == before


def test_another_browser_s_way_back_is_refused(
    page: Page, crm: Salesforce, browser: Browser, admin: AdminProcess, account: str
) -> None:
    before = crm.consent.redeemed
    go_to_the_crm(page, crm)
    way_back = page.get_by_role("link", name="Allow").get_attribute("href") or ""
    elsewhere = browser.new_context(base_url=admin.url)
    other = elsewhere.new_page()
    sign_in(other, account)
    other.goto(way_back)

    expect(other.get_by_role("heading", level=1)).to_have_text(OVER)
    assert crm.consent.redeemed == before
    close(elsewhere)


def test_who_declines_is_told_so_and_may_begin_anew(page: Page, crm: Salesforce) -> None:
    go_to_the_crm(page, crm)
    page.get_by_role("link", name="Deny").click()

    expect(page.get_by_text("The sign-in was declined at the CRM.")).to_be_visible()
    expect(page.get_by_text("end-user <b>denied</b> authorization")).to_be_visible()
    page.get_by_role("button", name="Sign in again").click()
    expect(page.get_by_role("link", name="Go on to Salesforce")).to_be_visible()


def test_without_scripts_as_well(
    browser: Browser, admin: AdminProcess, account: str, crm: Salesforce
) -> None:
    context = browser.new_context(base_url=admin.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, account)
    go_to_the_crm(page, crm)
    page.get_by_role("link", name="Allow").click()

    expect(page.get_by_text("Signed in: rules can ask this CRM.")).to_be_visible()
    assert urlsplit(page.url).query == "done=signed-in", "the code is not left in the address"
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested .badge.good").first).to_be_visible()
    page.get_by_role("link", name="Back to sales").click()
    expect(page.get_by_role("heading", name="sales")).to_be_visible()
    close(context)


def test_a_sign_in_that_the_crm_ends_is_to_be_made_again(page: Page, crm: Salesforce) -> None:
    go_to_the_crm(page, crm)
    page.get_by_role("link", name="Allow").click()
    page.wait_for_url(f"**{PAGE}?done=signed-in")
    crm.tokens.revoke_all()

    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("needs re-authorisation")).to_be_visible()
    page.goto("/t/acme/integration")
    expect(page.get_by_label("sales")).to_contain_text("needs re-authorisation")
    expect(page.get_by_label("sales")).to_contain_text("Since ")

    go_to_the_crm(page, crm)
    page.get_by_role("link", name="Allow").click()
    page.wait_for_url(f"**{PAGE}?done=signed-in")
    page.goto("/t/acme/integration")
    expect(page.get_by_label("sales")).to_contain_text("connected")
    expect(page.get_by_label("sales")).to_contain_text("It took the sign-in")


def test_a_crm_that_is_down_is_failing_until_it_answers(page: Page, crm: Salesforce) -> None:
    page.goto(PAGE)
    crm.mood = Mood.DOWN
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("failing", exact=True)).to_be_visible()
    expect(page.get_by_text("Asked last")).to_be_visible()
    crm.mood = Mood.WELL
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("It passed its test")).to_be_visible()


@pytest.mark.parametrize("language", ["English", "Français"])
@pytest.mark.parametrize("path", [PAGE, f"{PAGE}?done=signed-in", "/t/acme/integration", RETURN_PATH, "CRM"])
def test_axe_finds_nothing(page: Page, crm: Salesforce, path: str, language: str) -> None:
    page.goto("/t/acme/integration")
    page.get_by_role("button", name=language).click()
    page.wait_for_load_state()
    page.goto(PAGE if path == "CRM" else path)
    if path == "CRM":
        page.locator("form[action$='/sign-in'] button.primary").click()
        page.wait_for_url("**/sign-in")
    page.set_viewport_size({"width": 360, "height": 780})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page, options=WCAG).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/t/acme/integration")
    page.get_by_role("button", name="English").click()


FIELDS = ("username", "password", "token", "header_name", "header_value")


def shown(page: Page) -> set[str]:
    every = page.locator("[data-setting]").all()
    return {one.get_attribute("data-setting") or "" for one in every if one.is_visible()} & set(FIELDS)


@pytest.mark.parametrize("with_scripts", [True, False])
def test_a_field_is_there_only_while_it_counts_and_keeps_what_was_typed(
    browser: Browser, admin: AdminProcess, account: str, *, with_scripts: bool
) -> None:
    context = browser.new_context(base_url=admin.url, java_script_enabled=with_scripts)
    page = context.new_page()
    sign_in(page, account)
    page.goto("/t/acme/integration/new/custom")
    assert shown(page) == set()

    page.locator('[id="settings.auth"]').select_option("basic")
    assert shown(page) == {"username", "password"}
    page.locator('[id="settings.password"]').fill("canary-typed")
    page.locator('[id="settings.auth"]').select_option("bearer")
    assert shown(page) == {"token"}
    page.locator('[id="settings.auth"]').select_option("basic")

    assert page.locator('[id="settings.password"]').input_value() == "canary-typed"
    close(context)
