"""French pages tell in French what is wrong, escaped as ever."""

from collections.abc import AsyncIterator, Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.admin.pages.languages import Language
from router.admin.pages.rendering import Pages, Reader
from router.admin.site import Site
from router.core.errands import Checked, CheckedStep, StepState
from router.core.faults import MENDS, Fault, Step
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.records.makers import ACME, JANE, Clock, tenant

FRENCH = Language("fr")
Browsers = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock, tmp_path: Path) -> Site:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    return msgspec.structs.replace(site_of(configuration, store, clock), folder=tmp_path)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Browsers]:
    async with open_browsers(site, {"anna": ("admin", ACME)}) as opened:
        yield opened


async def french_browser(browsers: Browsers) -> Browser:
    browser = await browsers("anna")
    browser.client.headers["accept-language"] = "fr"
    return browser


WRITTEN = "<b>(.*)+{0}{name}</b>"


async def test_a_number_list_is_refused_in_french(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/numbers")

    await browser.post("/t/acme/numbers/list", {"text": f'+33142345009,"{WRITTEN}"'}, 200)

    assert f"il n’y a pas de règle «\u00a0{escape(WRITTEN)}\u00a0». Permis\u00a0: `" in browser.page
    assert WRITTEN not in browser.page


async def test_a_wrong_profile_is_told_in_french_at_its_field(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/settings")

    await browser.post("/t/acme/settings", browser.fields() | {"hold_seconds": "44"}, 422)
    assert "il faut un nombre d’au plus 20.0. La documentation dit ce qui est permis." in browser.page

    await browser.post("/t/acme/settings", browser.fields() | {"country": "<B>", "hold_seconds": ""}, 422)
    assert "il faut un texte de la forme &#39;^[A-Z]{2}$&#39;" in browser.page


async def test_what_is_wrong_with_a_file_is_told_in_french(
    browsers: Browsers, configuration: Configuration, tmp_path: Path
) -> None:
    file = tmp_path / "tenants" / "acme.toml"
    file.parent.mkdir()
    file.write_text(f'"{WRITTEN}" = 1\ndefault = {{ destination = "queue", option = "a" }}\ncountry = "FR"\n')
    await configuration.manage(ACME, "files", JANE)
    browser = await french_browser(browsers)

    page = await browser.get("/t/acme/settings")

    assert f"il n’y a pas de réglage «\u00a0{escape(WRITTEN)}\u00a0» ici. Permis ici\u00a0: " in page
    assert f"{file}:1: erreur: " in page


async def test_a_publication_tells_its_changes_in_french(
    browsers: Browsers, configuration: Configuration
) -> None:
    former = tenant()
    changed = msgspec.structs.replace(former.numbers[0], note=WRITTEN)
    await configuration.apply(
        msgspec.structs.replace(former, numbers=(changed, *former.numbers[1:])), "", JANE, managed_by="page"
    )
    browser = await french_browser(browsers)

    page = await browser.get("/t/acme/settings/publications/2")

    assert f"SDA {changed.did}, note\u00a0: " in page
    assert escape(WRITTEN) in page


def fragment(template: str, **told: Any) -> str:
    reader = Reader(language=FRENCH, identity=None, csrf="", path="/")
    return Pages().fragment(template, reader, **told)


def test_a_connection_test_names_its_steps_and_mends_in_french_and_quotes_the_crm() -> None:
    passed = CheckedStep(Step.SEARCH, StepState.PASSED, "a number that nobody has was searched")
    failed = CheckedStep(
        Step.CREDENTIALS, StepState.FAILED, f"there is no rule {WRITTEN}", MENDS[Fault.RIGHTS]
    )

    page = fragment("integration-reply.html", reply=Checked((passed, failed), 2, 0.5))

    assert "un numéro que personne n’a a été recherché" in page
    assert ">identifiants</span>" in page
    assert f"there is no rule {escape(WRITTEN)}" in page  # the CRM's own words
    assert "Donnez dans le CRM à l’utilisateur" in page


async def test_a_rule_s_name_that_is_taken_is_told_in_french(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/routing/new")

    await browser.post("/t/acme/routing/new", browser.fields() | {"name": "Sales", "field": "status"}, 422)

    assert "il y a déjà une règle Sales" in browser.page
