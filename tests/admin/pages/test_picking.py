"""The rule form offers what the CRM has: its modules, its fields with their labels, its picklists' values."""

from collections.abc import AsyncIterator

import pytest

from router.admin.pages.picking import module_options
from router.admin.site import Site
from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.errands import AnyErrand, ErrandFailed, Fields, ListFields, ListModules, Modules, Reply
from router.core.faults import Fault
from router.core.identities import IntegrationName
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.admin.workers import replying
from tests.records.makers import ACME, JANE, Clock, tenant

PICK = "/t/acme/routing/pick"
TIER = CrmField("tier", "Customer tier", CrmFieldType.CHOICE, (Choice("gold", "Gold"), Choice("silver")))
FIELDS = {
    "Contact": (TIER, CrmField("vip", "Very important", CrmFieldType.BOOLEAN)),
    "Lead": (CrmField("source"), CrmField("tier", "Not this one")),
}
HOSTILE = CrmField('"><script>', "'\"><img src=x onerror=alert(1)>")


def crm(errand: AnyErrand) -> Reply:
    match errand:
        case ListModules():
            return Modules((CrmModule("Contact", "Contacts"), CrmModule("Lead"), CrmModule("Odd")))
        case ListFields(module="Odd"):
            return Fields("Odd", (HOSTILE,))
        case ListFields():
            return Fields(errand.module, FIELDS[errand.module])
    return ErrandFailed(Fault.DOWN, "the CRM is down", "Wait.")


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    connected = [{"name": "crm", "connector": "salesforce", "settings": {}}]
    await configuration.apply(tenant(integrations=connected), "first", JANE, managed_by="page")
    return site_of(configuration, store, clock)


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with open_browsers(site, {"anna": ("editor", ACME), "vera": ("viewer", ACME)}) as browsers:
        yield await browsers("anna")


async def pick(browser: Browser, **changes: str) -> str:
    await browser.get("/t/acme/routing/new")
    fields = browser.fields() | {"source": "integration", "integration": "crm", **changes}
    return (await browser.post(PICK, fields, 200)).text


async def test_fields_of_all_modules_are_offered_once_with_their_labels(
    browser: Browser, store: MemoryStore
) -> None:
    async with replying(store, crm):
        page = await pick(browser, modules="Contact, Lead")

    assert '<option value="tier" label="Customer tier">' in page
    assert '<option value="source">' in page
    assert "Not this one" not in page
    assert "3 fields of Contact, Lead are offered" in page


async def test_a_lines_value_is_offered_from_the_picklist_of_its_field(
    browser: Browser, store: MemoryStore
) -> None:
    lines = {"lines": "2", "lines.1.subject": "other", "lines.1.field": "vip", "lines.1.operator": "="}
    async with replying(store, crm):
        page = await pick(browser, modules="Contact", field="tier", **lines)

    first, second = page.split('<datalist id="values-')[1:]
    assert first.startswith('0"><option value="gold" label="Gold"></option><option value="silver"></option>')
    assert second.startswith('1"><option value="true"></option>')


async def test_the_crm_is_asked_once_for_what_it_told(browser: Browser, store: MemoryStore) -> None:
    async with replying(store, crm) as taken:
        await pick(browser, modules="Contact")
        await pick(browser, modules="Contact, Lead")

    name = IntegrationName("crm")
    assert taken == [
        ListModules(tenant=ACME, integration=name),
        ListFields(tenant=ACME, integration=name, module="Contact"),
        ListFields(tenant=ACME, integration=name, module="Lead"),
    ]


async def test_what_is_wrong_with_the_crm_is_told(browser: Browser, store: MemoryStore) -> None:
    async with replying(store, lambda _: ErrandFailed(Fault.DOWN, "the CRM is down", "Wait.")):
        page = await pick(browser)

    assert "the CRM is down. Wait." in page


async def test_hostile_names_of_a_crm_stay_text(browser: Browser, store: MemoryStore) -> None:
    async with replying(store, crm):
        page = await pick(browser, modules="Odd")

    assert "<script>" not in page
    assert "<img" not in page


async def test_nobody_is_asked_for_another_source_or_another_tenants_integration(
    browser: Browser, store: MemoryStore
) -> None:
    async with replying(store, crm) as taken:
        for changes in ({"source": ""}, {"source": "custom"}, {"integration": ""}, {"integration": "theirs"}):
            await pick(browser, **changes)

    assert taken == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["Contact", "Lead"]),
        ("Contact", ["Contact, Lead"]),
        ("Contact, Le", ["Contact, Lead"]),
        ("Lead, Contact", []),
    ],
)
def test_a_module_is_offered_behind_those_that_are_chosen(typed: str, offered: list[str]) -> None:
    modules = [CrmModule("Contact"), CrmModule("Lead")]

    assert [value for value, _ in module_options(typed, modules)] == offered
