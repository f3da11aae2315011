"""The running system by the API and on pages without a browser: figures, roles, and who sees whose calls."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from router.admin import connecting, live
from router.admin.live import LiveBoard
from router.admin.pages import streams
from router.core.crm_states import SignIn, state_of
from router.core.errands import SignInState
from router.core.faults import Fault
from router.core.identities import RouterName, ServerName, TenantId
from router.core.rules import Outcome
from router.core.statuses import ServerStatus
from router.records import decisions
from router.records.configuration import Configuration
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.admin.api import Api, running, site_of
from tests.admin.pages.browser import open_browsers
from tests.admin.pages.telling import parked_call, status
from tests.admin.workers import replying
from tests.records.makers import ACME, JANE, OTHER, Clock, decision, profile, tenant

ACCOUNTS = {"olga": ("provider", None), "vera": ("viewer", ACME), "otto": ("admin", OTHER)}
DOWN = ServerStatus(
    server=ServerName("pbx2"), is_connected=False, since_seconds=30.0, problem="login refused for crmroute"
)


@pytest.fixture
async def configured(configuration: Configuration, clock: Clock) -> Configuration:
    """An hour with four calls of Acme and one of another tenant."""
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    at = clock.now
    made = [
        decision("a-1", parked_at=at - 600),
        decision("a-2", parked_at=at - 600),
        decision("a-3", parked_at=at - 120, outcome=Outcome.TIMEOUT),
        decision("a-old", parked_at=at - 4_000),
        decision("o-1", parked_at=at - 60, tenant=OTHER),
    ]
    async with configuration.database.writing() as connection:
        await decisions.write(connection, made)
    return configuration


@pytest.fixture
async def told(store: MemoryStore) -> MemoryStore:
    """One router with two servers, calls of both tenants held, and a decision of each."""
    held = parked_call("a-9"), parked_call("o-9", "other")
    await store.statuses.put(status(*held, servers=(DOWN,)))
    await store.statuses.put(status(*held, router="router-2"))
    for one in (decision("a-8"), decision("o-8", tenant=OTHER)):
        await store.decisions.record(one, is_only_witness=True)
    return store


@pytest.fixture
async def api(
    configured: Configuration, told: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    monkeypatch.setattr(connecting, "STATE_SECONDS", 0.1)
    async with running(site_of(configured, told, clock)) as made:
        yield made


@pytest.fixture
async def browsers(configured: Configuration, told: MemoryStore, clock: Clock) -> AsyncIterator[Any]:
    async with open_browsers(site_of(configured, told, clock), ACCOUNTS) as made:
        yield made


def calls_in(body: Any) -> tuple[list[str], list[str]]:
    return [one["call"] for one in body["parked_calls"]], [one["call"] for one in body["decided_calls"]]


# Live


async def test_a_tenant_sees_its_own_calls_and_the_provider_all(api: Api) -> None:
    own = await api.get("/tenants/acme/live", who="viewer@acme")
    everything = await api.get("/live", who="provider")

    assert calls_in(own) == (["a-9"], ["a-8"])
    assert (own["parked"], own["decided"]) == (1, 1)
    assert "other" not in str(own)
    assert calls_in(everything) == (["a-9", "o-9"], ["o-8", "a-8"])
    assert (everything["parked"], everything["decided"]) == (2, 2)


@pytest.mark.parametrize(
    ("path", "who", "status_code"),
    [
        ("/tenants/acme/live", "", 401),
        ("/tenants/acme/live", "admin@other", 404),
        ("/tenants/acme/overview", "admin@other", 404),
        ("/tenants/nobody/live", "provider", 404),
        ("/live", "admin@acme", 404),
        ("/overview", "admin@acme", 404),
        ("/servers", "admin@acme", 404),
        ("/tenants/acme/live", "viewer@acme", 200),
        ("/live", "provider", 200),
        ("/servers", "provider", 200),
    ],
)
async def test_who_may_see_it(api: Api, path: str, who: str, status_code: int) -> None:
    assert (await api.ask("GET", path, who=who)).status_code == status_code


@pytest.mark.parametrize(
    ("path", "who", "status_code"),
    [
        ("/t/acme", "vera", 200),
        ("/t/acme/live", "vera", 200),
        ("/t/acme", "otto", 404),
        ("/t/acme/live", "otto", 404),
        ("/t/acme/live/stream", "otto", 404),
        ("/live", "vera", 404),
        ("/live/stream", "vera", 404),
        ("/overview", "vera", 404),
        ("/servers", "vera", 404),
        ("/live", "olga", 200),
        ("/servers", "olga", 200),
        ("/overview", "olga", 200),
        ("/t/acme", "olga", 200),
    ],
)
async def test_who_may_see_the_pages(browsers: Any, path: str, who: str, status_code: int) -> None:
    await (await browsers(who)).get(path, status_code)


async def test_a_stream_of_nobody_ends_at_once(browsers: Any) -> None:
    stranger = await browsers()
    answer = await stranger.client.get("/t/acme/live/stream")

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert "event: ended" in answer.text
    assert "a-9" not in answer.text


async def test_streams_are_bounded(browsers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "OPEN_MOST", 0)

    await (await browsers("vera")).get("/t/acme/live/stream", 503)


async def test_a_start_leads_to_one_s_own_overview(browsers: Any) -> None:
    starts = [(await (await browsers(who)).client.get("/")).headers["Location"] for who in ("vera", "olga")]

    assert starts == ["/t/acme", "/overview"]


# Overview


async def test_a_tenant_s_overview_tells_its_hour(api: Api) -> None:
    body = await api.get("/tenants/acme/overview", who="viewer@acme")

    assert (body["parked"], body["hour"]["calls"], body["hour"]["failed"]) == (1, 3, 1)
    assert body["hour"]["outcomes"] == {"found": 2, "timeout": 1}
    assert len(body["hour"]["minutes"]) == 60
    assert [one["calls"] for one in body["hour"]["minutes"] if one["calls"]] == [2, 1]
    assert [(one["integration"], one["state"]["condition"]) for one in body["crms"]] == [("crm", "unknown")]


async def test_an_overview_tells_of_a_crm_what_the_integration_s_own_state_tells(
    api: Api, told: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "STATE_SECONDS", 30)
    sign_in = SignIn(has_grant=True, by_person=True, problem="the token is refused", fault=Fault.SIGN_IN)
    reply = SignInState(needs_sign_in=True, is_signed_in=False, crm=state_of(sign_in, None))

    async with replying(told, lambda _: reply):
        body = await api.get("/tenants/acme/overview", who="viewer@acme")
        own = await api.get("/tenants/acme/integrations/crm/state", who="viewer@acme")

    assert body["crms"][0]["state"] == own
    assert (own["condition"], own["problem"]) == ("needs_authorisation", "the token is refused")


async def test_the_provider_s_overview_has_tenants_with_trouble_first(api: Api) -> None:
    body = await api.get("/overview", who="provider")

    assert (body["parked"], body["hour"]["calls"]) == (2, 4)
    assert [(one["tenant"], one["calls"], one["failed"]) for one in body["tenants"]] == [
        ("acme", 3, 1),
        ("other", 1, 0),
    ]
    assert [one["router"] for one in body["running"]["routers"]] == ["router-1", "router-2"]


async def test_without_redis_the_hour_is_told_and_the_page_says_what_is_missing(
    api: Api, browsers: Any, told: MemoryStore
) -> None:
    told.outage = StoreUnavailable("away")
    body = await api.get("/overview", who="provider")
    own = await api.get("/tenants/acme/overview", who="viewer@acme")
    olga = await browsers("olga")

    assert (body["parked"], body["running"], body["hour"]["calls"]) == (None, None, 4)
    assert (own["parked"], own["hour"]["calls"]) == (None, 3)
    assert (await api.ask("GET", "/servers", who="provider")).status_code == 503
    for path in ("/overview", "/t/acme", "/live", "/t/acme/live", "/servers"):
        assert "Redis cannot be reached" in await olga.get(path)


# Servers


async def test_servers_are_told_with_their_links(api: Api) -> None:
    body = await api.get("/servers", who="provider")

    first, second = body["servers"]
    assert (first["server"], first["is_reached"]) == ("pbx2", False)
    assert [(one["router"], one["problem"]) for one in first["links"]] == [
        ("router-1", "login refused for crmroute")
    ]
    assert (second["server"], second["is_reached"], second["version"]) == ("pbx1", True, "22.10.1")
    assert [one["router"] for one in second["links"]] == ["router-1", "router-2"]
    assert (second["parked"], second["calls_of_last_minute"]) == (2, 2)


async def test_the_page_says_what_to_mend(browsers: Any, told: MemoryStore) -> None:
    old = replace(
        DOWN, server=ServerName("pbx0"), is_connected=True, problem="", warning="Asterisk 20.5 is old"
    )
    await told.statuses.put(status(router="router-3", servers=(old,)))
    page = await (await browsers("olga")).get("/servers")

    assert "login refused for crmroute" in page
    assert "crmroute doctor tries each step" in page
    assert "Asterisk 20.5 is old" in page


async def test_a_router_and_a_server_that_fell_silent_are_missed(browsers: Any, told: MemoryStore) -> None:
    told.statuses.age(60)
    await told.statuses.put(replace(status(), router=RouterName("router-9")))
    page = await (await browsers("olga")).get("/servers")

    assert "silent for" in page
    assert "No router tells of this server any more" in page


async def test_an_installation_without_routers_says_the_next_step(
    configured: Configuration, store: MemoryStore, clock: Clock
) -> None:
    async with open_browsers(site_of(configured, store, clock), ACCOUNTS) as made:
        olga = await made("olga")

        assert "Start one with crmroute run" in await olga.get("/overview")
        assert "No router tells of a server" in await olga.get("/servers")


# One reading for all


async def test_redis_is_read_once_for_all_who_look(
    told: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FRESH_SECONDS", 60)
    board, read, readings = LiveBoard(told), told.statuses.read, 0

    async def counted() -> Any:
        nonlocal readings
        readings += 1
        return await read()

    monkeypatch.setattr(told.statuses, "read", counted)
    views = await asyncio.gather(*(board.view(one) for one in (ACME, OTHER, None, ACME, TenantId("x"))))
    await board.servers()

    assert readings == 1
    assert [view.parked.count for view in views] == [1, 1, 2, 1, 0]


async def test_an_outage_is_met_once_for_all_who_look(
    told: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "AWAY_SECONDS", 60)
    board, readings = LiveBoard(told), 0

    async def failing() -> Any:
        nonlocal readings
        readings += 1
        raise StoreUnavailable("away")

    monkeypatch.setattr(told.statuses, "read", failing)
    met = await asyncio.gather(*(board.view(ACME) for _ in range(5)), return_exceptions=True)

    assert [type(one) for one in met] == [StoreUnavailable] * 5
    assert readings == 1


async def test_an_outage_is_told_and_ends(told: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FRESH_SECONDS", 0)
    monkeypatch.setattr(live, "AWAY_SECONDS", 0)
    board = LiveBoard(told)
    await board.view(ACME)
    told.outage = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await board.view(ACME)
    told.outage = None

    assert (await board.view(ACME)).decided.count == 1


async def test_more_decisions_than_one_reading_takes_are_all_counted(store: MemoryStore) -> None:
    for number in range(live.READ_TOGETHER + 3):
        await store.decisions.record(decision(f"a-{number}"), is_only_witness=True)

    view = await LiveBoard(store).view(ACME)

    assert view.decided.count == live.READ_TOGETHER + 3
    assert view.decided.calls[0].call == f"a-{live.READ_TOGETHER + 2}"
