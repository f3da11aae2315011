"""Hostile texts on every page in a real browser: none of them runs, loads, asks or is complained of."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from msgspec import Struct
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.database import open_database
from router.settings.load import load_settings
from router.settings.vault import Vault
from router.store.redis_store import open_store
from tests.admin.attacks.corpus import TEXTS
from tests.admin.attacks.planting import PAGES, Crm, Planted, call, plant, told_status
from tests.admin.pages.chromium import launch, needs_chromium
from tests.admin.pages.journey import NAME, PASSWORD, sign_in
from tests.admin.pages.process import AdminProcess
from tests.admin.pages.telling import Telling
from tests.admin.workers import replying
from tests.records.makers import checked

FRAGMENTS = ("/state", "/connection")
CANARY = "window.fired = []; window.canary = which => { window.fired.push(which); }"
pytestmark = [
    pytest.mark.xdist_group("browser"),
    needs_chromium,
]


class Heard(Struct):
    """Everything that a page would do because of a text."""

    told: list[str] = []

    def listen(self, page: Page, url: str) -> None:
        def ask(asked: Request) -> None:
            if not asked.url.startswith((url, "data:image/")):
                self.told.append(asked.url)

        def dismiss(dialog: Dialog) -> None:
            self.told.append(f"dialog {dialog.message}")
            dialog.dismiss()

        def hear(message: ConsoleMessage) -> None:
            if not message.text.startswith("[DOM]"):  # Chromium's advice on forms with several passwords
                self.told.append(message.text)

        page.add_init_script(CANARY)
        page.on("dialog", dismiss)
        page.on("console", hear)
        page.on("pageerror", lambda error: self.told.append(f"error {error}"))
        page.on("popup", lambda opened: self.told.append(f"popup {opened.url}"))
        page.on("request", ask)


class Full(Struct):
    """A site that has an account, and the texts everywhere."""

    process: AdminProcess
    folder: Path
    planted: Planted


def in_a_loop(work: Callable[[], Awaitable[Planted]]) -> Planted:
    """Playwright's own loop is this thread's."""

    async def run() -> Planted:
        return await work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


async def planted_in(folder: Path) -> Planted:
    database = await open_database(f"sqlite:///{folder}/records.db")
    try:
        vault = Vault(["a key of the tests, long enough to be one"])
        accounts = Accounts(database, time.time, vault)
        return await plant(Configuration(database, time.time, checked), accounts, TEXTS, time.time())
    finally:
        await database.aclose()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    folder = tmp_path_factory.mktemp("admin")
    with AdminProcess(folder) as process:
        made = httpx.post(process.setup_link, data={"name": NAME, "password": PASSWORD})
        assert made.status_code == 303
        yield Full(process, folder, in_a_loop(lambda: planted_in(folder)))


def test_no_text_comes_alive(admin: Full) -> None:
    process, folder = admin.process, admin.folder
    heard = Heard([])
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(base_url=process.url)
        heard.listen(page, process.url)
        sign_in(page, NAME)
        planted = admin.planted
        telling = Telling(folder)
        telling.decisions(*(call(text, at, time.time()) for at, text in enumerate(TEXTS)))
        for language, paths in (("English", [*planted.pages, *planted.rules]), ("Français", PAGES)):
            page.goto("/account")
            page.get_by_role("button", name=language).click()
            page.wait_for_load_state()
            for path in paths:
                if path.endswith(FRAGMENTS):
                    continue
                if path.endswith(("/live", "/servers")):
                    telling.status(told_status(TEXTS))
                answer = page.goto(path)
                assert answer is not None
                assert answer.status == 200, path
                assert page.evaluate("window.fired") == [], path
                assert heard.told == [], path
        browser.close()


def test_nothing_that_a_crm_replies_comes_alive(admin: Full) -> None:
    """All texts at once, put into open pages by htmx."""
    process, folder = admin.process, admin.folder
    heard = Heard([])
    with working(folder, Crm("\n".join(TEXTS))), sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(base_url=process.url)
        heard.listen(page, process.url)
        sign_in(page, NAME)
        page.goto("/t/acme")
        expect(page.locator(".crm .state").first).to_be_visible()
        page.goto("/t/acme/integration/crm")
        page.locator("form[action$='/test'] button").click()
        expect(page.locator("#tested .steps")).to_contain_text("canary(1)")
        page.locator("form[action$='/try'] [name=number]").fill("0612345678")
        page.locator("form[action$='/try'] button").click()
        expect(page.locator("#tried")).to_contain_text("canary(1)")
        assert page.evaluate("window.fired") == []
        assert heard.told == []
        browser.close()


@contextmanager
def working(folder: Path, crm: Crm) -> Iterator[None]:
    """A worker on the site's Redis, in a thread of its own."""
    is_over = threading.Event()

    async def work() -> None:
        store = await open_store(load_settings(folder, {}, with_asterisk=False).redis)
        async with replying(store, crm):
            await asyncio.to_thread(is_over.wait)
        await store.aclose()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


def test_the_canary_is_heard(admin: Full) -> None:
    """What would be seen: a text that stands as markup on a page of ours, kept still by the policy alone."""
    process = admin.process
    heard = Heard([])
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(base_url=process.url)
        heard.listen(page, process.url)
        page.goto("/sign-in")
        with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
            page.evaluate("text => { document.querySelector('main').innerHTML = text; }", TEXTS[8])
        assert len(heard.told) == 1
        browser.close()
