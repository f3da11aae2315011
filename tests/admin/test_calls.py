"""The history of calls, by the API and on its pages."""

from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from router.admin.pages.labels import DESTINATIONS
from router.core import decisions as traces
from router.core.destinations import DestinationKind
from router.core.plans import digest_of
from router.core.rules import Outcome
from router.records import decisions
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import Api, running, site_of
from tests.admin.pages.browser import PASSWORD, Browser, open_browsers
from tests.records.makers import ACME, JANE, Clock, decision, profile, tenant

HELD = traces.LineTrace(1, True, (traces.TestTrace("tier", "Gold", "=", "Gold", traces.Verdict.HELD),))
FIRST = 1_777_626_000.0
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def configured(configuration: Configuration) -> Configuration:
    """Sixty calls, a second apart; the last is withheld, and the one before of a hostile caller."""
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    plan = digest_of(tenant())
    made = [
        decision(
            f"pbx1-{number}.1",
            by=f"06123456{number:02d}",
            parked_at=FIRST + number,
            plan=plan,
            lines=(HELD,),
            line_held=1,
            asked_why="line 1",
        )
        for number in range(58)
    ]
    made.append(decision("pbx1-58.1", by=HOSTILE, parked_at=FIRST + 58, plan=plan))
    made.append(decision("pbx1-59.1", by="", parked_at=FIRST + 59, plan="of-old", outcome=Outcome.WITHHELD))
    async with configuration.database.writing() as connection:
        await decisions.write(connection, made)
    return configuration


@pytest.fixture
async def api(configured: Configuration, store: MemoryStore, clock: Clock) -> AsyncIterator[Api]:
    async with running(site_of(configured, store, clock)) as made:
        yield made


@pytest.fixture
async def browser(configured: Configuration, store: MemoryStore, clock: Clock) -> AsyncIterator[Browser]:
    async with open_browsers(site_of(configured, store, clock), {"anna": ("admin", ACME)}) as browsers:
        yield await browsers("anna")


async def calls_of(api: Api, **query: Any) -> list[str]:
    page = await api.get("/tenants/acme/calls", params=query)
    return [one["call"] for one in page["calls"]]


async def test_pages_follow_each_other_without_a_gap(api: Api) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = await api.get("/tenants/acme/calls", params={"limit": 25, "after": after})
        seen += [one["call"] for one in page["calls"]]
        after = page["next"]
        if not after:
            break

    assert seen == [f"pbx1-{number}.1" for number in reversed(range(60))]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"caller": "06 12 34 56 07"}, [7]),
        ({"caller": "+33612345607"}, [7]),
        ({"caller": "5607"}, [7]),
        ({"caller": "withheld"}, [59]),
        ({"outcome": "withheld"}, [59]),
        ({"since": "2026-05-01T09:00:10+00:00", "until": "2026-05-01T09:00:12+00:00"}, [11, 10]),
        ({"rule": "No such rule"}, []),
        ({"destination": "queue silver"}, []),
    ],
)
async def test_calls_are_found(api: Api, query: dict[str, str], numbers: list[int]) -> None:
    assert await calls_of(api, **query) == [f"pbx1-{number}.1" for number in numbers]


async def test_a_call_tells_its_trace_and_the_version_that_decided(api: Api) -> None:
    details = await api.get("/tenants/acme/calls/pbx1-7.1")

    (parking,) = details["parkings"]
    assert parking["decided_by"] == {"publication": 1, "rule_version": 1}
    assert any("Line 1 holds" in step["text"] for step in parking["steps"])


async def test_a_call_of_another_configuration_is_told_without_a_version(api: Api) -> None:
    (parking,) = (await api.get("/tenants/acme/calls/pbx1-59.1"))["parkings"]

    assert parking["decided_by"] is None


@pytest.mark.parametrize("after", ["x", "1e9_1", "_", "1_2_3", "٣_١"])
async def test_a_place_that_was_not_given_is_refused(api: Api, after: str) -> None:
    refused = await api.ask("GET", "/tenants/acme/calls", params={"after": after})

    assert (refused.status_code, refused.json()["type"]) == (400, "urn:crmroute:problem:malformed")


async def test_calls_are_kept_as_long_as_the_tenant_says(api: Api) -> None:
    changed = await api.ask("PUT", "/tenants/acme/retention", {"days": 30})
    refused = await api.ask("PUT", "/tenants/acme/retention", {"days": 0})

    assert (changed.status_code, refused.status_code) == (200, 409)
    assert await api.get("/tenants/acme/retention") == {"days": 30}
    assert (
        await api.ask("PUT", "/tenants/acme/retention", {"days": 9}, who="editor@acme")
    ).status_code == 403


async def test_another_tenant_s_call_is_not_there(api: Api) -> None:
    assert (await api.ask("GET", "/tenants/other/calls/pbx1-7.1", who="admin@other")).status_code == 404
    assert (await api.get("/tenants/other/calls", who="admin@other"))["calls"] == []


async def test_the_history_is_read_page_by_page(browser: Browser) -> None:
    page = await browser.get("/t/acme/calls")

    assert page.count("<tr>") == 51
    assert "because line 1 holds: tier = Gold" in page
    older = unescape(page).split('class="button" href="')[1].split('"')[0]
    assert (await browser.get(older)).count("<tr>") == 11


async def test_a_search_keeps_what_was_typed(browser: Browser) -> None:
    page = await browser.get("/t/acme/calls?caller=5607&since=2026-05-01T00:00")

    assert "+33612345607" in page
    assert page.count("<tr>") == 2
    assert browser.fields()["caller"] == "5607"


async def test_a_call_s_page_leads_to_the_version_of_its_rule(browser: Browser) -> None:
    page = await browser.get("/t/acme/calls/pbx1-7.1")

    assert "Line 1 holds" in page
    link = page.split('href="/t/acme/routing/')[1].split('"')[0]
    assert link.endswith("/versions#version-1")
    assert 'id="version-1"' in await browser.get(f"/t/acme/routing/{link}")


async def test_a_hostile_caller_is_text(browser: Browser) -> None:
    for path in ("", "/pbx1-58.1", f"?caller={HOSTILE}&rule={HOSTILE}"):
        page = await browser.get(f"/t/acme/calls{path}")
        assert "<script>alert" not in page


@pytest.mark.parametrize(
    "query", ["outcome=x&since=x&until=9999-99", "after=x", "caller=%00", "since=0001-01-01"]
)
async def test_a_mangled_search_is_no_mistake_of_ours(browser: Browser, query: str) -> None:
    answer = await browser.client.get(f"/t/acme/calls?{query}")

    assert answer.status_code in (200, 400)
    assert PASSWORD not in answer.text


def test_every_destination_has_a_name() -> None:
    assert set(DESTINATIONS) == set(DestinationKind)
