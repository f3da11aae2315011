"""Trying rules and connections by the API, as the pages do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router.core.errands import (
    AnyErrand,
    Checked,
    CheckedStep,
    ErrandFailed,
    Reply,
    StepState,
    Tried,
    TryDraft,
)
from router.core.faults import Fault, Step
from router.core.identities import RuleName
from router.core.lookups import Answer, LookupJob, Record
from router.core.rules import Outcome
from router.records.configuration import Configuration
from router.settings.sealed import Sealer
from router.store.memory import MemoryStore
from tests.admin.api import VAULT, Api, running, site_of
from tests.admin.workers import replying
from tests.records.makers import ACME, JANE, SALES, Clock, profile, tenant

CRM = "/tenants/acme/integrations/crm"
GOLD = Tried(Answer(Outcome.FOUND, (Record({"tier": "gold"}, name="Alice"),)), (), 1, 0.1)
OWN_ADDRESS = {
    "source": {"custom": {"url": "https://new.example/q", "auth": "bearer", "token": "canary-7f3a"}},
    "lines": [{"operator": "=", "value": "gold", "destination": "queue", "option": "gold"}],
}


@pytest.fixture
async def api(configuration: Configuration, store: MemoryStore, clock: Clock) -> AsyncIterator[Api]:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    async with running(site_of(configuration, store, clock)) as made:
        yield made


async def test_a_rule_is_tried_with_a_pretended_value(api: Api) -> None:
    lines = [{"operator": "=", "value": "gold", "destination": "queue", "option": "gold"}]
    body: dict[str, Any] = {"rule": SALES | {"lines": lines}, "caller": "+33612345678", "values": ["Gold"]}

    told = (await api.ask("POST", "/tenants/acme/rules/try", body)).json()
    missed = (await api.ask("POST", "/tenants/acme/rules/try", body | {"outcome": "crm_error"})).json()

    assert told["target"] == "queue gold"
    assert told["source"] == "pretended"
    assert any("gold" in step["text"] for step in told["steps"])
    assert missed["target"] == "queue bronze"


async def test_a_draft_is_tried_by_its_own_address_before_it_is_in_force(
    api: Api, store: MemoryStore
) -> None:
    made = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "Règle à part"} | OWN_ADDRESS)

    async with replying(store, lambda _: GOLD) as taken:
        answer = await api.ask(
            "POST", f"/tenants/acme/rules/{made.json()['id']}/try", {"caller": "+33612345678"}
        )

    told = answer.json()
    assert told["target"] == "queue gold"
    assert told["source"] == "worker"
    (errand,) = taken
    assert isinstance(errand, TryDraft)
    assert (errand.connector, errand.rule) == ("custom", RuleName("Règle à part"))
    assert errand.settings["url"] == "https://new.example/q"
    sealer = Sealer(VAULT, ACME, errand.integration)
    assert sealer.unseal(errand.settings["token"]["sealed"]) == "canary-7f3a"


async def test_what_a_draft_came_to_is_told(api: Api, store: MemoryStore) -> None:
    body = {"rule": SALES | OWN_ADDRESS, "caller": "+33612345678"}

    async with replying(store, lambda _: ErrandFailed(Fault.DOWN, "nobody listens at new.example")):
        told = (await api.ask("POST", "/tenants/acme/rules/try", body)).json()

    assert told["target"] == "queue bronze"
    assert any("nobody listens at new.example" in step["text"] for step in told["steps"])


async def test_a_trial_sends_no_secret_of_the_server_to_an_address_of_a_tenant(
    api: Api, store: MemoryStore
) -> None:
    source = {"custom": {"url": "https://evil.example", "headers": {"X": {"env": "SECRET"}}}}

    async with replying(store, lambda _: GOLD) as taken:
        answer = await api.ask(
            "POST", "/tenants/acme/rules/try", {"rule": SALES | {"source": source}, "caller": "1"}
        )

    assert answer.status_code == 403
    assert taken == []


def crm(errand: AnyErrand) -> Reply:
    match type(errand).__name__:
        case "CheckConnection":
            return Checked((CheckedStep(Step.CREDENTIALS, StepState.PASSED, "Jane"),), 1, 0.1)
        case "TryLookup":
            return GOLD
    return ErrandFailed(Fault.RIGHTS, "the user may not list fields", "Give it the right.")


async def test_a_connection_is_asked(api: Api, store: MemoryStore) -> None:
    async with replying(store, crm):
        tested = (await api.ask("POST", f"{CRM}/test", {})).json()
        tried = (await api.ask("POST", f"{CRM}/try", {"number": "+33612345678", "fields": ["tier"]})).json()
        fields = await api.ask("GET", f"{CRM}/modules/Contact/fields")

    assert tested["steps"][0]["told"] == "Jane"
    assert tried["answer"]["records"][0]["values"] == {"tier": "gold"}
    assert fields.status_code == 502
    assert fields.json()["detail"] == "the user may not list fields. Give it the right."


async def test_the_connectors_are_listed_with_what_they_ask_for(api: Api) -> None:
    listed = await api.get("/connectors", who="viewer@acme")

    slugs = [one["slug"] for one in listed]
    assert {"salesforce", "custom", "zoho"} <= set(slugs)
    assert slugs == sorted(slugs)


async def test_who_may_only_try_asks_no_address_of_their_own_choice(api: Api, store: MemoryStore) -> None:
    body = {"rule": SALES | OWN_ADDRESS, "caller": "+33612345678"}

    async with replying(store, lambda _: GOLD) as taken:
        asked = await api.ask("POST", "/tenants/acme/rules/try", body, who="viewer@acme")
        pretended = await api.ask(
            "POST", "/tenants/acme/rules/try", body | {"values": ["gold"]}, who="viewer@acme"
        )

    assert asked.status_code == 403
    assert taken == []
    assert pretended.json()["target"] == "queue gold"


async def test_a_rule_in_force_is_tried_as_calls_ask(api: Api, store: MemoryStore) -> None:
    """By its look-ups' own queue and cache, whoever tries it: workers have its address."""
    made = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "Own"} | OWN_ADDRESS)
    path = f"/tenants/acme/rules/{made.json()['id']}"
    await api.ask("POST", f"{path}/publish", {"comment": "x"})
    shown = made.json()["draft"]

    async with answering(store) as jobs, replying(store, lambda _: GOLD) as taken:
        told = await api.ask("POST", f"{path}/try", {"caller": "+33612345678"}, who="viewer@acme")

    assert "token" not in shown["source"]["custom"]
    assert told.json()["target"] == "queue gold"
    assert [job.key.integration for job in jobs] == ["rule:Own"]
    assert taken == []


@asynccontextmanager
async def answering(store: MemoryStore) -> AsyncIterator[list[LookupJob]]:
    """A worker that answers look-ups; those that it was given."""
    jobs: list[LookupJob] = []

    async def work() -> None:
        while True:
            for taken in await store.jobs.take(1):
                jobs.append(taken.job)
                await store.jobs.settle(taken, GOLD.answer)

    working = asyncio.create_task(work())
    try:
        yield jobs
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
