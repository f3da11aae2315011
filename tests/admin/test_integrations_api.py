"""Integrations by the API: secrets go in, and come out nowhere."""

from typing import Any

import pytest
import sqlalchemy as sa

from router.records import integrations
from router.records.configuration import Configuration
from router.records.tables import metadata
from router.settings.sealed import Sealer
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
