"""What no caller waits for asks before each of its requests, and what one worker hears it tells all
others.
"""

import asyncio

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from router.core.allowances import Allowance
from router.core.errands import TryLookup
from router.core.faults import Fault
from router.core.rules import Outcome
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.workers.makers import ACME, CRM, asker, grants, job, lookups, subject, text
from tests.workers.senders import Script
from workers.abilities import Abilities
from workers.accounts import Accounts, Subject
from workers.connectors.steps import Response
from workers.errors import LookupUnavailable
from workers.lookup import Lookups
from workers.permits import Permits
from workers.quotas import Quotas

GOLD = text("GOLD")
WANTED = TryLookup(tenant=ACME, integration=CRM, number="+33142345001", fields=("status",))


def limited(requests_per_second: float = 2.0) -> Subject:
    return replace(subject(), allowance=Allowance(requests_per_second=requests_per_second))


def abilities(store: MemoryStore, script: Script) -> Abilities:
    asking = asker(script)
    accounts = Accounts(grants(asking))
    return Abilities(asking, accounts, Lookups(asking, accounts), Permits(store.lanes))


async def test_trials_keep_to_the_requests_per_second() -> None:
    script = Script(GOLD)
    made = abilities(MemoryStore(), script)

    tried = [await made.try_lookup(limited(), WANTED) for _ in range(3)]

    assert {each.answer.outcome for each in tried} == {Outcome.FOUND}
    assert script.began_at[1] - script.began_at[0] == pytest.approx(0.5)
    assert script.began_at[2] - script.began_at[1] == pytest.approx(0.5)


async def test_a_trial_that_cannot_wait_so_long_says_why() -> None:
    store, script = MemoryStore(), Script(GOLD)
    await store.lanes.pause(ACME, CRM, 300)

    tried = await abilities(store, script).try_lookup(limited(), WANTED)

    assert tried.answer.outcome is Outcome.CRM_ERROR
    assert "calls use up all that may be asked" in tried.answer.problem
    assert script.requests == []


async def test_without_the_store_requests_are_sent() -> None:
    store, script = MemoryStore(), Script(GOLD)
    store.outage = StoreUnavailable("gone")

    tried = await abilities(store, script).try_lookup(limited(), WANTED)

    assert tried.answer.outcome is Outcome.FOUND


async def test_a_store_that_is_away_is_told_once_and_its_return_once() -> None:
    store = MemoryStore()
    permits = Permits(store.lanes)
    permit = permits.of(replace(subject(), allowance=Allowance()))

    with capture_logs() as logs:
        await permit(5.0)
        store.outage = StoreUnavailable("gone")
        for _ in range(3):
            await permit(5.0)
        permits.pause((ACME, CRM), 5.0)
        await permits.aclose()
        store.outage = None
        for _ in range(2):
            await permit(5.0)

    assert [(one["event"], one["log_level"], one.get("problem")) for one in logs] == [
        ("permit.store_failing", "error", "gone"),
        ("permit.store_working", "info", None),
    ]


async def test_a_permit_says_how_long_to_wait() -> None:
    permits = Permits((store := MemoryStore()).lanes)
    await store.lanes.pause(ACME, CRM, 30)

    with pytest.raises(LookupUnavailable) as raised:
        await permits.of(limited())(5.0)

    assert raised.value.fault is Fault.THROTTLED
    assert raised.value.retry_after_seconds == pytest.approx(30)


async def test_a_pause_that_a_crm_asks_for_is_told_to_all_workers_at_once() -> None:
    """The look-up that heard it still waits for its own next attempt."""
    store = MemoryStore()
    permits = Permits(store.lanes)
    asking = asker(Script(Response(429, b"", {"retry-after": "1"}), GOLD))
    made = Lookups(asking, Accounts(grants(asking), Quotas(tell=permits.pause)))

    looking_up = asyncio.create_task(made.run(job(), subject(), 2.5))
    await asyncio.sleep(0.5)

    assert (await store.lanes.state(ACME, CRM)).paused_seconds == pytest.approx(0.5)
    assert (await looking_up).outcome is Outcome.FOUND
    await permits.aclose()


async def test_a_look_up_asks_for_no_permit() -> None:
    """It has been counted when it was handed out."""
    script = Script(GOLD)
    made = lookups(script)

    answers = [await made.run(job(f"field {number}"), limited(), 2.5) for number in range(3)]

    assert {answer.outcome for answer in answers} == {Outcome.FOUND}
    assert script.began_at[2] == script.began_at[0]
