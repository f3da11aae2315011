"""The sample CRM of `make run`, asked by the custom URL connector itself: they keep the same contract."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from deploy.rig.sample_crm import SampleCrm, read_customers
from router.core.identities import E164
from router.core.lookups import Answer, LookupJob
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.settings.vault import Vault
from router.store.memory import MemoryStore
from tests.workers.makers import ACME, CRM, WORKER, digits_job, job, settings
from workers.accounts import Accounts, Subject
from workers.asking import Asker, AskingLimits
from workers.connectors import custom
from workers.grants import GrantName, Grants
from workers.http import HttpClient
from workers.lookup import Lookups


@pytest.fixture
async def address() -> AsyncIterator[str]:
    runner = web.AppRunner(
        SampleCrm(read_customers(None), 0.0).application(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.05,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def ask(url: str, made: LookupJob, seconds: float = 5.0, **given: Any) -> Answer:
    client = HttpClient(WORKER)
    asker = Asker(client, AskingLimits(attempt_seconds=1.5, retry_first_seconds=0.05))
    grants = Grants(MemoryStore().grants, Vault(["a key that the custom URL never needs"]), asker)
    asked = settings(url=url, parameters={"caller": "caller"}, **given)
    subject = Subject(custom.CONNECTOR, asked, "FR", ACME, CRM, GrantName(ACME, CRM, None, ""))
    try:
        return await Lookups(asker, Accounts(grants)).run(made, subject, seconds)
    finally:
        await client.aclose()


def calling(last: int, *fields: str) -> LookupJob:
    number = E164(f"+336399800{last:02d}")
    return job(*fields, caller=Caller(number, CallerKind.NUMBER, number, "FR"), key_subject=number)


@pytest.mark.parametrize(("last", "status"), [(1, "GOLD"), (2, "SILVER"), (3, "BRONZE")])
@pytest.mark.parametrize("method", [{}, {"method": "POST"}, {"method": "POST", "body": "json"}])
async def test_levels(address: str, last: int, status: str, method: dict[str, Any]) -> None:
    answer = await ask(f"{address}/lookup", calling(last), **method)

    assert [record.values for record in answer.records] == [{"status": status}]


@pytest.mark.parametrize(("digits", "status"), [("1234", "GOLD"), ("5678", "SILVER"), ("9012", "BRONZE")])
async def test_digits(address: str, digits: str, status: str) -> None:
    answer = await ask(f"{address}/lookup", digits_job(digits))

    assert answer.records[0].values == {"status": status}


async def test_a_record(address: str) -> None:
    answer = await ask(
        f"{address}/record", calling(3, "status", "owner", "turnover"), name_field="name", link_field="link"
    )

    assert answer.records[0].values == {"status": "BRONZE", "owner": "team north", "turnover": 900}
    assert (answer.records[0].name, answer.problem) == ("Chloé Durand", "")
    assert answer.records[0].link == "https://crm.example/customers/3"


async def test_several_records(address: str) -> None:
    answer = await ask(f"{address}/records", calling(6), record_path="items")

    assert [record.values["status"] for record in answer.records] == ["GOLD", "BRONZE"]


async def test_an_empty_field(address: str) -> None:
    answer = await ask(f"{address}/record", calling(4, "owner"))

    assert (answer.records[0].values, answer.problem) == ({"owner": None}, "")


async def test_nobody(address: str) -> None:
    assert (await ask(f"{address}/lookup", calling(99))).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("last", "outcome", "told"),
    [
        (7, Outcome.CRM_ERROR, "the CRM failed (500)"),
        (8, Outcome.TIMEOUT, "did not answer"),
        (9, Outcome.CRM_ERROR, "a web page"),
        (10, Outcome.FOUND, ""),
        (11, Outcome.FOUND, ""),
        (12, Outcome.CRM_ERROR, "not valid JSON"),
        (13, Outcome.CRM_ERROR, "asked too often"),
        (14, Outcome.CRM_ERROR, "redirects more than 3 times"),
        (15, Outcome.CRM_ERROR, "longer than 64 KiB"),
        (16, Outcome.CRM_ERROR, "refused the user name or password"),
    ],
)
async def test_misbehaviour(address: str, last: int, outcome: Outcome, told: str) -> None:
    answer = await ask(f"{address}/lookup", calling(last), seconds=0.7)

    assert answer.outcome is outcome
    assert told in answer.problem


async def test_a_request_without_a_caller_says_what_is_missing(address: str) -> None:
    answer = await ask(f"{address}/lookup", digits_job("1", sends_digits=False))

    assert answer.problem == (
        "the CRM says the request is wrong (400); it said: send the parameter caller, or dtmf"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("customers.toml", '[[customers]]\nnumbers = ["+331"]\nfields = { status = "VIP" }\n'),
        ("customers.json", '{"customers": [{"numbers": ["+331"], "fields": {"status": "VIP"}}]}'),
    ],
)
def test_a_table_of_ones_own(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)

    assert read_customers(tmp_path / name)[0].fields == {"status": "VIP"}


@pytest.mark.parametrize("content", ["{", "{}", '{"customers": [{"misbehaves": "sometimes"}]}'])
def test_a_table_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)

    with pytest.raises(SystemExit, match="cannot be read"):
        read_customers(tmp_path / "x.json")
