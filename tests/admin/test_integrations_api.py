"""Integrations by the API: secrets go in, and come out nowhere."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from router.core.crm_states import SignIn, state_of
from router.core.errands import ErrandFailed, Reply, SignInBegun, SignInState
from router.core.faults import Fault
from router.records import integrations
from router.records.configuration import Configuration
from router.records.tables import metadata
from router.settings.sealed import Sealer
from router.store.memory import MemoryStore
from tests.admin.api import VAULT, Api
from tests.admin.test_api import api
from tests.records.makers import ACME, SALES

__all__ = ["api"]
PATH = "/tenants/acme/integrations"
SECRET = "canary-7f3a"
NEW: dict[str, Any] = {"name": "second", "settings": {"url": "https://crm.example", "token": SECRET}}


async def test_a_secret_is_in_no_answer_and_nowhere_in_the_records(
    api: Api, configuration: Configuration
) -> None:
    made = await api.ask("POST", PATH, NEW)
    listed = await api.ask("GET", PATH)

    assert made.status_code == 201, made.text
    assert made.json()["secrets"] == ["token"]
    assert SECRET not in made.text + listed.text
    assert "sealed" not in made.text + listed.text
    async with configuration.database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(sa.select(table))).all()
            assert SECRET not in str(rows), table.name


async def test_a_new_name_keeps_the_secret_readable(api: Api, configuration: Configuration) -> None:
    await api.ask("POST", PATH, NEW)

    changed = await api.ask(
        "PUT", f"{PATH}/second", {"name": "third", "settings": {"url": "https://crm.example"}}
    )

    assert changed.status_code == 200, changed.text
    async with configuration.database.reading() as connection:
        row = await integrations.one(connection, ACME, "third")
    assert Sealer(VAULT, ACME, "third").unseal(row.document.settings["token"]["sealed"]) == SECRET


async def test_an_integration_in_use_is_not_removed(api: Api) -> None:
    refused = await api.ask("DELETE", f"{PATH}/crm")

    assert (refused.status_code, refused.json()["used_by"]) == (409, ["Sales"])


async def test_headers_are_as_secret_as_a_password(api: Api, configuration: Configuration) -> None:
    settings = {"url": "https://crm.example", "headers": {"Authorization": SECRET, "X-Plain": "hello"}}
    made = await api.ask("POST", PATH, {"name": "second", "settings": settings})

    assert made.json()["document"]["settings"]["headers"] == {"Authorization": None, "X-Plain": None}
    assert made.json()["secrets"] == ["headers.Authorization", "headers.X-Plain"]
    assert SECRET not in made.text
    async with configuration.database.reading() as connection:
        for table in metadata.sorted_tables:
            assert SECRET not in str((await connection.execute(sa.select(table))).all()), table.name


async def test_an_answer_that_is_sent_back_changes_nothing(api: Api, configuration: Configuration) -> None:
    headers = {"Authorization": SECRET}
    made = await api.ask("POST", PATH, NEW | {"settings": NEW["settings"] | {"headers": headers}})
    back = await api.ask("PUT", f"{PATH}/second", made.json()["document"], match=made.headers["ETag"])

    assert back.status_code == 200, back.text
    assert back.json()["secrets"] == ["token", "headers.Authorization"]
    async with configuration.database.reading() as connection:
        kept = (await integrations.one(connection, ACME, "second")).document.settings
    sealer = Sealer(VAULT, ACME, "second")
    assert sealer.unseal(kept["token"]["sealed"]) == SECRET
    assert sealer.unseal(kept["headers"]["Authorization"]["sealed"]) == SECRET


async def test_null_removes_a_secret(api: Api) -> None:
    await api.ask("POST", PATH, NEW)
    changed = await api.ask("PUT", f"{PATH}/second", NEW | {"settings": NEW["settings"] | {"token": None}})

    assert changed.json()["secrets"] == []


async def test_a_change_shows_the_revision_in_hand(api: Api) -> None:
    await api.ask("POST", PATH, NEW)
    first = await api.ask("PUT", f"{PATH}/second", NEW, match='"1"')
    late = await api.ask("PUT", f"{PATH}/second", NEW | {"in_flight": 3}, match='"1"')
    none = await api.ask("PUT", f"{PATH}/second", NEW, match=None)

    assert [answer.status_code for answer in (first, late, none)] == [200, 412, 428]


async def test_a_viewer_sees_integrations_and_changes_none(api: Api) -> None:
    assert (await api.ask("GET", PATH, who="viewer@acme")).status_code == 200
    for who in ("viewer@acme", "editor@acme"):
        assert (await api.ask("POST", PATH, NEW, who=who)).status_code == 403


@pytest.mark.parametrize(
    "settings",
    [
        {"token": {"env": "CRMROUTE__VAULT__KEYS"}},
        {"headers": {"X": {"file": "/etc/shadow"}}},
        {"parameters": {"x": {"env": "HOME"}}},
        {"url": {"file": "/etc/passwd"}},
    ],
)
async def test_nobody_of_a_tenant_reads_the_server_s_secrets(api: Api, settings: dict[str, object]) -> None:
    body = {"name": "second", "settings": NEW["settings"] | settings}
    refused = await api.ask("POST", PATH, body)
    rule = SALES | {"name": "X", "source": {"custom": {"url": "https://evil.example"} | settings}}
    refused_rule = await api.ask("POST", "/tenants/acme/rules", rule)

    assert refused.status_code == refused_rule.status_code == 403
    assert "on the server comes from files, or from a provider" in refused.json()["detail"]


async def test_a_reference_that_is_there_already_stays(api: Api, configuration: Configuration) -> None:
    read = await api.ask("GET", f"{PATH}/crm")
    changed = await api.ask("PUT", f"{PATH}/crm", read.json()["document"] | {"in_flight": 7})

    assert changed.status_code == 200, changed.text
    async with configuration.database.reading() as connection:
        kept = (await integrations.one(connection, ACME, "crm")).document.settings
    assert kept["token"] == {"env": "CRM_TOKEN"}


async def test_secrets_do_not_follow_to_another_address(api: Api) -> None:
    await api.ask("POST", PATH, NEW)
    elsewhere: dict[str, Any] = {"name": "second", "settings": {"url": "https://evil.example"}}

    refused = await api.ask("PUT", f"{PATH}/second", elsewhere)
    entered = await api.ask(
        "PUT", f"{PATH}/second", elsewhere | {"settings": elsewhere["settings"] | {"token": "mine"}}
    )

    assert (refused.status_code, entered.status_code) == (422, 200)
    assert "enter token again" in refused.json()["detail"]


async def ask_a_worker(
    api: Api, store: MemoryStore, reply: Reply, *asked: str, **more: Any
) -> httpx.Response:
    """A request, and the worker that its errand reaches."""

    async def work() -> None:
        taken = await store.errands.take()
        assert taken is not None
        await store.errands.reply(taken, reply)

    working = asyncio.create_task(work())
    answer = await api.ask(*asked, **more)
    await working
    return answer


BEGUN = SignInBegun("https://crm.example/authorize?x=1", "a-state-of-the-workers-own", lives_seconds=600)


async def test_a_sign_in_begins_by_the_api_and_comes_back_by_the_page(api: Api, store: MemoryStore) -> None:
    path = ("POST", f"{PATH}/crm/sign-in")
    answer = await ask_a_worker(api, store, BEGUN, *path, headers_more={"X-Test-Maker": "1"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["address"] == BEGUN.address
    assert answer.json()["return_address"].endswith("/integration/return")
    assert await store.errands.take_sign_in(f"return|{BEGUN.state}") is not None


async def test_a_token_that_is_nobody_s_begins_no_sign_in(api: Api) -> None:
    refused = await api.ask("POST", f"{PATH}/crm/sign-in")

    assert (refused.status_code, "bound to no user" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize("who", ["viewer@acme", "editor@acme"])
async def test_who_may_not_connect_begins_no_sign_in(api: Api, who: str) -> None:
    assert (await api.ask("POST", f"{PATH}/crm/sign-in", who=who)).status_code == 403


async def test_a_sign_in_that_cannot_begin_says_why(api: Api, store: MemoryStore) -> None:
    failed = ErrandFailed(Fault.SETTINGS, "this integration needs nobody's sign-in")
    path = ("POST", f"{PATH}/crm/sign-in")
    answer = await ask_a_worker(api, store, failed, *path, headers_more={"X-Test-Maker": "1"})

    assert (answer.status_code, answer.json()["detail"]) == (409, "this integration needs nobody's sign-in.")
    assert (await api.ask("POST", f"{PATH}/no-such/sign-in")).status_code == 404


async def test_the_state_is_what_a_worker_knows(api: Api, store: MemoryStore) -> None:
    crm = state_of(SignIn(problem="refused", fault=Fault.CREDENTIALS, problem_since_seconds=60), None)
    reply = SignInState(needs_sign_in=True, is_signed_in=False, crm=crm)
    answer = await ask_a_worker(api, store, reply, "GET", f"{PATH}/crm/state", who="viewer@acme")

    assert answer.json() == {
        "condition": "failing",
        "problem": "refused",
        "since_seconds": 60.0,
        "asked": None,
        "failures": 0,
        "retry_seconds": None,
        "paused_seconds": 0.0,
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "https://crm.example", "shard": 10**30}, "larger than 64 bits"),
        (
            {"url": "https://crm.example", "shard": [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]},
            "nested deeper",
        ),
    ],
)
async def test_settings_that_nobody_could_pack_are_refused(
    api: Api, settings: dict[str, Any], told: str
) -> None:
    refused = await api.ask("POST", PATH, NEW | {"settings": settings})

    assert refused.status_code == 400, refused.text
    assert told in refused.text
