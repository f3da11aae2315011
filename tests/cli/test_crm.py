"""`crmroute crm` without a worker, with wrong names, and how its lists look; with workers: tests/crms."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.core.breakers import Health, Verdict
from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.crm_states import SignIn, state_of
from router.core.errands import (
    Checked,
    CheckedStep,
    ErrandFailed,
    Fields,
    Modules,
    Reply,
    SignInAwaited,
    SignInBegun,
    SignInDone,
    SignInState,
    StepState,
    Tried,
)
from router.core.faults import Fault, Step
from router.core.lookups import Answer, Record
from router.core.rules import Outcome
from router.store.redis_store import RedisStore
from tests.cli.conftest import Crmroute
from tests.cli.site import ACME, write_site
from tests.store.rigs import CRM_ERROR, a_job, a_waiter, take_all
from tests.store.servers import settings_for

CRM = """
[[integrations]]
name = "crm"
connector = "custom"
settings = { url = "https://crm.invalid/lookup" }
"""


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Path:
    return write_site(tmp_path / "config", redis_url, acme=ACME + CRM)


@pytest.fixture
def crm(crmroute: Crmroute, site: Path) -> Crmroute:
    return lambda *words: crmroute("crm", *words, "--tenant", "acme", "--config", str(site))


@contextmanager
def a_worker(url: str, *replies: Reply) -> Iterator[list[object]]:
    """Answers errands with these replies, one after the other; gives the errands."""
    taken: list[object] = []

    async def work() -> None:
        store = RedisStore(settings_for(url))
        left = list(replies)
        while left:
            errand = await store.errands.take()
            if errand is not None:
                taken.append(errand.errand)
                await store.errands.reply(errand, left.pop(0))
        await store.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    yield taken
    thread.join(20)


def test_connectors_are_listed_with_what_they_can_do(crmroute: Crmroute) -> None:
    ran = crmroute("crm", "list")

    assert ran.code == 0
    for word in ("connector", "test, fields, log, create", "salesforce", "Salesforce", "suitecrm", "custom"):
        assert word in ran.out


def test_connectors_as_json(crmroute: Crmroute) -> None:
    listed = {one["connector"]: one for one in crmroute("crm", "list", "--json").json}

    assert "log_call" in listed["salesforce"]["abilities"]
    assert listed["custom"]["abilities"] == ["find"]


def test_an_unknown_integration_is_named_with_the_known_ones(crm: Crmroute) -> None:
    ran = crm("modules", "crmm")

    assert (ran.code, ran.out) == (2, "")
    assert "no integration crmm" in ran.err
    assert "crm" in ran.err


def test_an_unknown_tenant(crmroute: Crmroute, site: Path) -> None:
    ran = crmroute("crm", "test", "crm", "--tenant", "nobody", "--config", str(site))

    assert (ran.code, "no tenant nobody" in ran.err) == (2, True)


def test_find_needs_a_number_or_digits(crm: Crmroute) -> None:
    for words in ((), ("--from", "1", "--digits", "2")):
        ran = crm("find", "crm", *words)

        assert (ran.code, "--from NUMBER" in ran.err) == (2, True)


def test_a_failed_errand_tells_the_fault_and_the_mend(crm: Crmroute, redis_url: str) -> None:
    with a_worker(
        redis_url, ErrandFailed(Fault.CREDENTIALS, "the CRM refused it\x1b[31m", "Enter it again.")
    ):
        ran = crm("modules", "crm")

    assert (ran.code, ran.out) == (1, "")
    assert "the CRM refused it" in ran.err
    assert "Enter it again." in ran.err
    assert "\x1b" not in ran.err


def test_wrong_settings_are_wrong_usage(crm: Crmroute, redis_url: str) -> None:
    with a_worker(redis_url, ErrandFailed(Fault.SETTINGS, "a secret is missing")):
        assert crm("modules", "crm").code == 2


def test_the_failing_step_is_shown_with_what_to_change(crm: Crmroute, redis_url: str) -> None:
    steps = (
        CheckedStep(Step.DNS, StepState.PASSED),
        CheckedStep(Step.CREDENTIALS, StepState.FAILED, "the CRM refused the password", "Enter it again."),
        CheckedStep(Step.MODULE, StepState.SKIPPED),
    )
    with a_worker(redis_url, Checked(steps, 2, 0.1042)):
        ran = crm("test", "crm")

    assert ran.code == 1
    assert [line.split()[:2] for line in ran.out.splitlines()[:2]] == [["✓", "name"], ["✗", "credentials"]]
    assert "Enter it again." in ran.out
    assert "2 requests, 104.2 ms" in ran.out


def test_fields_are_shown_with_their_lists(crm: Crmroute, redis_url: str) -> None:
    choices = tuple(Choice(str(number), f"Level {number}") for number in range(9))
    fields = (
        CrmField("name", "Name"),
        CrmField("tier_c", "Tier", CrmFieldType.CHOICE, choices, is_custom=True),
    )
    with a_worker(redis_url, Fields("Contacts", fields)) as taken:
        ran = crm("fields", "crm", "Contacts")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[1].startswith("tier_c"), "a tenant's own fields come first"
    assert "0 (Level 0), 1 (Level 1)" in ran.out
    assert "3 more" in ran.out
    assert "Contacts" in str(taken)


def test_modules_are_shown_by_name_and_label(crm: Crmroute, redis_url: str) -> None:
    with a_worker(redis_url, Modules((CrmModule("Leads", "Pistes"), CrmModule("Contacts", "Personnes")))):
        ran = crm("modules", "crm")

    assert [line.split() for line in ran.out.splitlines()[1:]] == [
        ["Contacts", "Personnes"],
        ["Leads", "Pistes"],
    ]


def test_find_shows_hits_values_spellings_time_and_requests(crm: Crmroute, redis_url: str) -> None:
    record = Record({"status": "gold"}, id="7", module="Contacts", name="Alice", link="https://crm.example/7")
    answer = Answer(
        Outcome.FOUND, (record,), request="GET https://crm.example/", attempts=1, crm_seconds=0.0312
    )
    with a_worker(redis_url, Tried(answer, ("+33639980001", "0639980001"), 1, 0.0345)):
        ran = crm("find", "crm", "--from", "0639980001", "--field", "status")

    assert ran.code == 0
    for told in (
        "+33639980001  0639980001",
        "Contacts",
        "Alice",
        "gold",
        "https://crm.example/7",
        "1 hit, 1 request",
    ):
        assert told in ran.out
    assert "31.2 ms in the CRM, 34.5 ms in all" in ran.out


def test_nobody_found(crm: Crmroute, redis_url: str) -> None:
    with a_worker(redis_url, Tried(Answer(Outcome.NOT_FOUND), (), 1, 0.01)):
        ran = crm("find", "crm", "--from", "1")

    assert (ran.code, "not_found: nobody" in ran.out) == (1, True)


DEAD = SignIn(has_grant=True, by_person=True, problem="dead", fault=Fault.SIGN_IN)


def told(sign_in: SignIn) -> SignInState:
    is_signed_in = sign_in.has_grant and not sign_in.problem
    crm = state_of(sign_in, None)
    return SignInState(needs_sign_in=True, is_signed_in=is_signed_in, left_seconds=600, crm=crm)


@pytest.mark.parametrize(
    ("reply", "state", "code"),
    [
        (told(SignIn()), "never_asked", 0),
        (told(SignIn(by_person=True)), "not_connected", 0),
        (told(SignIn(has_grant=True)), "connected", 0),
        (told(DEAD), "needs_authorisation", 1),
        (ErrandFailed(Fault.SETTINGS, "a secret is missing"), "failing", 1),
    ],
)
def test_the_state_of_an_integration(
    crm: Crmroute, redis_url: str, reply: Reply, state: str, code: int
) -> None:
    with a_worker(redis_url, reply):
        ran = crm("list", "--json")

    assert (ran.code, ran.json[0]["state"]) == (code, state)


def test_an_integration_that_is_left_alone_says_why(
    crm: Crmroute, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.cli.crm.listing.SECONDS", 0.5)
    asyncio.run(break_it(redis_url))

    ran, shown = crm("list", "--json"), crm("list")

    row = ran.json[0]
    assert (ran.code, row["state"], row["failures"]) == (1, "left_alone", 5)
    assert row["open_seconds"] < 5 < row["open_seconds"] + row["retry_seconds"] + 2
    line = " ".join(shown.out.split())
    assert "left alone the CRM said 500 (for" in line
    assert re.search(r"left alone for \d s more after 5 failures", line)


async def break_it(redis_url: str) -> None:
    store = RedisStore(settings_for(redis_url))
    try:
        for index in range(5):
            await store.lookups.ask(a_job(f"+331{index}"), a_waiter())
            (taken,) = await take_all(store, 1)
            await store.jobs.settle(taken, CRM_ERROR, Verdict(Health.UNWELL, "the CRM said 500"))
    finally:
        await store.aclose()


def test_without_a_worker_states_are_unknown(crm: Crmroute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.cli.crm.listing.SECONDS", 0.5)

    ran = crm("list", "--json")

    assert (ran.code, ran.json[0]["state"]) == (0, "unknown")


def test_without_a_worker_nothing_was_asked(crm: Crmroute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.cli.crm.asking.SECONDS", 0.2)

    ran = crm("test", "crm")

    assert (ran.code, ran.out) == (3, "")
    assert "no worker answered" in ran.err
    assert "crmroute worker" in ran.err


def test_a_sign_in_on_another_device(crm: Crmroute, redis_url: str) -> None:
    begun = SignInBegun("https://login.example/device", "state-1", "ABCD-EFGH", 0.01, 60)
    with a_worker(redis_url, begun, SignInAwaited(), SignInAwaited(), SignInDone("Alice of Acme")):
        ran = crm("authorise", "crm", "--device")

    assert ran.code == 0
    assert "https://login.example/device" in ran.err
    assert "ABCD-EFGH" in ran.out
    assert "signed in as Alice of Acme" in ran.out
