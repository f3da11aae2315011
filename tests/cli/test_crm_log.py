"""`crmroute crm log` and `crm retry`, on a store with calls that wait, fail, and were given up."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from router.core.call_logs import CallEnd, FinishedCall
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import OpenCall
from router.store.redis_store import RedisStore
from tests.cli.conftest import Crmroute
from tests.store.servers import settings_for

ACME, OTHER = TenantId("acme"), TenantId("other")
PROBLEM = "the CRM failed (503)\x1b[2J"


@pytest.fixture
def crm(crmroute: Crmroute, site: Path) -> Crmroute:
    return lambda *words: crmroute("crm", *words, "--config", str(site))


def in_store(url: str, work: Callable[[RedisStore], Awaitable[None]]) -> None:
    async def run() -> None:
        store = RedisStore(settings_for(url))
        try:
            await work(store)
        finally:
            await store.aclose()

    asyncio.run(run())


async def queue(store: RedisStore, number: int, tenant: TenantId = ACME, crm: str = "sales") -> None:
    shared: dict[str, Any] = {
        "tenant": tenant,
        "integration": IntegrationName(crm),
        "call_id": Uniqueid(f"pbx-a-{number}.1"),
        "started_at": 1_777_626_000.0,
        "caller": "+33639980001",
        "called": "+33142345001",
    }
    opened = OpenCall(
        **shared, parking=1, reached_at=1.0, destination="queue gold", rule="Sales", decision="Queue gold."
    )
    finished = FinishedCall(
        **shared, ending=CallEnd.MISSED, seconds=60, subject="A call", decision="Queue gold."
    )
    await store.open_calls.open(opened)
    assert await store.open_calls.close(opened, finished)


async def fill(store: RedisStore) -> None:
    """One call given up, one that waits for a CRM that fails; and one of another tenant, all well."""
    await queue(store, 1)
    (taken,) = await store.call_log.take(1, 60.0)
    await store.call_log.fail(taken, "there is no module `Lead`")
    await queue(store, 2)
    (taken,) = await store.call_log.take(1, 60.0)
    await store.call_log.postpone(taken, PROBLEM, 400.0, 240.0)
    await queue(store, 3, OTHER, "support")


def test_nothing_waits(crm: Crmroute) -> None:
    ran = crm("log")

    assert ran.code == 0
    assert "No call waits for its CRM" in ran.err


def test_each_integration_with_calls_and_how_it_fares(crm: Crmroute, redis_url: str) -> None:
    in_store(redis_url, fill)

    ran = crm("log")

    assert ran.code == 1
    (acme,) = [line for line in ran.out.splitlines() if line.startswith("acme")]
    assert acme.split()[:5] == ["acme", "sales", "1", "0", "1"]
    assert "failed 1 time in a row, next try in 4 min: the CRM failed (503) [2J" in " ".join(ran.out.split())
    assert "\x1b" not in ran.out
    (other,) = [line for line in ran.out.splitlines() if line.startswith("other")]
    assert other.split() == ["other", "support", "1", "0", "0", "works"]
    assert "1 call given up" in ran.err


def test_one_tenants_calls_with_their_reasons(crm: Crmroute, redis_url: str) -> None:
    in_store(redis_url, fill)

    ran = crm("log", "--tenant", "acme")

    told = " ".join(ran.out.split())
    assert "waiting, the next one first" in told
    assert "+33639980001 to +33142345001, missed, sales tried 1 time, due in 7 min: the CRM failed" in told
    assert "there is no module `Lead`" in told
    assert "support" not in told


def test_as_json(crm: Crmroute, redis_url: str) -> None:
    in_store(redis_url, fill)

    ran = crm("log", "--tenant", "acme", "--json")

    (integration,) = ran.json["integrations"]
    assert (integration["tenant"], integration["waiting"], integration["failed"]) == ("acme", 1, 1)
    assert [one["call"]["call_id"] for one in ran.json["waiting"]] == ["pbx-a-2.1"]
    assert [one["problem"] for one in ran.json["given_up"]] == ["there is no module `Lead`"]


def test_what_was_given_up_is_put_back(crm: Crmroute, redis_url: str) -> None:
    in_store(redis_url, fill)
    (given_up,) = crm("log", "--tenant", "acme", "--json").json["given_up"]

    ran = crm("retry", "sales", "--tenant", "acme", "--call", given_up["id"])

    assert (ran.code, ran.out.strip()) == (0, "1 call put back; what waits is tried at once.")
    after = crm("log", "--tenant", "acme", "--json").json
    assert (len(after["waiting"]), after["given_up"]) == (2, [])
    assert after["integrations"][0]["paused_seconds"] == 0.0


def test_an_id_that_was_not_given_up(crm: Crmroute, redis_url: str) -> None:
    in_store(redis_url, fill)

    ran = crm("retry", "--tenant", "acme", "--call", "0" * 32)

    assert ran.code == 1
    assert "No call with this id" in ran.err
