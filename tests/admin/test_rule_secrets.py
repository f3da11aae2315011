"""Secrets in rules: a rule's own user and its own address; they go in, and come out nowhere."""

from typing import Any

import pytest
import sqlalchemy as sa

from router.records import rules
from router.records.configuration import Configuration
from router.records.tables import metadata
from router.settings.sealed import Sealer
from tests.admin.api import VAULT, Api
from tests.admin.test_api import api
from tests.records.makers import ACME, SALES

__all__ = ["api"]
PATH = "/tenants/acme/rules"
SECRET = "canary-7f3a"
WITH_USER = {"source": {"integration": "crm", "credentials": {"username": "jane", "password": SECRET}}}
WITH_ADDRESS = {
    "source": {
        "custom": {"url": "https://a.example", "auth": "bearer", "token": SECRET, "headers": {"X": SECRET}}
    }
}


def named(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    return {**SALES, "name": name, **changes}


async def made(api: Api, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    answer = await api.ask("POST", PATH, named(name, changes))
    assert answer.status_code == 201, answer.text
    assert SECRET not in answer.text
    assert "sealed" not in answer.text
    told: dict[str, Any] = answer.json()
    return told


async def kept(configuration: Configuration, id_: int) -> Any:
    async with configuration.database.reading() as connection:
        return (await rules.one(connection, ACME, id_)).draft


def opened(owner: str, value: Any) -> str:
    return Sealer(VAULT, ACME, owner).unseal(value["sealed"])


@pytest.mark.parametrize(
    ("changes", "secrets"),
    [
        (WITH_USER, ["source.credentials.password"]),
        (WITH_ADDRESS, ["source.custom.token", "source.custom.headers.X"]),
    ],
)
async def test_a_secret_is_in_no_answer_and_nowhere_in_the_records(
    api: Api, configuration: Configuration, changes: dict[str, Any], secrets: list[str]
) -> None:
    rule = await made(api, "Own", changes)
    await api.ask("POST", f"{PATH}/{rule['id']}/publish", {"comment": "x"})
    answers = [await api.ask("GET", f"{PATH}/{rule['id']}{end}") for end in ("", "/versions", "/versions/1")]

    assert rule["secrets"] == secrets
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not any(SECRET in answer.text or "sealed" in answer.text for answer in answers)
    async with configuration.database.reading() as connection:
        for table in metadata.sorted_tables:
            assert SECRET not in str((await connection.execute(sa.select(table))).all()), table.name


async def test_an_answer_that_is_sent_back_under_another_name_keeps_the_secret(
    api: Api, configuration: Configuration
) -> None:
    rule = await made(api, "Own", WITH_USER)
    await api.ask("PUT", f"{PATH}/{rule['id']}", rule["draft"] | {"name": "Renamed"})

    source = (await kept(configuration, rule["id"])).source
    assert opened("rule:Renamed", source.credentials.password) == SECRET


async def test_a_copy_has_secrets_of_its_own(api: Api, configuration: Configuration) -> None:
    rule = await made(api, "Own", WITH_ADDRESS)
    copy = (await api.ask("POST", f"{PATH}/{rule['id']}/duplicate")).json()

    custom = (await kept(configuration, copy["id"])).source.custom
    assert opened("rule:Own (2)", custom["token"]) == SECRET
    assert opened("rule:Own (2)", custom["headers"]["X"]) == SECRET


@pytest.mark.parametrize(
    ("changes", "elsewhere"),
    [
        (WITH_USER, {"integration": "second", "credentials": {"username": "jane"}}),
        (WITH_ADDRESS, {"custom": {"url": "https://evil.example", "auth": "bearer"}}),
        (WITH_ADDRESS, {"custom": {"url": "https://evil.example", "token": None, "headers": {"X": None}}}),
    ],
)
async def test_secrets_do_not_follow_to_another_address(
    api: Api, changes: dict[str, Any], elsewhere: dict[str, Any]
) -> None:
    await api.ask(
        "POST", "/tenants/acme/integrations", {"name": "second", "settings": {"url": "https://b.example"}}
    )
    rule = await made(api, "Own", changes)

    refused = await api.ask("PUT", f"{PATH}/{rule['id']}", named("Own", {"source": elsewhere}))

    assert refused.status_code == 422, refused.text
    assert "the address changed: enter" in refused.json()["detail"]


async def test_an_integration_does_not_take_the_passwords_of_rules_elsewhere(api: Api) -> None:
    await made(api, "Own", WITH_USER)
    moved = {"name": "crm", "settings": {"url": "https://evil.example", "token": "mine"}}

    refused = await api.ask("PUT", "/tenants/acme/integrations/crm", moved)
    allowed = await api.ask("PUT", "/tenants/acme/integrations/crm", moved, who="provider")

    assert (refused.status_code, allowed.status_code) == (409, 200)
    assert "Own" in refused.json()["detail"]


async def test_what_files_referred_to_does_not_follow_either(api: Api, configuration: Configuration) -> None:
    headers = {"X": {"env": "CRM_KEY"}}
    rule = named("Filed", {"source": {"custom": {"url": "https://a.example", "headers": headers}}})
    made_ = await api.ask("POST", PATH, rule, who="provider")
    path = f"{PATH}/{made_.json()['id']}"

    same = await api.ask("PUT", path, made_.json()["draft"] | {"note": "still here"})
    moved = {"source": {"custom": {"url": "https://evil.example", "headers": {"X": None}}}}
    refused = await api.ask("PUT", path, named("Filed", moved))

    assert (same.status_code, refused.status_code) == (200, 422)
    assert (await kept(configuration, made_.json()["id"])).source.custom["headers"] == headers
