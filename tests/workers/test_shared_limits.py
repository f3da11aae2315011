"""Several worker processes, one CRM: they share its breaker, its allowance and what it asks for."""

import asyncio
from collections import Counter

from aiohttp import web

from router.core.breakers import FAILURES_MOST
from router.core.refusals import Refusal
from router.core.rules import Outcome
from tests.workers.processes import Crm, Router, Workers

WORKERS = 3


async def start(workers: Workers) -> None:
    for number in range(WORKERS):
        await asyncio.to_thread(workers.start, f"worker-{number}")


def numbers(count: int, first: int = 0) -> list[str]:
    return [f"+3314234{number:04d}" for number in range(first, first + count)]


async def test_one_look_up_of_all_workers_tries_a_crm_that_was_dead(
    workers: Workers, router: Router, crm: tuple[Crm, str]
) -> None:
    await start(workers)
    crm[0].is_dead = True
    for number in numbers(FAILURES_MOST):
        await router.answer(await router.ask(number, budget_seconds=0.6))
    await workers.heard("crm.left_alone")
    opened = await router.state()
    crm[0].asked.clear()
    while (await router.state()).retry_seconds > 0:
        refused = await router.answer(await router.ask(numbers(1, 100)[0]))
        assert refused.refused is not None
        assert refused.refused.why is Refusal.OPEN
        await asyncio.sleep(0.2)
    asked_while_open = list(crm[0].asked)

    crm[0].is_dead, crm[0].takes_seconds = False, 0.5
    tokens = [await router.ask(number) for number in numbers(30, 200)]
    answers = [await router.answer(token) for token in tokens]
    closed = await router.state()
    await workers.heard("crm.answers_again")

    assert (opened.is_open, opened.failures) == (True, FAILURES_MOST)
    assert asked_while_open == []
    assert Counter(answer.outcome for answer in answers) == {Outcome.FOUND: 1, Outcome.CRM_ERROR: 29}
    assert len(crm[0].asked) == 1
    assert (closed.is_open, closed.failures) == (False, 0)
    events = [event["event"] for number in range(WORKERS) for event in workers.events(f"worker-{number}")]
    assert [events.count(event) for event in ("crm.left_alone", "crm.answers_again")] == [1, 1]


async def test_all_workers_together_keep_to_the_requests_per_second(
    workers: Workers, router: Router, crm: tuple[Crm, str]
) -> None:
    """Twenty per second, of which five may come at once; a busy machine only makes them later."""
    await start(workers)
    started_at = asyncio.get_running_loop().time()

    tokens = [await router.ask(number, requests_per_second=20.0) for number in numbers(60)]
    answers = [await router.answer(token) for token in tokens]

    ahead = [
        number
        for number, asked_at in enumerate(crm[0].asked_at)
        if asked_at < started_at + (number - 5) / 20.0
    ]
    assert Counter(answer.outcome for answer in answers) == {Outcome.FOUND: 60}
    assert len(crm[0].asked_at) == 60
    assert ahead == []
    assert len({answer.worker for answer in answers}) > 1


async def test_a_crm_that_asks_for_a_pause_is_asked_by_no_worker(
    workers: Workers, router: Router, crm: tuple[Crm, str]
) -> None:
    await start(workers)
    crm[0].refusal = web.Response(status=429, headers={"Retry-After": "2"})
    first = await router.ask(numbers(1)[0])
    while not (await router.state()).paused_seconds:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.01)

    impatient = [await router.ask(number, budget_seconds=1.0) for number in numbers(5, 10)]
    patient = [await router.ask(number) for number in numbers(10, 20)]
    answers = [await router.answer(token) for token in (first, *patient)]
    refused = [await router.answer(token) for token in impatient]

    assert {answer.outcome for answer in answers} == {Outcome.FOUND}
    assert {answer.refused.why for answer in refused if answer.refused} == {Refusal.PAUSED}
    assert len(crm[0].asked) == 12
    assert crm[0].asked_at[1] - crm[0].asked_at[0] >= 1.9


async def test_200_calls_of_one_number_are_one_request(
    workers: Workers, router: Router, crm: tuple[Crm, str]
) -> None:
    await start(workers)
    crm[0].takes_seconds = 0.2

    tokens = await asyncio.gather(
        *(router.ask(numbers(1)[0], token=f"call {number}") for number in range(200))
    )
    answers = [await router.answer(token) for token in tokens]

    assert Counter(answer.outcome for answer in answers) == {Outcome.FOUND: 200}
    assert len(crm[0].asked) == 1
