"""The worker's loop on the store's twin in memory and on virtual time, with CRMs as scripts."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from router.core import breakers
from router.core.allowances import Allowance
from router.core.identities import E164, IntegrationName, RouterName, TenantId
from router.core.lookups import Answer, CacheState, LookupJob, Waiter
from router.core.plans import digest_of
from router.core.refusals import Refusal
from router.core.rules import Outcome
from router.core.tenants import CacheAges
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from router.store.seams import TakenJob
from tests.workers.makers import GIVEN, Tenants, integration, job, lookups, tenant, text
from tests.workers.senders import FOR_EVER, ByHost, Script
from workers.asking import Sender
from workers.catalogue import Catalogue
from workers.connectors.steps import Response
from workers.lookup import LATE_SECONDS
from workers.runner import Runner
from workers.slots import Slots

ROUTER = RouterName("router-1")
GOLD = text("GOLD")
SLOW = integration(name=IntegrationName("slow"), settings={"url": "https://slow.example/"})


class Site:
    """A store, a worker on it, and a router that collects answers."""

    def __init__(self, store: MemoryStore, sender: Sender, tenants: Tenants, slots: int) -> None:
        self.store = store
        self.tenants = tenants
        self.slots = Slots(slots)
        self.stop = asyncio.Event()
        self.answers: dict[str, Answer] = {}
        self.answered_at: dict[str, float] = {}
        self.runner = self.new_runner(sender)
        self._asked = 0
        self._came = asyncio.Event()

    def new_runner(self, sender: Sender) -> Runner:
        catalogue = Catalogue(self.tenants, asyncio.get_running_loop().time)
        return Runner(self.store.jobs, catalogue, lookups(sender, "w"), self.slots, lambda: 2.7, "worker-1")

    async def ask(self, made: LookupJob, token: str = "") -> str:
        self._asked += 1
        token = token or f"call {self._asked}"
        asked = await self.store.lookups.ask(made, Waiter(ROUTER, token))
        if asked.answer is not None:
            self.answers[token] = asked.answer
        return token

    async def answer(self, token: str) -> Answer:
        while token not in self.answers:
            self._came.clear()
            await self._came.wait()
        return self.answers[token]

    async def collect(self) -> None:
        async for token, answer in self.store.answers(ROUTER).read():
            self.answers[token] = answer
            self.answered_at[token] = asyncio.get_running_loop().time()
            self._came.set()


@asynccontextmanager
async def site(sender: Sender, tenants: Tenants | None = None, slots: int = 20) -> AsyncIterator[Site]:
    made = Site(MemoryStore(), sender, tenants or Tenants(tenant()), slots)
    tasks = [asyncio.create_task(made.collect()), asyncio.create_task(made.runner.run(made.stop))]
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def numbered(number: int, **changes: Any) -> LookupJob:
    """A job of another caller each, and so another question."""
    return job(key_subject=E164(f"+3314234{number:04d}"), **changes)


def on(name: str, settings: dict[str, Any], number: int, **changes: Any) -> LookupJob:
    revision = digest_of("custom", settings, None)
    return numbered(number, key_integration=IntegrationName(name), key_revision=revision, **changes)


def counted(answers: Sequence[Answer]) -> Counter[Outcome]:
    return Counter(answer.outcome for answer in answers)


async def test_a_job_is_answered_and_cached() -> None:
    async with site(Script((0.1, GOLD))) as made:
        answer = await made.answer(await made.ask(job()))
        again = await made.store.lookups.ask(job(), Waiter(ROUTER, "x"))

    assert answer.outcome is Outcome.FOUND
    assert answer.records[0].values == {"status": "GOLD"}
    assert (again.state, again.answer) == (CacheState.FRESH, answer)


async def test_jobs_run_side_by_side() -> None:
    script = Script((1.0, GOLD))
    async with site(script) as made:
        tokens = [await made.ask(numbered(number)) for number in range(10)]
        for token in tokens:
            await made.answer(token)

        assert asyncio.get_running_loop().time() < 1.1
        assert script.most_under_way == 10


async def test_never_more_look_ups_than_slots() -> None:
    script = Script((0.1, GOLD))
    names = ("a", "b", "c")
    urls = {name: {"url": f"https://{name}.example/"} for name in names}
    made_of = [integration(name=IntegrationName(name), settings=urls[name]) for name in names]
    ids = (TenantId("acme"), TenantId("beta"))
    async with site(script, Tenants(*(tenant(*made_of, id_=each) for each in ids)), slots=8) as made:
        tokens = [
            await made.ask(on(name, urls[name], number, key_tenant=each))
            for number in range(10)
            for name in names
            for each in ids
        ]
        answers = [await made.answer(token) for token in tokens]

    assert counted(answers) == {Outcome.FOUND: 60}
    assert script.most_under_way == 8


async def test_an_integration_keeps_to_its_own_limit() -> None:
    script = Script((0.1, GOLD))
    allowance = Allowance(in_flight=3)
    async with site(script) as made:
        tokens = [await made.ask(numbered(number, allowance=allowance)) for number in range(30)]
        answers = [await made.answer(token) for token in tokens]

    assert counted(answers) == {Outcome.FOUND: 30}
    assert script.most_under_way == 3


async def test_a_crm_that_never_answers_does_not_slow_another() -> None:
    """Forty calls to a dead CRM get half of twenty slots; those to the other CRM notice nothing."""
    scripts = {"https://slow.example/": Script((FOR_EVER, GOLD)), GIVEN["url"]: Script((0.1, GOLD))}
    sender = ByHost(scripts.__getitem__)
    async with site(sender, Tenants(tenant(SLOW, integration()))) as made:
        slow = [await made.ask(on("slow", SLOW.settings, number)) for number in range(40)]
        await asyncio.sleep(0.2)
        for number in range(10):
            token = await made.ask(numbered(number))
            asked_at = asyncio.get_running_loop().time()
            await made.answer(token)
            assert made.answered_at[token] - asked_at < 0.15
        answers = [await made.answer(token) for token in slow]

    assert scripts["https://slow.example/"].most_under_way == 10
    assert counted(answers) == {Outcome.TIMEOUT: 10, Outcome.OVERLOADED: 30}
    assert max(made.answered_at[token] for token in slow) < 2.5


async def test_a_crm_that_never_answers_is_soon_left_alone() -> None:
    script = Script((FOR_EVER, GOLD))
    async with site(script) as made:
        for number in range(breakers.FAILURES_MOST):
            await made.answer(await made.ask(numbered(number)))
        await asyncio.sleep(LATE_SECONDS)
        began = len(script.requests)
        asked_at = asyncio.get_running_loop().time()
        answer = await made.answer(await made.ask(numbered(99)))

    assert asyncio.get_running_loop().time() == asked_at
    assert answer.outcome is Outcome.CRM_ERROR
    assert answer.refused is not None
    assert answer.refused.why is Refusal.OPEN
    assert len(script.requests) == began


@pytest.mark.parametrize(
    "response", [text("", status=401), text("", status=404), text("<html>")], ids=["401", "404", "no answer"]
)
async def test_a_crm_that_answers_is_not_left_alone_whatever_it_says(response: Response) -> None:
    script = Script(response)
    async with site(script) as made:
        for number in range(3 * breakers.FAILURES_MOST):
            await made.answer(await made.ask(numbered(number)))

    assert len(script.requests) == 3 * breakers.FAILURES_MOST


async def test_look_ups_that_had_no_time_say_nothing_against_their_crm() -> None:
    script = Script((0.89, GOLD))
    async with site(script) as made:
        for number in range(3 * breakers.FAILURES_MOST):
            long, short = numbered(number), numbered(number, budget_seconds=0.95)
            await made.ask(short)
            await asyncio.sleep(0.7)
            await made.answer(await made.ask(long))
        state = await made.store.lanes.state(long.key.tenant, long.key.integration)

    assert not state.is_open


async def test_a_job_that_waited_in_vain_says_why() -> None:
    async with site(Script((FOR_EVER, GOLD))) as made:
        allowance = Allowance(in_flight=1)
        tokens = [await made.ask(numbered(number, allowance=allowance)) for number in range(2)]
        answer = await made.answer(tokens[1])

    assert answer.outcome is Outcome.OVERLOADED
    assert "newer calls went first" in answer.problem


async def test_what_comes_too_late_moves_nobody_and_serves_the_next_call() -> None:
    script = Script((1.4, GOLD))
    async with site(script) as made:
        first = await made.answer(await made.ask(job(budget_seconds=1.0)))
        told_at = asyncio.get_running_loop().time()
        await asyncio.sleep(0.5)
        second = await made.answer(await made.ask(job()))

        assert first.outcome is Outcome.TIMEOUT
        assert told_at < 1.0
        assert (second.outcome, second.crm_seconds) == (Outcome.FOUND, 1.4)
        assert len(script.requests) == 1
        assert list(made.answers) == ["call 1", "call 2"]
        assert made.runner.in_hand == 0


async def test_a_late_look_up_keeps_its_place_until_it_ends() -> None:
    script = Script((1.4, GOLD))
    allowance = Allowance(in_flight=1)
    async with site(script) as made:
        await made.answer(await made.ask(numbered(1, budget_seconds=1.0, allowance=allowance)))
        answer = await made.answer(await made.ask(numbered(2, allowance=allowance)))

    assert answer.outcome is Outcome.FOUND
    assert script.most_under_way == 1


async def test_a_look_up_that_stays_silent_is_let_go() -> None:
    script = Script((FOR_EVER, GOLD))
    async with site(script) as made:
        await made.answer(await made.ask(job(budget_seconds=1.0)))
        await asyncio.sleep(LATE_SECONDS + 0.1)

        assert (script.under_way, made.runner.in_hand) == (0, 0)
        assert len(script.requests) == 1


async def test_what_may_not_be_kept_is_not_waited_for() -> None:
    script = Script((1.4, GOLD))
    kept_for_nobody = CacheAges(fresh_seconds=0, stale_seconds=0, absent_seconds=0)
    async with site(script) as made:
        await made.answer(await made.ask(job(budget_seconds=1.0, cache=kept_for_nobody)))
        await asyncio.sleep(0)

        assert script.under_way == 0


async def test_configuration_that_is_missing_is_an_answer() -> None:
    async with site(Script(GOLD)) as made:
        answer = await made.answer(await made.ask(job(key_integration=IntegrationName("other"))))

    assert answer.outcome is Outcome.CRM_ERROR
    assert answer.problem == "the worker does not have this integration's configuration"


async def test_a_job_of_other_settings_is_answered_and_not_cached() -> None:
    made_elsewhere = job(key_revision="0123456789abcdef")
    async with site(Script(GOLD)) as made:
        answer = await made.answer(await made.ask(made_elsewhere))
        again = await made.store.lookups.ask(made_elsewhere, Waiter(ROUTER, "x"))

    assert answer.outcome is Outcome.FOUND
    assert "different versions" in answer.problem
    assert again.state is CacheState.MISSING


async def test_a_mistake_in_one_job_does_not_end_the_loop() -> None:
    class Broken:
        def __init__(self) -> None:
            self.first = True

        async def send(self, request: Any, seconds: float) -> Any:
            if self.first:
                self.first = False
                raise KeyError("mistake")
            return GOLD

    async with site(Broken()) as made:
        first = await made.answer(await made.ask(numbered(1)))
        second = await made.answer(await made.ask(numbered(2)))

    assert (first.outcome, second.outcome) == (Outcome.CRM_ERROR, Outcome.FOUND)


async def test_a_catalogue_that_breaks_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(Script(GOLD)) as made:
        with monkeypatch.context() as broken:
            broken.setattr(made.tenants, "tenant", lambda _: 1 / 0)
            first = await made.answer(await made.ask(numbered(1)))
        second = await made.answer(await made.ask(numbered(2)))

    assert (first.outcome, second.outcome) == (Outcome.CRM_ERROR, Outcome.FOUND)
    assert "a mistake of its own" in first.problem


async def test_an_outage_is_waited_out_and_told_once() -> None:
    with structlog.testing.capture_logs() as logs:
        async with site(Script((0.5, GOLD))) as made:
            token = await made.ask(job(budget_seconds=15.0))
            await asyncio.sleep(0.1)
            made.store.outage = StoreUnavailable("gone")
            await asyncio.sleep(10)
            assert token not in made.answers

            made.store.outage = None
            answer = await made.answer(token)
            after = await made.answer(await made.ask(numbered(2)))

    assert (answer.outcome, after.outcome) == (Outcome.FOUND, Outcome.FOUND)
    assert [line["event"] for line in logs if line["event"].startswith("worker.store_")] == [
        "worker.store_failing",
        "worker.store_working",
    ]


async def test_an_answer_that_nobody_can_want_is_let_go() -> None:
    async with site(Script(GOLD)) as made:
        await made.ask(job())
        await asyncio.sleep(0)
        made.store.outage = StoreUnavailable("gone")
        await asyncio.sleep(30)

        assert made.runner.in_hand == 0


async def test_stopping_finishes_what_is_in_hand() -> None:
    store, script = MemoryStore(), Script((1.2, GOLD))
    made = Site(store, script, Tenants(tenant()), 20)
    collecting = asyncio.create_task(made.collect())
    running = asyncio.create_task(made.runner.run(made.stop))
    token = await made.ask(job())
    await asyncio.sleep(0.5)

    made.stop.set()
    await running
    late = await made.ask(numbered(2))

    assert made.answers[token].outcome is Outcome.FOUND
    assert asyncio.get_running_loop().time() < 4.0
    await asyncio.sleep(5)
    assert late not in made.answers
    collecting.cancel()


async def test_stopping_while_every_slot_is_taken_ends_within_the_deadlines() -> None:
    made = Site(MemoryStore(), Script((FOR_EVER, GOLD)), Tenants(tenant()), 4)
    for number in range(12):
        await made.ask(numbered(number))
    running = asyncio.create_task(made.runner.run(made.stop))
    await asyncio.sleep(0.5)

    made.stop.set()
    await running

    assert asyncio.get_running_loop().time() < 2.6 + LATE_SECONDS
    assert (made.runner.in_hand, made.slots.running) == (0, 0)


async def test_a_killed_workers_job_is_taken_over() -> None:
    """A later caller joined the question, so somebody still waits when the job is found idle."""
    made = Site(MemoryStore(), Script((FOR_EVER, GOLD)), Tenants(tenant()), 20)
    collecting = asyncio.create_task(made.collect())
    dying = asyncio.create_task(made.runner.run(made.stop))
    await made.ask(job())
    await asyncio.sleep(2.0)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    joined = await made.ask(job())

    other = asyncio.create_task(made.new_runner(Script(GOLD)).run(made.stop))
    answer = await made.answer(joined)

    assert answer.outcome is Outcome.FOUND
    for task in (other, collecting):
        task.cancel()
    await asyncio.gather(other, collecting, return_exceptions=True)


async def test_a_job_still_in_hand_is_not_begun_again() -> None:
    """A patient rule's job is older than the reclaiming knows of."""
    script = Script((1.4, text("", status=503)))
    async with site(script) as made:
        await made.ask(job(budget_seconds=7.0))
        await asyncio.sleep(5)

        assert made.runner.in_hand == 1
        assert script.most_under_way == 1


@pytest.mark.parametrize("method", ["take", "reclaim"])
async def test_a_store_with_a_mistake_does_not_end_the_loop(method: str) -> None:
    async with site(Script(GOLD)) as made:
        with pytest.MonkeyPatch.context() as broken, structlog.testing.capture_logs():
            broken.setattr(made.store.jobs, method, failing_with(ZeroDivisionError()))
            await asyncio.sleep(5)
        answer = await made.answer(await made.ask(job()))

    assert answer.outcome is Outcome.FOUND


async def test_a_settling_with_a_mistake_does_not_end_the_loop() -> None:
    async with site(Script(GOLD)) as made:
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(made.store.jobs, "settle", failing_with(ZeroDivisionError()))
            await made.ask(numbered(1))
            await asyncio.sleep(1)
        answer = await made.answer(await made.ask(numbered(2)))

    assert answer.outcome is Outcome.FOUND


def failing_with(error: Exception) -> Callable[..., Any]:
    async def fail(*_: Any) -> list[TakenJob]:
        raise error

    return fail
