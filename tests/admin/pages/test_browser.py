"""The pages in a real browser, served by a real `crmroute admin`: an admin's journey, the keyboard, French.

No page may break a rule of WCAG that axe knows, nor its own security policy.
"""

import re
from collections.abc import Iterator

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.admin.pages.chromium import close, launch, needs_chromium
from tests.admin.pages.journey import NAME, PASSWORD, set_up, sign_in, write_rule
from tests.admin.pages.process import AdminProcess

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

pytestmark = [
    pytest.mark.xdist_group("browser"),
    needs_chromium,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminProcess]:
    with AdminProcess(tmp_path_factory.mktemp("admin")) as process:
        yield process


@pytest.fixture(scope="module")
def account(browser: Browser, admin: AdminProcess) -> str:
    """Made by the link that the process printed; a tenant with one published rule."""
    page = browser.new_page(base_url=admin.url)
    set_up(page, admin.setup_link)
    write_rule(page, "Loyalty")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 live")).to_be_visible()
    close(page.context)
    return NAME


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said; a violation of the security policy among it."""
    return []


@pytest.fixture
def context(browser: Browser, admin: AdminProcess, account: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=admin.url, locale="en-GB", viewport={"width": 1280, "height": 900})
    yield opened
    close(opened)


@pytest.fixture
def page(context: BrowserContext, account: str, complaints: list[str]) -> Page:
    """Signed in."""
    opened = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        if not message.text.startswith("[DOM]"):  # Chromium's advice on forms with several passwords
            complaints.append(message.text)

    opened.on("console", hear)
    sign_in(opened, account)
    return opened


def rule_path(page: Page) -> str:
    page.goto("/t/acme/routing")
    return page.get_by_role("link", name="Loyalty", exact=True).get_attribute("href") or ""


def test_a_rule_is_built_tried_published_and_led_to(page: Page, complaints: list[str]) -> None:
    write_rule(page, "Journey")

    page.get_by_label("Value of the field").fill("SILVER")
    page.get_by_label("Value of the field").press("Tab")
    expect(page.locator(".target")).to_have_text("The call goes to queue silver")
    expect(page.locator(".step-line_held")).to_contain_text("Line 2 holds")

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("the next call is decided by it")).to_be_visible()
    page.get_by_role("link", name="Numbers").click()
    page.get_by_label("DID", exact=True).fill("01 42 34 50 01")
    page.get_by_label("Rule", exact=True).select_option("Journey")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="+33142345001", exact=True)).to_be_visible()
    page.get_by_role("link", name="Routing", exact=True).click()
    expect(page.get_by_role("row", name="Journey")).to_contain_text("+33142345001")
    assert complaints == []


def test_lines_are_moved_by_the_keyboard_alone(page: Page) -> None:
    page.goto(rule_path(page))
    up = page.get_by_role("button", name="Line 2 up")
    up.focus()
    page.keyboard.press("Enter")

    expect(page.locator('[id="lines.0.value"]')).to_have_value("SILVER")
    expect(page.locator('[id="lines.1.value"]')).to_have_value("GOLD")
    expect(page.get_by_role("button", name="Line 1 down")).to_be_focused()


def test_enter_in_a_field_saves_the_draft_and_moves_no_line(page: Page) -> None:
    write_rule(page, "Entered")
    page.get_by_label("Rule name").press("Enter")

    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    expect(page.locator('[id="lines.0.value"]')).to_have_value("GOLD")


def test_fields_that_do_not_matter_are_not_shown(page: Page) -> None:
    page.goto("/t/acme/routing/new")
    expect(page.get_by_label("Recording that asks for digits")).to_be_hidden()
    page.get_by_label("Location").select_option("ivr")
    expect(page.get_by_label("Recording that asks for digits")).to_be_visible()
    page.get_by_label("Operator").select_option("is empty")
    expect(page.locator('[id="lines.0.value"]')).to_be_hidden()


def test_the_list_is_searched_as_one_types(page: Page) -> None:
    page.goto("/t/acme/routing")
    page.get_by_role("searchbox").press_sequentially("no such rule")

    expect(page.get_by_text("Nothing found")).to_be_visible()
    assert page.url.endswith("search=no+such+rule") or page.url.endswith("search=no%20such%20rule")


def test_without_scripts_the_form_works_as_well(browser: Browser, admin: AdminProcess, account: str) -> None:
    context = browser.new_context(base_url=admin.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, account)
    page.goto("/t/acme/routing/new")
    page.get_by_label("Rule name").fill("Plain")
    page.get_by_role("button", name="Add a line").click()

    expect(page.get_by_label("Rule name")).to_have_value("Plain")
    expect(page.locator('[id="lines.1.value"]')).to_be_visible()
    close(context)


def violations(page: Page) -> list[tuple[str, str, str]]:
    """What axe finds, in both colour schemes."""
    told = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page, options=WCAG).response["violations"]
        told += [(scheme, one["id"], one["nodes"][0]["html"]) for one in found]
    return told


PAGES = (
    "/overview",
    "/live",
    "/servers",
    "/tenants",
    "/t/acme",
    "/t/acme/live",
    "/t/acme/routing",
    "/t/acme/routing/new",
    "RULE",
    "RULE/versions",
    "RULE/delete",
    "/t/acme/integration",
    "/t/acme/integration/new/salesforce",
    "/t/acme/numbers",
    "/t/acme/calls",
    "/t/acme/settings",
    "/t/acme/settings/publications/1",
    "/users",
    "/audit",
    "/account",
    "/account/tokens",
)


@pytest.mark.parametrize("language", ["English", "Français"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, complaints: list[str], path: str, language: str) -> None:
    page.goto(path.replace("RULE", rule_path(page)))
    page.get_by_role("button", name=language).click()
    page.wait_for_load_state()
    assert violations(page) == []
    assert complaints == []
    page.get_by_role("button", name="English").click()


def test_the_sign_in_breaks_no_rule_either(browser: Browser, admin: AdminProcess, account: str) -> None:
    for locale in ("en-GB", "fr-FR"):
        context = browser.new_context(base_url=admin.url, locale=locale)
        page = context.new_page()
        page.goto("/sign-in")
        assert violations(page) == []
        page.locator("a[href^='/sign-in/single']").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert ("cannot be reached" in page.inner_text("main")) is (locale == "en-GB")
        assert violations(page) == []
        close(context)


def test_a_second_factor_is_set_up_and_taken_away(page: Page, complaints: list[str]) -> None:
    page.goto("/account")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("img", name="QR code of the secret").locator("svg")).to_be_visible()
    size = page.locator("svg.qr").bounding_box()
    assert size is not None
    assert (size["width"] > 180, abs(size["width"] - size["height"]) < 1) == (True, True)
    assert violations(page) == []

    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(page.locator("code.key").inner_text()).now())
    page.get_by_label("Code", exact=True).press("Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    assert violations(page) == []
    page.goto("/account")
    expect(page.get_by_text("10 recovery codes are left.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_text("The second factor is off.")).to_be_visible()
    assert complaints == []


def test_a_token_is_told_once(page: Page, complaints: list[str]) -> None:
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("ci")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("code.key")).to_contain_text("crmroute_")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/account/tokens")
    expect(page.locator("code.key")).to_have_count(0)
    page.get_by_role("button", name="Revoke ci").click()
    expect(page.get_by_text("No token yet")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_scrolling_sideways(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(path.replace("RULE", rule_path(page)))

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_form_has_no_english_left_in_french(page: Page) -> None:
    page.goto(rule_path(page))
    page.get_by_role("button", name="Français").click()

    text = page.inner_text("#rule")
    assert "Destination par défaut" in text
    assert re.search(r"\b(the|of|Save|Value|Rule)\b", text) is None
    page.get_by_role("button", name="English").click()


def test_two_admins_change_one_rule_and_the_second_chooses(
    browser: Browser, admin: AdminProcess, page: Page, complaints: list[str]
) -> None:
    write_rule(page, "Shared")
    page.get_by_role("button", name="Save the draft").last.click()
    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    address = page.url.partition("?")[0]
    context = browser.new_context(base_url=admin.url, locale="en-GB")
    other = context.new_page()
    sign_in(other, NAME)
    for one in (page, other):
        one.goto(address)
    other.locator('[id="lines.0.value"]').fill("PLATINUM")
    other.locator('[id="lines.0.value"]').press("Enter")
    expect(other.get_by_role("status").first).to_be_visible()

    page.locator('[id="default.option"]').fill("copper")
    page.get_by_role("button", name="Add a line").click()
    expect(page.locator('[id="lines.2.value"]')).to_be_focused()
    page.get_by_role("button", name="Remove line 3").click()
    expect(page.locator('[id="lines.2.value"]')).to_have_count(0)
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_role("alert")).to_contain_text(f"{NAME} changed this meanwhile")
    rows = page.get_by_role("region", name="What you typed, and what is saved now").get_by_role("row")
    expect(rows).to_have_text(
        [re.compile(r"Place\s*Yours\s*Theirs"), re.compile("copper.*bronze"), re.compile("GOLD.*PLATINUM")]
    )
    expect(page.locator('[id="default.option"]')).to_have_value("copper")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert [one for one in complaints if "409" not in one] == []

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("the next call is decided by it")).to_be_visible()
    other.locator('[id="lines.0.value"]').fill("LATE")
    other.locator('[id="lines.0.value"]').press("Enter")
    expect(other.get_by_role("alert")).to_contain_text(NAME)
    assert violations(other) == []
    other.get_by_role("alert").get_by_role("link").click()
    expect(other.locator('[id="lines.0.value"]')).to_have_value("GOLD")
    expect(other.locator('[id="default.option"]')).to_have_value("copper")
    close(context)
