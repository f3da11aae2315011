"""The documentation's pictures of every page, in both languages: `make pictures` writes docs/pages."""

import asyncio
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from router.ami.versions import judge
from router.core import decisions as traces
from router.core.identities import ServerName
from router.core.rules import Outcome
from router.core.statuses import ServerStatus
from router.records import decisions, publications
from router.records.database import open_database
from tests.admin.pages.chromium import launch
from tests.admin.pages.journey import set_up, write_rule
from tests.admin.pages.process import AdminProcess
from tests.admin.pages.telling import Telling, parked_call, status
from tests.records.makers import ACME, decision

FOLDER = Path(__file__).parents[3] / "docs" / "pages"
LANGUAGES = {"en": "English", "fr": "Français"}
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 800}
UNREACHED = ServerStatus(
    server=ServerName("pbx3"),
    is_connected=False,
    since_seconds=340.0,
    problem="Asterisk refused the login of crmroute",
)
OLD = ServerStatus(
    server=ServerName("pbx2"),
    is_connected=True,
    since_seconds=90_000.0,
    version="20.5.0",
    warning=judge("20.5.0").warning,
)
TIERS = ("GOLD", "SILVER", "BRONZE")


async def _record_calls(folder: Path) -> None:
    """An hour of calls, as routers would have left them."""
    database = await open_database(f"sqlite:///{folder}/records.db")
    try:
        async with database.writing() as connection:
            published = await publications.in_force(connection, ACME)
            digest = published.digest if published else ""
            await decisions.write(connection, [_call(number, digest) for number in range(12)])
    finally:
        await database.aclose()


def _call(number: int, plan: str) -> traces.Decision:
    tier = TIERS[number % 3]
    known = number % 5 != 4
    tests = [
        traces.LineTrace(at, at == number % 3 + 1, (_test(tier, wanted),))
        for at, wanted in enumerate(TIERS[: min(number % 3 + 1, 2)], 1)
    ]
    held = number % 3 + 1 if known and number % 3 < 2 else None
    return decision(
        f"pbx1-{1_795_000_000 + number}.{number}",
        by=f"06{(number * 7_654_321) % 10**8:08d}",
        parked_at=time.time() - 90.0 * number,
        rule="Loyalty",
        plan=plan,
        outcome=Outcome.FOUND if known else Outcome.NOT_FOUND,
        lookup=traces.LookupTrace("crm", "caller", "the caller's number", records=int(known)),
        lines=tuple(tests) if known else (),
        line_held=held,
        value=tier if known else "",
        asked_target=f"queue {TIERS[held - 1].lower()}" if held else "queue bronze",
        reached_place=f"route-queue/{TIERS[held - 1].lower()}/1" if held else "route-queue/bronze/1",
        asked_place=f"route-queue,{TIERS[held - 1].lower()},1" if held else "route-queue,bronze,1",
        asked_why=f"line {held}" if held else "default" if known else "outcome not_found",
        won_claim=True,
        steps_ms={"asked": 0.4, "answered": 101.3, "decided": 101.5, "claimed": 102.1, "ended": 104.2},
    )


def _test(tier: str, wanted: str) -> traces.TestTrace:
    verdict = traces.Verdict.HELD if tier == wanted else traces.Verdict.FAILED
    return traces.TestTrace("tier", tier, "=", wanted, verdict)


def _prepare(page: Page, link: str) -> str:
    """A published rule with a number, a draft, a user; the rule's path."""
    set_up(page, link)
    page.goto("/t/acme/integration/new/zendesk")
    page.locator("#name").fill("crm")
    page.locator('[id="settings.url"]').fill("https://acme.zendesk.com")
    page.locator('[id="settings.auth"]').select_option("token")
    page.locator('[id="settings.username"]').fill("anna@acme.example")
    page.locator('[id="settings.token"]').fill("not shown")
    page.locator("button.primary").click()
    page.wait_for_url("**/integration/crm**")
    write_rule(page, "Loyalty")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 live")).to_be_visible()
    path = page.url.split("?")[0]
    page.locator('[id="default.option"]').fill("desk")
    page.get_by_label("Comment on this version").fill("everybody else to the desk")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 2 live")).to_be_visible()
    write_rule(page, "Night")
    page.get_by_role("button", name="Save the draft").last.click()
    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    for did in ("01 42 34 50 01", "01 42 34 50 02"):
        page.goto("/t/acme/numbers")
        page.get_by_label("DID", exact=True).fill(did)
        page.get_by_label("Rule", exact=True).select_option("Loyalty")
        page.get_by_role("button", name="Save").click()
    page.goto("/users")
    page.get_by_label("Name").fill("anna@acme.example")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_label("Role").select_option("admin")
    page.locator("button.primary").click()
    page.wait_for_url("**/users")
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("ci")
    page.get_by_label("Role").select_option("editor")
    page.locator("button.primary").click()
    page.wait_for_selector("code.key")
    return path


def _take(page: Page, name: str, code: str, *, whole: bool = True) -> None:
    ending = "" if code == "en" else f"-{code}"
    page.screenshot(path=FOLDER / f"{name}{ending}.png", full_page=whole)
    print(f"docs/pages/{name}{ending}.png")


def _take_live(page: Page, telling: Telling, code: str) -> None:
    """A page that is open while its router tells of calls."""
    for name, path in {"live": "/t/acme/live", "servers": "/servers", "installation": "/overview"}.items():
        held = parked_call("pbx1-1795000101.1"), parked_call("pbx1-1795000102.1", parked_seconds=0.4)
        telling.status(status(*held, servers=(UNREACHED, OLD)))
        telling.decisions(*(_call(number, "") for number in range(5)))
        page.goto(path)
        if name == "live":
            expect(page.locator('[data-when="live"]')).to_be_visible()
        _take(page, name, code)


def _take_rule(page: Page, path: str, code: str) -> None:
    page.goto(path)
    page.locator('[id="trial.value"]').fill("SILVER")
    page.locator('[id="trial.value"]').press("Tab")
    expect(page.locator(".step-line_held")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    _take(page, "rule", code)


def _take_list(page: Page, code: str) -> None:
    page.goto("/t/acme/numbers")
    page.locator("#text").fill("+33142345003;Loyalty;Lyon\n+33142345004;Loyalty;Nantes\n+33142345002;;")
    page.locator("form[action$='/list'] button").click()
    page.wait_for_selector("table")
    _take(page, "number-list", code)


def _take_second_factor(page: Page, code: str) -> None:
    page.goto("/account")
    page.locator("button[value='begin']").click()
    page.wait_for_selector(".qr")
    _take(page, "second-factor", code)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        AdminProcess(Path(name)) as admin,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        context = browser.new_context(base_url=admin.url, locale="en-GB", viewport=WIDE)
        page = context.new_page()
        page.goto(admin.setup_link)
        _take(page, "set-up", "en")
        path = _prepare(page, admin.setup_link)
        with ThreadPoolExecutor() as pool:  # this thread has Playwright's own loop
            pool.submit(asyncio.run, _record_calls(Path(name))).result()
        telling = Telling(Path(name))
        pages = {
            "overview": "/t/acme",
            "tenants": "/tenants",
            "routing": "/t/acme/routing",
            "versions": f"{path}/versions",
            "delete": f"{path}/delete",
            "integration": "/t/acme/integration/crm",
            "integrations": "/t/acme/integration",
            "integration-new": "/t/acme/integration/new/salesforce",
            "numbers": "/t/acme/numbers",
            "calls": "/t/acme/calls",
            "call": "/t/acme/calls/pbx1-1795000001.1",
            "settings": "/t/acme/settings",
            "publication": "/t/acme/settings/publications/2",
            "users": "/users",
            "audit": "/audit",
            "account": "/account",
            "account-tokens": "/account/tokens",
        }
        for code, language in LANGUAGES.items():
            page.goto("/tenants")
            page.get_by_role("button", name=language).click()
            page.wait_for_load_state()
            for name_, address in pages.items():
                page.goto(address)
                _take(page, name_, code)
            _take_rule(page, path, code)
            _take_list(page, code)
            _take_live(page, telling, code)
            _take_second_factor(page, code)
        page.emulate_media(color_scheme="dark")
        page.goto(path)
        _take(page, "rule-dark", "fr", whole=False)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)
        page.goto("/t/acme")
        _take(page, "overview-phone", "fr")
        page.goto("/t/acme/calls/pbx1-1795000001.1")
        _take(page, "call-phone", "fr")
        page.goto("/account")
        _take(page, "account-phone", "fr")
        page.context.clear_cookies()
        page.goto("/sign-in")
        _take(page, "sign-in", "en")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
