"""A dry run with its look-up: the CRM is asked through the queue, as a router asks it, or an answer is
pretended.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from secrets import token_hex
from typing import Any

from msgspec import Struct

from router.core.calls import Call, Moment
from router.core.decide import Limits
from router.core.decisions import Decision
from router.core.errands import ErrandFailed, Tried, TryDraft
from router.core.events import CallParked, LookupAnswered, LookupUnavailable, TimerEnded, TimerName
from router.core.identities import RouterName, RuleName
from router.core.lookups import Answer, Asked, CacheState, LookupJob, Waiter
from router.core.plans import TenantPlan
from router.core.rehearsals import Pretended, begin, finish, hear, pretend
from router.core.rules import Credentials, Outcome
from router.store.errors import StoreError
from router.store.seams import Store

PARKING = 1
ASK_AGAIN_SECONDS = 0.5
SLACK_SECONDS = 0.5
"""How much longer than a caller we wait, so that a worker which ran out of time can still say so."""

SOURCES = {CacheState.FRESH: "cache", CacheState.STALE: "cache", CacheState.REFUSED: "not asked"}

Now = Callable[[], Moment]


class Drafted(Struct, frozen=True):
    """What a rule that need not be in force asks by, where workers may have something else."""

    connector: str
    settings: dict[str, Any]
    """Secrets sealed."""
    credentials: Credentials | None
    rule: RuleName


async def rehearsed(
    parked: CallParked,
    plan: TenantPlan,
    limits: Limits,
    now: Now,
    answering: Pretended | Store | None,
    drafted: Drafted | None = None,
) -> tuple[Decision, str]:
    """The decision that the call would get, and where the look-up's answer came from: `worker`, `cache`,
    `pretended`, `not asked`, `nobody` (no worker) or `store` (out of reach).
    """
    call, job = begin(parked, plan, now(), limits)
    if job is None or answering is None:
        return finish(call), "not asked"
    if isinstance(answering, Pretended):
        return finish(pretend(call, answering, now(), limits)), "pretended"
    asking = _asked_by_errand(answering, job, drafted) if drafted else _asked_of(answering, job)
    call, source = await _hear_store(call, job, limits, asking, now)
    return finish(call), source


def clock_from(epoch: float) -> Now:
    """A clock that runs as ours does, from that moment on."""
    started = time.monotonic()
    return lambda: Moment(time.monotonic(), epoch + time.monotonic() - started)


async def _hear_store(
    call: Call, job: LookupJob, limits: Limits, asking: Awaitable[Asked | None], now: Now
) -> tuple[Call, str]:
    asked_at = now()
    try:
        asked = await asking
    except StoreError as error:
        return hear(call, LookupUnavailable(PARKING, str(error)), now(), limits), "store"
    if asked is None:
        silent = hear(call, LookupAnswered(PARKING, Asked(CacheState.MISSING)), asked_at, limits)
        given_up_at = _later(asked_at, job.budget_seconds)
        return hear(silent, TimerEnded(PARKING, TimerName.LOOKUP), given_up_at, limits), "nobody"
    return hear(call, LookupAnswered(PARKING, asked), now(), limits), SOURCES.get(asked.state, "worker")


async def _asked_by_errand(store: Store, job: LookupJob, drafted: Drafted) -> Asked | None:
    """Past the cache, which knows nothing of a draft. Raises StoreError."""
    errand = TryDraft(
        tenant=job.key.tenant,
        integration=job.key.integration,
        rule=drafted.rule,
        job=job,
        connector=drafted.connector,
        settings=drafted.settings,
        credentials=drafted.credentials,
    )
    reply = await store.errands.run(errand, job.budget_seconds + SLACK_SECONDS)
    if isinstance(reply, ErrandFailed):
        return Asked(CacheState.MISSING, Answer(Outcome.CRM_ERROR, problem=reply.problem))
    return Asked(CacheState.MISSING, reply.answer) if isinstance(reply, Tried) else None


async def _asked_of(store: Store, job: LookupJob) -> Asked | None:
    """The cache's or a worker's answer; None when nobody answers in the time that a caller would wait."""
    waiter = Waiter(RouterName(f"dry-run-{token_hex(6)}"), "1")
    arrived: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(store, waiter, arrived))
    await asyncio.sleep(0)  # the reader's own stream must be there before a worker answers to it
    try:
        async with asyncio.timeout(job.budget_seconds + SLACK_SECONDS):
            return await _ask_until_answered(store, job, waiter, arrived)
    except TimeoutError:
        return None
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def _ask_until_answered(
    store: Store, job: LookupJob, waiter: Waiter, arrived: "asyncio.Future[Answer]"
) -> Asked:
    """Ask again now and then: an answer that came before our stream was made is in the cache by then."""
    first = await store.lookups.ask(job, waiter)
    asked = first
    while asked.answer is None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_AGAIN_SECONDS):
                return Asked(first.state, await asyncio.shield(arrived))
        asked = await store.lookups.ask(job, waiter)
    return asked if asked is first else Asked(first.state, asked.answer)


async def _read(store: Store, waiter: Waiter, arrived: "asyncio.Future[Answer]") -> None:
    async for token, answer in store.answers(waiter.router).read():
        if token == waiter.token and not arrived.done():
            arrived.set_result(answer)


def _later(moment: Moment, seconds: float) -> Moment:
    return Moment(moment.monotonic + seconds, moment.epoch + seconds)
