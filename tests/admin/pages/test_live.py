"""The live page in a real browser, from a real `crmroute admin` on a real Redis: what happens is seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from router.core.identities import TenantId
from tests.admin.pages.chromium import close, launch, needs_chromium
from tests.admin.pages.journey import NAME, set_up, sign_in
from tests.admin.pages.process import AdminProcess
from tests.admin.pages.telling import Telling, parked_call, status
from tests.records.makers import decision

SOON = 20_000.0
"""Milliseconds that an event may take on a busy machine."""

pytestmark = [
    pytest.mark.xdist_group("live-page"),
    needs_chromium,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def admin(browser: Browser, folder: Path) -> Iterator[AdminProcess]:
    """With an account, and a tenant `acme`."""
    with AdminProcess(folder) as process:
        page = browser.new_page(base_url=process.url)
        set_up(page, process.setup_link)
        close(page.context)
        yield process


@pytest.fixture
def page(browser: Browser, admin: AdminProcess) -> Iterator[Page]:
    """Signed in."""
    context = browser.new_context(base_url=admin.url, locale="en-GB")
    opened = context.new_page()
    sign_in(opened, NAME)
    yield opened
    close(context)


@pytest.fixture
def telling(folder: Path, admin: AdminProcess) -> Telling:
    return Telling(folder)


def watch(page: Page, path: str = "/t/acme/live") -> None:
    page.goto(path)
    expect(page.get_by_text("Up to date", exact=True)).to_be_visible(timeout=SOON)


def row(page: Page, call: str) -> Locator:
    return page.locator(f'tr[data-call="{call}"]')


def test_a_decision_appears_without_loading_anew_and_leads_to_its_call(page: Page, telling: Telling) -> None:
    watch(page)
    telling.decisions(decision("pbx1-100.1", rule="Loyalty"))

    expect(row(page, "pbx1-100.1")).to_contain_text("queue gold", timeout=SOON)
    row(page, "pbx1-100.1").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.url.endswith("/t/acme/calls/pbx1-100.1")


def test_a_held_call_comes_ages_and_leaves(page: Page, telling: Telling) -> None:
    watch(page)
    telling.status(status(parked_call("pbx1-200.1")))

    age = row(page, "pbx1-200.1").locator("[data-age]")
    expect(age).to_be_visible(timeout=SOON)
    expect(page.locator('[data-live="parked"]')).to_have_text("1")
    first = age.text_content() or ""
    expect(age).not_to_have_text(first, timeout=SOON)
    telling.status(status())
    expect(row(page, "pbx1-200.1")).to_have_count(0, timeout=SOON)
    expect(page.locator('[data-live="parked"]')).to_have_text("0")


def test_a_call_of_a_router_that_dies_leaves(page: Page, telling: Telling) -> None:
    watch(page)
    telling.status(status(parked_call("pbx1-300.1"), router="router-dies"))

    expect(row(page, "pbx1-300.1")).to_be_visible(timeout=SOON)
    expect(row(page, "pbx1-300.1")).to_have_count(0, timeout=SOON)


def test_another_tenant_s_calls_are_the_provider_s_alone(page: Page, telling: Telling) -> None:
    watch(page)
    everything = page.context.new_page()
    watch(everything, "/live")
    held = parked_call("pbx1-400.1", "other"), parked_call("pbx1-401.1")
    telling.status(status(*held))
    telling.decisions(decision("pbx1-402.1", tenant=TenantId("other")), decision("pbx1-403.1"))

    for call in ("pbx1-400.1", "pbx1-401.1", "pbx1-402.1", "pbx1-403.1"):
        expect(row(everything, call)).to_be_visible(timeout=SOON)
    page.bring_to_front()
    telling.status(status(*held))
    expect(row(page, "pbx1-401.1")).to_be_visible(timeout=SOON)
    expect(row(page, "pbx1-403.1")).to_be_visible(timeout=SOON)
    assert row(page, "pbx1-400.1").count() == row(page, "pbx1-402.1").count() == 0
    assert "other" not in page.inner_text("main")


def test_a_text_of_a_caller_stays_a_text(page: Page, telling: Telling) -> None:
    watch(page)
    hostile = "<img src=x onerror=alert(1)>"
    telling.status(status(parked_call("pbx1-500.1", caller=hostile)))

    expect(row(page, "pbx1-500.1")).to_contain_text(hostile, timeout=SOON)
    assert page.locator("main img").count() == 0


def test_an_open_page_ends_with_its_session(page: Page, admin: AdminProcess) -> None:
    watch(page)
    other = page.context.new_page()
    other.goto("/overview")
    other.get_by_role("button", name="Sign out").click()
    page.bring_to_front()

    expect(page.get_by_text("the session has ended")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Up to date", exact=True)).to_be_hidden()


def test_without_scripts_the_page_shows_what_is_and_can_be_loaded_anew(
    browser: Browser, admin: AdminProcess, telling: Telling
) -> None:
    context = browser.new_context(base_url=admin.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, NAME)
    page.goto("/t/acme/live")
    expect(page.get_by_text("As it was when the page was loaded")).to_be_visible()
    for calls in ((parked_call("pbx1-600.1"),), ()):
        for _ in range(20):  # a page that was read a moment ago is shown again
            telling.status(status(*calls))
            page.get_by_role("link", name="Load anew").click()
            if row(page, "pbx1-600.1").count() == len(calls):
                break
        expect(row(page, "pbx1-600.1")).to_have_count(len(calls))
    close(context)


def test_a_process_that_stops_waits_for_no_open_page(browser: Browser, tmp_path: Path) -> None:
    with AdminProcess(tmp_path) as process:
        page = browser.new_page(base_url=process.url)
        set_up(page, process.setup_link)
        watch(page)
        said = process.stop()

    assert "admin.stopped" in said
    assert "graceful shutdown exceeded" not in said
    expect(page.get_by_text("the connection is lost")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Up to date", exact=True)).to_be_hidden()
    close(page.context)
