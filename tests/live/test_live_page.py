"""A call on a real Asterisk is on the live page while it is parked, and its decision when it has left."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from deploy.rig import demo
from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, place_calls
from deploy.rig.sample_site import Site
from tests.admin.pages.chromium import launch, needs_chromium
from tests.admin.pages.journey import set_up
from tests.live.administration import Admin, administered

DID = "+33142345005"
"""Its rule asks the sample CRM, which never answers the caller `demo.SILENT`."""
SOON = 30_000.0

pytestmark = [
    pytest.mark.live,
    pytest.mark.xdist_group("live-page"),
    needs_chromium,
]


@pytest.fixture(scope="module")
def site(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[tuple[Site, Admin]]:
    """Two routers on one Asterisk, tenants from files, and the administration beside them."""
    with administered(site_folder(), pbx, routers=("router-a", "router-b")) as running:
        yield running


@pytest.fixture
def page(site: tuple[Site, Admin]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        opened = browser.new_page(base_url=site[1].url, locale="en-GB")
        set_up(opened, site[1].setup_link)
        yield opened
        browser.close()


def test_a_call_is_on_the_page_while_it_is_parked(pbx: RunningAsterisk, page: Page) -> None:
    page.goto("/servers")
    expect(page.get_by_label(pbx.name).get_by_text("connected", exact=True)).to_be_visible()
    expect(page.get_by_label(pbx.name).get_by_role("listitem")).to_have_count(2)
    page.goto("/t/acme/live")
    expect(page.get_by_text("Up to date", exact=True)).to_be_visible(timeout=SOON)
    held = page.get_by_role("region", name="Calls held now").get_by_role("row", name=demo.SILENT)
    decided = page.get_by_role("region", name="Decisions of the last minute")

    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(place_calls, pbx.sip_port, DID, callers=[Caller(demo.SILENT)], stay_ms=200)
        expect(held).to_have_count(1, timeout=SOON)
        expect(page.locator('[data-live="parked"]')).to_have_text("1")
        expect(held).to_have_count(0, timeout=SOON)
        expect(decided.get_by_role("row", name=demo.SILENT)).to_contain_text(
            "The CRM takes too long", timeout=SOON
        )
        calling.result(SOON)
