"""Hostile texts that a page gives back to whoever sent them: searches, wrong forms, addresses, sign-ins."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from router.admin.site import Site
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.attacks.corpus import NUL, TEXTS
from tests.admin.attacks.markup import Markup
from tests.admin.attacks.planting import CONNECTED, Crm
from tests.admin.attacks.test_hostile_texts import staged
from tests.admin.pages.browser import Browser, open_browsers
from tests.admin.workers import replying
from tests.records.makers import JANE, Clock, tenant

HARMLESS = "harmless"
FEW = tuple("abcdefgh")
ADDRESS_MOST = 500
QUERIES = {
    "/t/acme/routing": ("search",),
    "/t/acme/calls": ("caller", "called", "rule", "destination", "outcome", "since", "until", "after"),
    "/t/acme/numbers": ("done", "imported"),
    "/t/acme/settings": ("done",),
    "/t/acme/integration/crm": ("done",),
    "/audit": ("who", "what", "since", "until", "tenant", "before"),
    "/account": ("done",),
    "/sign-in": ("back",),
    "/integration/return": ("state", "error", "error_description", "code"),
}
PATHS = (
    "/{}",
    "/t/{}",
    "/t/{}/routing",
    "/t/acme/routing/{}",
    "/t/acme/integration/{}",
    "/t/acme/integration/new/{}",
    "/t/acme/calls/{}",
    "/t/acme/settings/publications/{}",
    "/set-up/{}",
    "/sheets/{}/fields.css",
)
RULE = (
    "name",
    "note",
    "field",
    "modules",
    "source",
    "integration",
    "user",
    "user.name",
    "user.password",
    "location",
    "type",
    "several",
    "lookup_seconds",
    "lines.0.subject",
    "lines.0.field",
    "lines.0.operator",
    "lines.0.value",
    "lines.0.destination",
    "lines.0.option",
    "lines.0.type",
    "default.destination",
    "default.option",
    "custom.url",
    "custom.method",
    "custom.body",
    "custom.parameters",
    "custom.headers",
    "custom.auth",
    "custom.username",
    "custom.token",
    "greeting.sound",
    "greeting.min_digits",
    "outcomes.not_found.destination",
    "outcomes.not_found.option",
    "comment",
    "trial.caller",
    "trial.value",
    "trial.called",
    "trial.digits",
)
FORMS = {
    "/t/acme/routing/new": (RULE, {"lines": "1", "intent": "show"}),
    "/t/acme/routing/try": (RULE, {"lines": "1"}),
    "/t/acme/numbers": (("did", "rule", "note"), {}),
    "/t/acme/numbers/list": (("text",), {}),
    "/t/acme/numbers/entries": (("name", "rule", "note"), {}),
    "/t/acme/settings": (("name", "country", "zone", "hold_seconds", "destination", "option"), {}),
    "/t/acme/settings/retention": (("days",), {}),
    "/t/acme/settings/remove": (("confirmed",), {}),
    "/t/acme/integration/new/custom": (
        ("name", "settings.url", "settings.headers", "settings.body", "settings.auth", "log.subject"),
        {},
    ),
    "/t/acme/integration/crm/try": (("number", "digits", "field"), {}),
    "/users": (("name", "role", "tenant"), {}),
    "/tenants": (("id", "name", "country", "zone", "destination", "option"), {}),
    "/account": (("former", "password", "again"), {"intent": "password"}),
    "/account/tokens": (("name", "role", "tenant", "days"), {}),
    "/sign-in": (("name", "password", "back", "carried.note"), {}),
}
"""Each form's fields for a text, and those that stay."""


def asked(text: str) -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """The method, the address, the fields."""
    for path, names in QUERIES.items():
        yield "GET", f"{path}?{httpx.QueryParams(dict.fromkeys(names, text[:ADDRESS_MOST]))}", None
    for path in PATHS:
        yield "GET", path.format(quote(text[:ADDRESS_MOST], safe="")), None
    for path, (names, more) in FORMS.items():
        yield "POST", path, dict.fromkeys(names, text) | more


async def answers(browser: Browser, text: str) -> list[httpx.Response]:
    told = []
    for method, path, fields in asked(text):
        if fields is not None:
            await browser.get("/account")
            page = Markup(browser.page)
            fields = {"csrf": page.csrf, **fields}
        told.append(await browser.client.request(method, path, data=fields))
    return told


async def test_what_was_sent_comes_back_as_text(tmp_path: Path) -> None:
    async with staged(tmp_path, FEW) as stage, replying(stage.store, Crm(HARMLESS)):
        tags: set[tuple[str, ...]] = set()
        for answer in await answers(stage.browser, HARMLESS):
            tags |= set(Markup(answer.text).shape)
        for at, text in enumerate(TEXTS):
            stage.browser.client.headers["Accept-Language"] = ("en", "fr")[at % 2]
            for answer in await answers(stage.browser, text):
                held(answer, text, tags)


def held(answer: httpx.Response, text: str, tags: set[tuple[str, ...]]) -> None:
    where = (answer.request.method, str(answer.request.url)[:120], text[:80])
    assert answer.status_code < 500, where
    assert "evil" not in answer.headers.get("Location", "").partition("?")[0], where
    page = Markup(answer.text)
    strange = {one for one in page.shape if one not in tags and not is_of_errors(one)}
    assert (strange, page.handlers, page.others) == (set(), set(), []), where
    assert {scheme for _, scheme, _ in page.links} <= {"", "https"}, where


def is_of_errors(element: tuple[str, ...]) -> bool:
    """What a page says that is wrong with a field: a paragraph, and how the field is marked."""
    tag, *attributes = element
    return tag in ("p", "input", "select", "textarea") and set(attributes) <= PLAIN


PLAIN = {
    "id",
    "class",
    "name",
    "value",
    "type",
    "autocomplete",
    "aria-describedby",
    "aria-invalid",
    "autofocus",
    "required",
    "list",
    "rows",
}


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(integrations=CONNECTED), "first", JANE, managed_by="page")
    return site_of(configuration, store, clock)


async def test_a_nul_breaks_no_page(site: Site, store: MemoryStore) -> None:
    """PostgreSQL takes none in a text."""
    async with open_browsers(site, {"olga": ("provider", None)}) as browsers, replying(store, Crm("x")):
        told = await answers(await browsers("olga"), NUL)

    broken = [(one.request.method, str(one.request.url)[:100]) for one in told if one.status_code >= 500]
    assert broken == []


@pytest.mark.parametrize(
    "address",
    [one for one in TEXTS if "script:" in one.lower() or one.startswith(("data:", "//"))]
    + ["https:", "http:///x", "ftp://crm.example/", "blob:https://crm.example/x", "file:///etc/passwd"],
)
async def test_an_address_of_a_crm_is_a_link_only_where_it_leads_to_the_web(
    tmp_path: Path, address: str
) -> None:
    async with staged(tmp_path, FEW) as stage, replying(stage.store, Crm("x", address)):
        await stage.browser.get("/account")
        answer = await stage.browser.post("/t/acme/integration/crm/sign-in", {}, 422)

    assert {scheme for _, scheme, _ in Markup(answer.text).links} == {""}
