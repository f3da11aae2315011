"""From a first sign-in in a real browser to a call on a real Asterisk, and its trace on the page."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from deploy.rig import demo
from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, place_calls
from deploy.rig.sample_site import Process, Site, wait_until
from tests.admin.pages.journey import set_up
from tests.live.conftest import free_port

CHROMIUM = shutil.which("chromium")
LEVEL = "+33142345001"
SECONDS = 30.0
TAKEN = re.compile(r"taken route-queue/(\w+)/1")

pytestmark = [
    pytest.mark.live,
    pytest.mark.xdist_group("journey"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here; deploy/rig/get-tools brings it"),
]


class Admin:
    """`crmroute admin` of the site."""

    def __init__(self, site: Site, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process: Process = site.start("admin", [sys.executable, "-m", "router", "admin"])
        self._process.wait_for("admin.started")

    @property
    def setup_link(self) -> str:
        found = re.search(r"http\S+/set-up/\S+", self._process.text())
        assert found is not None
        return found[0]


@pytest.fixture(scope="module")
def site(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[tuple[Site, Admin]]:
    folder, port = site_folder(), free_port()
    settings = f"""
[tenants]
source = "records"
[records]
url = "sqlite:///{folder}/records.db"
[vault]
keys = ["a key of the tests, long enough to be one"]
[admin]
port = {port}
base_url = "http://127.0.0.1:{port}"
"""
    with Site(folder, [pbx], free_port()) as running:
        running.write_local_settings(settings)
        running.start_crm()
        admin = Admin(running, port)
        running.start_worker()
        running.start_router()
        yield running, admin


@pytest.fixture
def page(site: tuple[Site, Admin]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(base_url=site[1].url, locale="en-GB")
        browser.close()


def connect_crm(page: Page, crm_port: int) -> None:
    page.get_by_role("link", name="Integration").click()
    page.get_by_role("link", name="Custom URL").click()
    page.get_by_label("Name", exact=True).fill("levels")
    page.locator('[id="settings.url"]').fill(f"http://127.0.0.1:{crm_port}/lookup")
    page.locator('[id="settings.parameters"]').fill("caller = caller")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, and in force.")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#tested .badge").first).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator("#tested .badge.bad")).to_have_count(0)


def build_rule(page: Page) -> None:
    page.get_by_role("link", name="Routing", exact=True).click()
    page.get_by_role("link", name="Make the first rule").click()
    page.get_by_label("Rule name").fill("Loyalty")
    page.get_by_label("CRM field name").first.fill("status")
    page.get_by_label("CRM to use").select_option("integration")
    page.get_by_label("Integration", exact=True).select_option("levels")
    for number, level in enumerate(("GOLD", "SILVER")):
        if number:
            page.get_by_role("button", name="Add a line").click()
            expect(page.locator(f'[id="lines.{number}.value"]')).to_be_focused()
        page.locator(f'[id="lines.{number}.value"]').fill(level)
        page.locator(f'[id="lines.{number}.option"]').fill(level.lower())
    page.locator('[id="default.option"]').fill("bronze")


def test_from_a_first_sign_in_to_a_call_in_the_gold_queue(
    site: tuple[Site, Admin], pbx: RunningAsterisk, page: Page
) -> None:
    running, admin = site
    set_up(page, admin.setup_link)
    connect_crm(page, running.crm_port)
    build_rule(page)
    page.get_by_label("Caller").fill(demo.GOLD)
    page.get_by_label("What the CRM says").select_option("ask")
    expect(page.locator(".target")).to_have_text("The call goes to queue gold", timeout=SECONDS * 1000)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 live")).to_be_visible()
    page.get_by_role("link", name="Numbers").click()
    page.get_by_label("DID", exact=True).fill(LEVEL)
    page.get_by_label("Rule", exact=True).select_option("Loyalty")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name=LEVEL, exact=True)).to_be_visible()

    assert call(pbx) == "gold"

    wait_until(lambda: found_call(page), SECONDS, "the call on the page Calls")
    page.locator("tbody a").first.click()
    expect(page.locator(".step-line_held")).to_contain_text("Line 1 holds")
    page.get_by_role("link", name="Loyalty, version 1").click()
    expect(page.locator("#version-1")).to_be_visible()


def call(pbx: RunningAsterisk) -> str:
    """Where a GOLD customer's call goes."""
    before = len(pbx.fates())
    place_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], stay_ms=200)
    wait_until(lambda: len(list(pbx.fates().values())[before:]) == 1, SECONDS, "the call's fate")
    (fate,) = list(pbx.fates().values())[before:]
    match = TAKEN.fullmatch(fate[0])
    return match[1] if match else fate[0]


def found_call(page: Page) -> bool:
    page.goto("/t/acme/calls")
    return page.locator("tbody a").count() > 0
