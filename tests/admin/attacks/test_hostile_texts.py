"""Hostile texts on every page that shows them: they are shown, and nothing comes of them.

Each page is compared with what it is when the same fields hold harmless texts: the same elements, as often,
with the same attributes, and addresses that lead to the same places.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from router.core.display import one_line
from router.records.configuration import Configuration
from router.records.database import open_database
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.attacks.corpus import TEXTS
from tests.admin.attacks.markup import Markup
from tests.admin.attacks.planting import Crm, Planted, call, named, plant, told_status
from tests.admin.pages.browser import Browser, open_browsers
from tests.admin.workers import replying
from tests.records.makers import Clock, checked

HARMLESS = tuple(f"harmless text {at}" for at in range(len(TEXTS)))
LANGUAGES = ("en", "fr")
RULES = "/t/acme/routing/{}"


class Stage(Struct, frozen=True):
    clock: Clock
    store: MemoryStore
    browser: Browser
    planted: Planted


@asynccontextmanager
async def staged(folder: Path, texts: Sequence[str]) -> AsyncIterator[Stage]:
    """A site full of the texts, a provider's browser on it."""
    clock, store = Clock(), MemoryStore()
    database = await open_database(f"sqlite:///{folder}/records.db")
    site = site_of(Configuration(database, clock, checked), store, clock)
    try:
        planted = await plant(site.configuration, site.accounts, texts, clock.now)
        await store.statuses.put(told_status(texts))
        for at, text in enumerate(texts):
            await store.decisions.record(call(text, at, clock.now), is_only_witness=True)
        async with open_browsers(site, {"olga": ("provider", None)}) as browsers:
            yield Stage(clock, store, await browsers("olga"), planted)
    finally:
        await database.aclose()


async def every_page(stage: Stage, texts: Sequence[str]) -> dict[str, Markup]:
    """Each page in each language, asked while the CRM tells one of the texts."""
    pages = {}
    async with replying(stage.store, Crm(texts[8])):
        for language in LANGUAGES:
            await stage.browser.post("/language", {"language": language, "back": "/account"})
            for path in (*stage.planted.pages, *with_endings(stage.planted.rules)):
                await stage.store.statuses.put(told_status(texts))  # it lives for seconds only
                pages[f"{language} {path}"] = Markup(await stage.browser.get(path))
    return pages


def with_endings(rules: Sequence[str]) -> Iterator[str]:
    for path in rules:
        yield from (path, f"{path}/versions", f"{path}/delete")


def differences(path: str, hostile: Markup, harmless: Markup) -> list[object]:
    """A rule's page may tell of a text that cannot be what it is used as, in a paragraph more."""
    is_told = {("p", "class")} if "/routing/" in path else set()
    more, fewer = hostile.shape - harmless.shape, harmless.shape - hostile.shape
    told: list[object] = [one for one in (*more, *fewer) if one not in is_told]
    return [*told, *(hostile.links - harmless.links), *hostile.others, *hostile.handlers]


Pairs = dict[str, tuple[Markup, Markup]]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """The hostile one and the harmless one."""

    async def ask() -> Pairs:
        read = []
        for texts in (TEXTS, HARMLESS):
            async with staged(tmp_path_factory.mktemp("site"), texts) as stage:
                read.append(await every_page(stage, texts))
        return {path: (hostile, read[1][path]) for path, hostile in read[0].items()}

    return asyncio.run(ask())


def test_no_page_has_an_element_an_attribute_or_an_address_more(pages: Pairs) -> None:
    assert {path: found for path, pair in pages.items() if (found := differences(path, *pair))} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_as_a_text(pages: Pairs, language: str) -> None:
    said = {path: hostile.said for path, (hostile, _) in pages.items()}
    missing = []
    for at, text in enumerate(TEXTS):
        rule = said[f"{language} {RULES.format(at + 3)}"]
        told = {
            "note": text in rule,
            "name": named(text, at) in rule,
            "comment": text in said[f"{language} {RULES.format(at + 3)}/versions"],
            "rules": named(text, at) in said[f"{language} /t/acme/routing"],
            "number": text in said[f"{language} /t/acme/numbers"],
            "tenant": text in said[f"{language} /tenants"],
            "tenant's settings": text in said[f"{language} /t/t{at}/settings"],
            "user": named(text, at) in said[f"{language} /users"],
            "token": named(text, at) in said[f"{language} /account/tokens"],
            "call": one_line(text, 100).rstrip("…") in said[f"{language} /t/acme/calls/pbx1-{at}.1"],
        }
        missing += [(text[:80], where) for where, is_there in told.items() if not is_there]

    assert missing == []


async def test_what_a_crm_replies_is_text_wherever_it_is_told(tmp_path: Path) -> None:
    """Its errors, modules, fields, picklists, records, sign-ins; harmless ones first, to compare with."""
    async with staged(tmp_path, HARMLESS[:10]) as stage:
        harmless = await crm_pages(stage, HARMLESS[0])
        for at, text in enumerate(TEXTS):
            language = LANGUAGES[at % 2]
            await stage.browser.post("/language", {"language": language, "back": "/account"})
            for where, page in (await crm_pages(stage, text)).items():
                assert differences("", page, harmless[where]) == [], (where, text)
                assert visible(text)[:80] in visible(page.said), (where, text)


def visible(text: str) -> str:
    """Without spaces and signs that do not show, which a telling in one line does not keep."""
    return "".join(sign for sign in text if sign.isprintable() and sign != " ")


async def crm_pages(stage: Stage, text: str) -> dict[str, Markup]:
    browser, told = stage.browser, {}
    crm = Crm(text)
    base = "/t/acme/integration/crm"

    async def post(name: str, path: str, fields: dict[str, str], status: int = 200) -> None:
        await browser.get("/account")
        told[name] = Markup((await browser.post(path, fields, status)).text)

    async with replying(stage.store, crm):
        stage.clock.now += 600  # what it told before is forgotten
        told["state"] = Markup(await browser.get(f"{base}/state"))
        await post("test", f"{base}/test", {})
        await post("try", f"{base}/try", {"number": "0612345678"})
        picked = {"source": "integration", "integration": "crm", "modules": "Contact", "field": "tier"}
        picked |= {"lines": "1", "lines.0.operator": "=", "location": "did", "type": "auto"}
        await post("pick", "/t/acme/routing/pick", picked)
        await post("sign-in", f"{base}/sign-in", {})
        query = {"state": "s" * 32, "error": "invalid_scope", "error_description": text}
        answer = await browser.client.get("/integration/return", params=query)
        told["refused"] = Markup(answer.text)
        assert answer.status_code == 422
        crm.is_failing = True
        await post("failed test", f"{base}/test", {})
        await post("failed sign-in", f"{base}/sign-in", {}, 422)
    told.pop("sign-in")
    return told
