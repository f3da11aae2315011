"""`crmroute route`: what would happen to a call, without a call.

The evaluation is the router's own (`router.core.rehearsals`). The CRM is asked through the queue, as a router
asks it, so a running worker answers; or an answer is pretended.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from secrets import token_hex

import msgspec
from msgspec import Struct
from rich.text import Text

from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, plain
from router.cli.why import trace_table
from router.core.calls import Call, Moment
from router.core.decide import Limits
from router.core.decisions import Decision
from router.core.events import LookupAnswered, LookupUnavailable, TimerEnded, TimerName
from router.core.explain import Explainer, Step
from router.core.identities import RouterName
from router.core.lookups import Answer, Asked, CacheState, LookupJob, Record, Scalar, Value, Waiter
from router.core.plans import TenantPlan
from router.core.rehearsals import begin, finish, hear, pretended_call
from router.core.rules import Outcome
from router.store.errors import StoreError
from router.store.seams import Store

WITHHELD = frozenset({"withheld", "anonymous"})
PRETENDED = "pretended on the command line"
ASK_AGAIN_SECONDS = 0.5
SLACK_SECONDS = 0.5
"""How much longer than a caller we wait, so that a worker which ran out of time can still say so."""

PARKING = 1
NOBODY = {
    "nobody": "No worker answered, so the CRM was not asked. Is one running?",
    "store": "The CRM was not asked, for the store is out of reach.",
}
"""Where the look-up's answer did not come from."""

Now = Callable[[], Moment]


class Question(Struct, frozen=True):
    """The call to rehearse."""

    to: str
    caller: str
    entry: str = ""
    digits: str | None = None
    at: str = ""
    values: tuple[str, ...] = ()
    """Pretended values of the rule's field, one for each record."""
    outcome: Outcome | None = None
    """A pretended outcome."""

    @property
    def is_pretending(self) -> bool:
        return bool(self.values) or self.outcome is not None


class Rehearsal(Struct, frozen=True):
    """As `--json` gives it."""

    destination: str
    place: str
    lookup_from: str
    """`worker`, `cache`, `pretended`, `not asked`, `nobody` (no worker) or `store` (out of reach)."""
    steps: list[Step]
    decision: Decision


async def rehearse(
    screen: Screen, plan: TenantPlan, question: Question, limits: Limits, store: Store | None
) -> ExitCode:
    """`store` None: nothing may be asked, an answer is pretended."""
    now = _clock(moment_of(question.at, plan))
    caller = "" if question.caller.lower() in WITHHELD else question.caller
    name = f"dry-run-{token_hex(3)}"
    parked = pretended_call(plan, question.to, caller, question.entry, question.digits, name)
    call, job = begin(parked, plan, now(), limits)
    source = "not asked"
    if job is not None and store is not None:
        call, source = await _ask_store(call, job, limits, store, now)
    elif job is not None:
        call, source = hear(call, _pretended(call, question), now(), limits), "pretended"
    elif question.is_pretending:
        screen.note("The CRM is not asked for this call, so the pretended answer was not used.", "yellow")
    _show(screen, plan, finish(call), source)
    return ExitCode.UNREACHABLE if source in NOBODY else ExitCode.OK


def _pretended(call: Call, question: Question) -> LookupAnswered:
    field = call.rule_plan.rule.field if call.rule_plan and call.rule_plan.rule else ""
    return LookupAnswered(PARKING, Asked(CacheState.MISSING, pretended_answer(question, field)))


def _clock(epoch: float) -> Now:
    """A clock that runs as ours does, from that moment on."""
    started = time.monotonic()
    return lambda: Moment(time.monotonic(), epoch + time.monotonic() - started)


def moment_of(at: str, plan: TenantPlan) -> float:
    """An ISO moment in epoch seconds; without an offset it is the tenant's own time; empty: this moment."""
    if not at:
        return time.time()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise WrongUsage(
            f"--at {at}: this is no moment", "Write it as 2026-11-23T18:30 or with an offset."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=plan.zone)).timestamp()


def pretended_answer(question: Question, field: str) -> Answer:
    """The answer that --value and --outcome describe."""
    outcome, values = question.outcome, [read_value(text) for text in question.values]
    if outcome is Outcome.SEVERAL and len(values) < 2:
        values = [None, ""]  # two records that cannot agree: what becomes of them is the rule's own policy
    if values:
        records = tuple(Record({field: value}, id=str(number)) for number, value in enumerate(values, 1))
        return Answer(Outcome.FOUND, records)
    return Answer(outcome or Outcome.NOT_FOUND, problem=_problem(outcome))


def _problem(outcome: Outcome | None) -> str:
    return "" if outcome is Outcome.NOT_FOUND else PRETENDED


def read_value(text: str) -> Value:
    """As a CRM's JSON has it: `42`, `true`, `null`, `["a"]` and `"42"` are read as JSON, the rest is text."""
    with suppress(msgspec.DecodeError):
        read: Scalar | list[Scalar] = msgspec.json.decode(text, type=Scalar | list[Scalar])
        return read
    return text


async def _ask_store(call: Call, job: LookupJob, limits: Limits, store: Store, now: Now) -> tuple[Call, str]:
    asked_at = now()
    try:
        asked = await _asked_of(store, job)
    except StoreError as error:
        return hear(call, LookupUnavailable(PARKING, str(error)), now(), limits), "store"
    if asked is None:
        silent = hear(call, LookupAnswered(PARKING, Asked(CacheState.MISSING)), asked_at, limits)
        given_up_at = _later(asked_at, job.budget_seconds)
        return hear(silent, TimerEnded(PARKING, TimerName.LOOKUP), given_up_at, limits), "nobody"
    source = "cache" if asked.state in (CacheState.FRESH, CacheState.STALE) else "worker"
    return hear(call, LookupAnswered(PARKING, asked), now(), limits), source


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


def _show(screen: Screen, plan: TenantPlan, decision: Decision, source: str) -> None:
    steps = Explainer(plan.zone).explain(decision)
    screen.answer(Rehearsal(decision.asked_target, decision.asked_place, source, steps, decision))
    screen.show(trace_table(steps, decision), Text(), _destination(decision))
    if source == "pretended":
        screen.note("The CRM's answer was pretended; nothing was asked.", "dim")
    if source in NOBODY:
        screen.note(NOBODY[source], "bold red")
        screen.note("  `crmroute worker` starts one, `crmroute doctor` looks at the store.", "cyan")
        screen.note("  Or pretend an answer: --value Gold, --outcome not_found.", "cyan")


def _destination(decision: Decision) -> Text:
    if decision.asked_why == "greeting":
        return Text.assemble("→ ", ("the greeting", "bold"), ", then what --digits decides")
    if not decision.asked_target:
        return Text("→ nowhere: nothing was decided", "bold red")
    place = f"  {plain(decision.asked_place)}" if decision.asked_place else ""
    return Text.assemble("→ ", (plain(decision.asked_target), "bold green"), (place, "dim"))


def pretendable(outcome: str) -> Outcome:
    """Raises WrongUsage for what is no outcome of a look-up."""
    allowed = (Outcome.NOT_FOUND, Outcome.SEVERAL, Outcome.CRM_ERROR, Outcome.TIMEOUT, Outcome.OVERLOADED)
    names: Sequence[str] = [known.value for known in allowed]
    if outcome not in names:
        mend = (
            f"One of {', '.join(names)}. `found` is --value, withheld --from withheld, no_digits --digits ''."
        )
        raise WrongUsage(f"--outcome {outcome}: a look-up cannot end so", mend)
    return Outcome(outcome)
