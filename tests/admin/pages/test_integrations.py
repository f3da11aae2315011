"""The section Integration: each connector has a form, secrets never come out, a test tells what fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.admin.pages.integration_form import fields_of, integration_of
from router.admin.pages.setting_fields import sheet_of
from router.admin.secrets import Secrets
from router.admin.site import Site
from router.core.call_logs import CallEnd
from router.core.errands import Checked, CheckedStep, StepState
from router.core.faults import Step
from router.core.identities import IntegrationName
from router.core.manifest_conditions import counts
from router.core.manifests import Manifest, Setting
from router.core.tenants import Integration
from router.records import integrations
from router.records.configuration import Configuration
from router.settings.manifest_files import load_manifests
from router.settings.sealed import Sealer
from router.store.memory import MemoryStore
from tests.admin.api import VAULT, site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.records.makers import ACME, JANE, OTHER, Clock, profile, tenant
from tests.workers.test_manifests import CONFIG

MANIFESTS = load_manifests(CONFIG)
SECRET = "canary-7f3a"
SECRETS = Secrets(MANIFESTS, VAULT, ACME)
PATH = "/t/acme/integration"
ACCOUNTS = {"anna": ("admin", ACME), "vera": ("viewer", ACME), "otto": ("admin", OTHER)}


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    return site_of(configuration, store, clock)


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with open_browsers(site, ACCOUNTS) as browsers:
        yield await browsers("anna")


async def kept(site: Site, name: str) -> Integration:
    async with site.database.reading() as connection:
        return (await integrations.one(connection, ACME, name)).document


@pytest.mark.parametrize("slug", sorted(MANIFESTS))
def test_an_integration_that_is_saved_unchanged_is_unchanged(slug: str) -> None:
    manifest = MANIFESTS[slug]
    blank = Integration(name=IntegrationName("mine"), connector=slug)
    first = integration_of(fields_of(blank, manifest), slug, manifest, None)

    again = integration_of(fields_of(SECRETS.shown(first)[0], manifest), slug, manifest, first)

    assert again == first


def test_a_list_of_numbers_is_one_of_numbers() -> None:
    manifest = MANIFESTS["custom"]
    fields = {
        "name": "mine",
        "settings.url": "https://crm.example",
        "settings.not_found_statuses": "404, 410",
    }

    assert integration_of(fields, "custom", manifest, None).settings["not_found_statuses"] == [404, 410]
    fields["settings.not_found_statuses"] = ""
    assert integration_of(fields, "custom", manifest, None).settings["not_found_statuses"] == []


@pytest.mark.parametrize("slug", sorted(MANIFESTS))
async def test_every_connector_has_a_form(browser: Browser, slug: str) -> None:
    page = await browser.get(f"{PATH}/new/{slug}")

    for setting in MANIFESTS[slug].settings:
        assert f'name="settings.{setting.name}"' in page


async def test_a_crm_is_connected_and_its_secret_is_not_shown(browser: Browser, site: Site) -> None:
    await browser.get(f"{PATH}/new/zendesk")
    fields = browser.fields() | {
        "name": "support",
        "settings.url": "https://acme.zendesk.com",
        "settings.auth": "token",
        "settings.username": "anna@acme.example",
        "settings.token": SECRET,
        "log.answered": "true",
    }
    saved = await browser.post(f"{PATH}/new/zendesk", fields)
    page = await browser.get(saved.headers["Location"])

    assert SECRET not in page
    assert "It is set, and is not shown." in page
    document = await kept(site, "support")
    assert document.log.calls == (CallEnd.ANSWERED,)
    assert Sealer(VAULT, ACME, "support").unseal(document.settings["token"]["sealed"]) == SECRET
    await browser.post(f"{PATH}/support", browser.fields() | {"log.missed": "true"})
    again = await kept(site, "support")
    assert Sealer(VAULT, ACME, "support").unseal(again.settings["token"]["sealed"]) == SECRET


def test_what_does_not_count_is_neither_demanded_nor_kept() -> None:
    manifest = MANIFESTS["dynamics"]
    fields = {
        "name": "mine",
        "settings.url": "https://acme.crm4.dynamics.com",
        "settings.api": "2015",
        "settings.version": "v9.1",
        "settings.sign_in": "ntlm",
        "settings.username": "ACME\\anna",
        "settings.client_id": "typed before",
        "settings.client_secret": SECRET,
    }
    former = Integration(
        name=IntegrationName("mine"), connector="dynamics", settings={"client_secret": {"sealed": "x"}}
    )

    made = integration_of(fields, "dynamics", manifest, former).settings

    assert made["username"] == "ACME\\anna"
    assert {"version", "client_id", "directory"} & made.keys() == set()
    assert made["client_secret"] is None, "null removes a secret that is kept"
    fields |= {"settings.api": "web", "settings.sign_in": "client"}
    again = integration_of(fields, "dynamics", manifest, former).settings
    assert (again["version"], again["client_id"], again["client_secret"]) == ("v9.1", "typed before", SECRET)
    assert "username" not in again


def test_a_setting_of_a_setting_that_does_not_count_does_not_count() -> None:
    first = Setting(name="first", choices=("a", "b"))
    second = Setting(name="second", choices=("c", "d"), when={"first": ("a",)})
    third = Setting(name="third", when={"second": ("c",)})
    manifest = Manifest(slug="own", settings=(first, second, third))

    assert counts(manifest, third, {"first": "a", "second": "c"})
    assert not counts(manifest, third, {"first": "b", "second": "c"})
    assert '[data-setting="third"]' in sheet_of(manifest)
    assert sheet_of(manifest).count("display: none") == 3


async def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(browser: Browser) -> None:
    await browser.get(f"{PATH}/new/custom")
    fields = browser.fields() | {"name": "not / a name", "settings.url": "https://crm.example"}

    await browser.post(f"{PATH}/new/custom", fields, 422)

    assert browser.fields()["settings.url"] == "https://crm.example"


async def test_an_integration_in_use_is_not_deleted(browser: Browser) -> None:
    await browser.get(f"{PATH}/crm")
    await browser.post(f"{PATH}/crm/delete", {}, 422)

    assert "Sales" in browser.page


async def test_the_test_names_the_step_that_failed(browser: Browser, store: MemoryStore) -> None:
    await browser.get(f"{PATH}/crm")
    told = CheckedStep(Step.CREDENTIALS, StepState.FAILED, "the token is refused", "Make a new token.")

    async def work() -> None:
        taken = await store.errands.take()
        assert taken is not None
        await store.errands.reply(taken, Checked((told,), 1, 0.1))

    working = asyncio.create_task(work())
    await browser.post(f"{PATH}/crm/test", {}, 200)
    await working

    assert "the token is refused" in browser.page
    assert "Make a new token." in browser.page


async def test_who_may_not_connect_changes_nothing(site: Site) -> None:
    async with open_browsers(site, ACCOUNTS) as browsers:
        vera, otto = await browsers("vera"), await browsers("otto")
        page = await vera.get(f"{PATH}/crm")
        assert 'button class="primary"' not in page
        await vera.post(f"{PATH}/crm", vera.fields(), 403)
        await vera.get(f"{PATH}/new/custom", 403)
        for path in (PATH, f"{PATH}/crm", f"{PATH}/crm/state", f"{PATH}/new/custom"):
            await otto.get(path, 404)
        await otto.get("/t/other/integration/crm", 404)
