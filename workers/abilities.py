"""What a connector can do beside looking up: the connection test, lists for a field picker, a trial, writing.

For a person who waits, and for the log of finished calls; never on a call's path. Each ability is asked with
the same accounts, attempts and errors as a look-up.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.crm_catalog import CrmField, CrmModule
from router.core.errands import CheckConnection, Checked, CheckedStep, StepState, Tried, TryLookup
from router.core.faults import MENDS, STEP_OF, Fault, Step
from router.core.identities import E164, Uniqueid
from router.core.lookups import AskedBy, LookupJob, LookupKey, Record
from router.core.numbers import Caller, CallerKind, spellings, understand_caller
from router.core.problems import nearest
from router.core.tenants import CacheAges
from workers.accounts import Accounts, Subject
from workers.asking import Asker, Asking
from workers.connectors.names import unknown_field
from workers.connectors.steps import Account, Question, Steps
from workers.errors import LookupFailed, LookupRefused
from workers.lookup import Lookups
from workers.permits import Permits

R = TypeVar("R")

CHECK_SECONDS = 20.0
LIST_SECONDS = 20.0
WRITE_SECONDS = 30.0
ATTEMPTS = 3
"""A person waits for the first three, and a finished call is tried again later."""
NOT_KEPT = CacheAges(fresh_seconds=0, stale_seconds=0, absent_seconds=0)
NOBODYS = Caller("+999000000000", CallerKind.NUMBER, E164("+999000000000"))
"""999 is a country code that nobody has."""


class Abilities:
    """`permits` keeps it from what may be asked of a CRM while calls need it; None: nothing does."""

    def __init__(
        self, asker: Asker, accounts: Accounts, lookups: Lookups, permits: Permits | None = None
    ) -> None:
        self._asker = asker
        self._accounts = accounts
        self._lookups = lookups
        self._permits = permits

    async def modules(self, subject: Subject) -> tuple[CrmModule, ...]:
        """Raises LookupFailed."""
        steps_of = _able(subject, "modules")
        return await self._ask(subject, self._asker.begin(LIST_SECONDS, ATTEMPTS), steps_of)

    async def fields(self, subject: Subject, module: str) -> tuple[CrmField, ...]:
        """Raises LookupFailed."""
        return await self._fields(subject, module, self._asker.begin(LIST_SECONDS, ATTEMPTS))

    async def try_lookup(self, subject: Subject, wanted: TryLookup) -> Tried:
        """A look-up that neither reads nor fills the cache."""
        return await self.try_job(subject, trial_job(subject, wanted))

    async def try_job(self, subject: Subject, job: LookupJob) -> Tried:
        """The same for a job as a call's router makes it."""
        started_at = _now()
        permit = self._permits.of(subject) if self._permits else None
        answer = await self._lookups.run(job, subject, job.budget_seconds, permit)
        number = job.caller.e164 if job.key.by is AskedBy.NUMBER else None
        spelt = spellings(number, subject.country) if number else ()
        return Tried(answer, spelt, answer.attempts, _now() - started_at)

    async def records_of(self, subject: Subject, number: str, module: str) -> tuple[Record, ...]:
        """Whom the CRM knows by this number, past the cache. Raises LookupFailed."""
        wanted = TryLookup(
            tenant=subject.tenant, integration=subject.integration, number=number, modules=(module,)
        )
        question = Question(trial_job(subject, wanted), subject.country)
        asking = self._asker.begin(LIST_SECONDS, ATTEMPTS)
        findings = await self._ask(subject, asking, lambda account: subject.connector.find(account, question))
        return findings.records

    async def log_call(self, subject: Subject, call: FinishedCall) -> Logged:
        """Raises LookupFailed."""
        write = subject.connector.log_call
        if write is None:
            raise _cannot(subject, "keep a log of calls")
        asking = self._asker.begin(WRITE_SECONDS, ATTEMPTS)
        return await self._ask(subject, asking, lambda account: write(account, call))

    async def create(self, subject: Subject, contact: NewContact) -> Record:
        """Raises LookupFailed."""
        make = subject.connector.create
        if make is None:
            raise _cannot(subject, "make a record for an unknown caller")
        asking = self._asker.begin(WRITE_SECONDS, ATTEMPTS)
        return await self._ask(subject, asking, lambda account: make(account, contact))

    async def who(self, subject: Subject) -> str:
        """Who the CRM takes us for. Raises LookupFailed."""
        return await self._ask(subject, self._asker.begin(CHECK_SECONDS, ATTEMPTS), _able(subject, "check"))

    async def check(self, subject: Subject, wanted: CheckConnection) -> Checked:
        """Never raises for what the CRM or the network does."""
        asking = self._asker.begin(CHECK_SECONDS, ATTEMPTS)
        walk = _Walk()
        try:
            await self._walk(subject, wanted, asking, walk)
        except (LookupFailed, TimeoutError) as error:
            walk.fail(error, asking)
        return Checked(walk.steps(), asking.requests, asking.seconds_spent)

    async def _walk(self, subject: Subject, wanted: CheckConnection, asking: Asking, walk: "_Walk") -> None:
        walk.at(Step.ADDRESS)  # a name or a certificate that is wrong says so by its fault
        if subject.connector.check is not None:
            who = await self._ask(subject, asking, subject.connector.check)
            walk.passed(Step.CREDENTIALS, who)
        walk.at(Step.MODULE)
        modules = wanted.modules or subject.connector.default_modules[:1]
        if subject.connector.fields is not None:
            for module in modules:
                known = {field.name for field in await self._fields(subject, module, asking)}
                walk.passed(Step.MODULE, ", ".join(modules))
                walk.at(Step.FIELD)
                _require_known(wanted.fields, known)
                walk.at(Step.MODULE)
            walk.passed(Step.FIELD, ", ".join(wanted.fields))
        walk.at(Step.SEARCH)
        question = Question(_search_job(subject, modules, wanted.fields), subject.country)
        await self._ask(subject, asking, lambda account: subject.connector.find(account, question))
        walk.passed(Step.SEARCH, "a number that nobody has was searched")

    async def _fields(self, subject: Subject, module: str, asking: Asking) -> tuple[CrmField, ...]:
        list_fields = subject.connector.fields
        if list_fields is None:
            raise _cannot(subject, "list its fields")
        return await self._ask(subject, asking, lambda account: list_fields(account, module))

    async def _ask(self, subject: Subject, asking: Asking, steps_of: Callable[[Account[Any]], Steps[R]]) -> R:
        """Raises LookupFailed, its texts without secrets."""
        asking.permit = self._permits.of(subject) if self._permits else None
        try:
            async with asyncio.timeout(asking.seconds_left):
                return await self._accounts.ask(subject, asking, steps_of)
        except TimeoutError as error:
            raise LookupRefused(asking.cleaned(asking.told_timeout(error)), fault=Fault.TIMEOUT) from error
        except LookupFailed as error:
            error.problem = asking.cleaned(asking.told(error.problem, error.said))
            error.said = ""
            raise


class _Walk:
    """How far a connection test has come."""

    def __init__(self) -> None:
        self._at = Step.SETTINGS
        self._told: dict[Step, str] = {}
        self._failed: CheckedStep | None = None

    def at(self, step: Step) -> None:
        self._at = step

    def passed(self, step: Step, told: str) -> None:
        self._told[step] = told

    def fail(self, error: BaseException, asking: Asking) -> None:
        fault = error.fault if isinstance(error, LookupFailed) else Fault.TIMEOUT
        problem = error.problem if isinstance(error, LookupFailed) else asking.told_timeout(error)
        step = STEP_OF.get(fault, self._at)
        self._failed = CheckedStep(step, StepState.FAILED, problem, MENDS[fault])

    def steps(self) -> tuple[CheckedStep, ...]:
        order = list(Step)
        failed_at = order.index(self._failed.step) if self._failed else len(order)
        made: list[CheckedStep] = []
        for number, step in enumerate(order):
            if self._failed is not None and number == failed_at:
                made.append(self._failed)
            else:
                state = StepState.PASSED if number < failed_at else StepState.SKIPPED
                made.append(CheckedStep(step, state, self._told.get(step, "")))
        return tuple(made)


def trial_job(subject: Subject, wanted: TryLookup) -> LookupJob:
    """The job of a look-up that nobody's call is waiting for."""
    caller = understand_caller(wanted.number, "", subject.country)
    is_by_digits = bool(wanted.digits)
    key = LookupKey(
        tenant=subject.tenant,
        integration=subject.integration,
        revision="",
        modules=wanted.modules,
        fields=wanted.fields,
        by=AskedBy.DIGITS if is_by_digits else AskedBy.NUMBER,
        subject=wanted.digits if is_by_digits else caller.e164 or caller.received,
        digits_field=wanted.digits_field,
    )
    return LookupJob(
        key=key,
        caller=caller,
        called="",
        digits=wanted.digits,
        call_id=Uniqueid("trial"),
        budget_seconds=wanted.seconds,
        cache=NOT_KEPT,
        sends_digits=is_by_digits,
    )


def _search_job(subject: Subject, modules: tuple[str, ...], fields: tuple[str, ...]) -> LookupJob:
    wanted = TryLookup(
        tenant=subject.tenant,
        integration=subject.integration,
        number=NOBODYS.received,
        modules=modules,
        fields=fields,
    )
    job = trial_job(subject, wanted)
    return replace(job, caller=NOBODYS, key=replace(job.key, subject=NOBODYS.received))


def _require_known(fields: tuple[str, ...], known: set[str]) -> None:
    """A dotted name is another record's field, which only a look-up can tell."""
    for field in fields:
        if field.partition(".")[0] in known or "." in field:
            continue
        meant = nearest(field, known)
        raise unknown_field(f"{field}" if meant is None else f"{field}` (did you mean `{meant}")


def _able(subject: Subject, ability: str) -> Callable[[Account[Any]], Steps[Any]]:
    steps_of: Callable[[Account[Any]], Steps[Any]] | None = getattr(subject.connector, ability)
    if steps_of is None:
        raise _cannot(subject, {"modules": "list its modules", "check": "tell who is signed in"}[ability])
    return steps_of


def _cannot(subject: Subject, what: str) -> LookupRefused:
    return LookupRefused(f"the connector {subject.connector.slug} cannot {what}", fault=Fault.SETTINGS)


def _now() -> float:
    return asyncio.get_running_loop().time()
