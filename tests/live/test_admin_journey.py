"""From a first sign-in in a real browser to a call on a real Asterisk, and its trace on the page."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from deploy.rig import demo
from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, place_calls
from deploy.rig.sample_site import Site, wait_until
from router.admin.pages.languages import Language
from tests.admin.pages.chromium import launch, needs_chromium
from tests.admin.pages.journey import PASSWORD, Say, set_up
from tests.live.administration import FROM_RECORDS, Admin, administered

LEVEL = "+33142345001"
SECONDS = 30.0
TAKEN = re.compile(r"taken route-queue/(\w+)/1")

pytestmark = [
    pytest.mark.live,
    pytest.mark.xdist_group("journey"),
    needs_chromium,
]


@pytest.fixture(scope="module", params=["en", "fr"])
def language(request: pytest.FixtureRequest) -> Language:
    return Language(request.param)


@pytest.fixture(scope="module")
def site(
    pbx: RunningAsterisk, site_folder: Callable[[], Path], language: Language
) -> Iterator[tuple[Site, Admin]]:
    with administered(site_folder(), pbx, tenants=FROM_RECORDS) as running:
        yield running


@pytest.fixture
def open_page(site: tuple[Site, Admin], language: Language) -> Iterator[Callable[[], Page]]:
    """Each in a browser of its own, whose language is the journey's."""
    locale = "fr-FR" if language.is_french else "en-GB"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield lambda: browser.new_context(base_url=site[1].url, locale=locale).new_page()
        browser.close()


def connect_crm(page: Page, crm_port: int, say: Say) -> None:
    page.get_by_role("link", name=say("Integration"), exact=True).click()
    page.locator('a[href$="integration/new/custom"]').click()
    page.get_by_label(say("Name"), exact=True).fill("levels")
    page.locator('[id="settings.url"]').fill(f"http://127.0.0.1:{crm_port}/lookup")
    page.locator('[id="settings.parameters"]').fill("caller = caller")
    page.get_by_role("button", name=say("Save"), exact=True).click()
    expect(page.get_by_text(say("Saved, and in force. Test it here."))).to_be_visible()
    page.get_by_role("button", name=say("Test"), exact=True).click()
    expect(page.locator("#tested .badge").first).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator("#tested .badge.bad")).to_have_count(0)


def build_rule(page: Page, say: Say) -> None:
    page.get_by_role("link", name=say("Routing"), exact=True).click()
    page.get_by_role("link", name=say("Make the first rule")).click()
    page.get_by_label(say("Rule name")).fill("Loyalty")
    page.locator("#field").fill("status")
    page.get_by_label(say("CRM to use")).select_option("integration")
    page.get_by_label(say("Integration"), exact=True).select_option("levels")
    for number, level in enumerate(("GOLD", "SILVER", "BRONZE")):
        if number:
            page.get_by_role("button", name=say("Add a line")).click()
            expect(page.locator(f'[id="lines.{number}.value"]')).to_be_focused()
        page.locator(f'[id="lines.{number}.value"]').fill(level)
        page.locator(f'[id="lines.{number}.option"]').fill(level.lower())
    page.locator('[id="default.option"]').fill("reception")


def test_from_a_first_sign_in_to_a_call_in_the_gold_queue(
    site: tuple[Site, Admin], pbx: RunningAsterisk, open_page: Callable[[], Page], language: Language
) -> None:
    """The tenant admin's journey, and then the operator's on what it left."""
    running, admin = site
    page, say, step = open_page(), language.text, Steps()
    set_up(page, admin.setup_link, say)
    step("the first account and a tenant are made")
    connect_crm(page, running.crm_port, say)
    step("a CRM is connected and tested")
    build_rule(page, say)
    step("a rule sends GOLD, SILVER and BRONZE to their queues")
    page.locator("#trial\\.caller").fill(demo.GOLD)
    page.locator("#trial\\.answer").select_option("ask")
    expect(page.locator(".target strong")).to_have_text(language.target("queue gold"), timeout=SECONDS * 1000)
    step("it is tried with a caller, by asking the CRM")
    page.get_by_role("button", name=say("Publish"), exact=True).click()
    expect(page.get_by_text(say("Version {number} live", number=1))).to_be_visible()
    step("it is published")
    page.get_by_role("link", name=say("Numbers"), exact=True).click()
    page.get_by_label(say("DID"), exact=True).fill(LEVEL)
    page.get_by_label(say("Rule"), exact=True).select_option("Loyalty")
    page.get_by_role("button", name=say("Save"), exact=True).click()
    expect(page.get_by_role("cell", name=LEVEL, exact=True)).to_be_visible()
    step("a DID leads to it")

    assert call(pbx) == "gold"

    step("a SIP call of a GOLD customer is in the queue gold")
    wait_until(lambda: found_call(page), SECONDS, "the call on the page Calls")
    page.locator("tbody a").first.click()
    expect(page.locator(".step-line_held")).to_be_visible()
    page.locator('a[href$="versions#version-1"]').click()
    expect(page.locator("#version-1")).to_be_visible()
    step("its trace is on the page, and leads to the version that decided")
    operate(page, open_page(), pbx, say, step)
    step.tell()


def operate(page: Page, other: Page, pbx: RunningAsterisk, say: Say, step: "Steps") -> None:
    """The operator's: servers, an account for a tenant's admin, who sees their tenant alone, the audit."""
    page.get_by_role("link", name=say("Asterisk servers"), exact=True).click()
    server = page.get_by_label(pbx.name)
    expect(server.get_by_text(say("connected"), exact=True)).to_be_visible(timeout=SECONDS * 1000)
    page.get_by_role("link", name=say("Users"), exact=True).click()
    page.get_by_label(say("Name"), exact=True).fill("anna@acme.example")
    page.get_by_label(say("Password"), exact=True).fill(PASSWORD)
    page.get_by_label(say("Role"), exact=True).select_option("admin")
    page.get_by_label(say("Tenant"), exact=True).select_option("acme")
    page.get_by_role("button", name=say("Make the account")).click()
    expect(page.get_by_text("anna@acme.example").first).to_be_visible()
    step("the operator sees the server connected, and makes the tenant's admin an account")
    other.goto("/sign-in")
    other.locator("#name").fill("anna@acme.example")
    other.locator("#password").fill(PASSWORD)
    other.locator("button.primary").click()
    other.wait_for_url("**/t/acme**")
    expect(other.get_by_role("link", name=say("Routing"), exact=True)).to_be_visible()
    expect(other.get_by_role("link", name=say("Asterisk servers"), exact=True)).to_have_count(0)
    step("the tenant's admin signs in, and sees their tenant alone")
    page.get_by_role("link", name=say("Audit"), exact=True).click()
    expect(page.get_by_text("anna@acme.example").first).to_be_visible()
    expect(page.get_by_text("Loyalty").first).to_be_visible()
    step("the audit tells who did all that")


class Steps:
    """What was reached, and when: `pytest -s` shows it."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()
        self._told: list[str] = []

    def __call__(self, told: str) -> None:
        self._told.append(f"{time.monotonic() - self._began_at:6.1f} s  {told}")

    def tell(self) -> None:
        print("\n".join(["", *self._told]))


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
