"""One look-up: a connector's steps, with the deadline, the attempts and the errors that are the same for all.

Time: the whole look-up ends a moment before its caller stops waiting, so that the reason arrives in time to
be recorded. One attempt takes at most `attempt_seconds`, and never longer than what is left.

Attempts: a request is tried again, after a growing pause with jitter or the one the CRM asks for, when no
connection could be made or it broke, when an attempt brought nothing in its time, and on 429, 500, 502, 503
and 504. Look-ups only read, so asking twice does no harm. Anything else would bring the same answer again. A
pause that leaves no time for another attempt is not begun.

Outcomes: `found`, `not_found`, `timeout` when the time ran out, and `crm_error` for the rest; `problem` says
in an admin's words what happened.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import structlog
from msgspec import Struct
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from router.core.lookups import Answer, LookupJob
from router.core.rules import Outcome
from workers.connectors.answers import one_line, status_problem
from workers.connectors.steps import Connector, Findings, Question, Request, Response
from workers.errors import AttemptTimedOut, LookupFailed, LookupUnavailable
from workers.masks import quotable, shown, without_secrets

log = structlog.get_logger(__name__)

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
ANSWERING_SECONDS = 0.05
"""Kept of the caller's time, to bring the answer to the router."""
SHORTEST_ATTEMPT_SECONDS = 0.1
"""With less than this left, another attempt is not begun."""
PROBLEM_MOST = 300
STEPS_MOST = 50


class Sender(Protocol):
    """`workers.http.HttpClient`, or a test's script of responses."""

    async def send(self, request: Request, seconds: float) -> Response: ...


class LookupLimits(Struct, frozen=True):
    attempt_seconds: float
    retry_first_seconds: float


class Subject(Struct, frozen=True):
    """What a job asks of: a connector with one integration's settings."""

    connector: Connector[Any]
    settings: Any
    country: str

    def __repr__(self) -> str:
        return f"Subject({self.connector.slug!r})"


class Lookups:
    """Runs jobs. `clock` gives seconds, monotonic, and is the event loop's unless a test says otherwise."""

    def __init__(
        self,
        sender: Sender,
        limits: LookupLimits,
        worker: str = "",
        *,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._sender = sender
        self._limits = limits
        self._worker = worker
        self._clock = clock
        self._jitter = jitter

    async def run(self, job: LookupJob, subject: Subject, seconds_left: float) -> Answer:
        """Never raises, but for its task's cancellation."""
        clock = self._clock or asyncio.get_running_loop().time
        seconds = max(seconds_left - ANSWERING_SECONDS, 0.0)
        asking = _Asking(self._sender, self._limits, clock, clock() + seconds, self._jitter)
        try:
            async with asyncio.timeout(seconds):
                findings = await asking.drive(subject, job)
            outcome = Outcome.FOUND if findings.records else Outcome.NOT_FOUND
            records, problem = findings.records, findings.problem
        except (TimeoutError, AttemptTimedOut) as error:
            outcome, records, problem = Outcome.TIMEOUT, (), asking.told_timeout(error)
        except LookupFailed as error:
            outcome, records, problem = Outcome.CRM_ERROR, (), asking.told(error.problem, error.said)
        except Exception as error:
            log.exception("lookup.broken", **named(job), error=type(error).__name__)
            outcome, records = Outcome.CRM_ERROR, ()
            problem = "crmroute failed on this look-up (a mistake of its own; the worker's log has it)"
        return Answer(
            outcome,
            records,
            problem=asking.cleaned(problem),
            request=shown(asking.request) if asking.request else "",
            attempts=asking.attempts,
            crm_seconds=asking.crm_seconds,
            worker=self._worker,
        )


def named(job: LookupJob) -> dict[str, str]:
    """A job's fields in every log line."""
    return {"tenant": job.key.tenant, "uniqueid": job.call_id, "integration": job.key.integration}


class _Asking:
    """One look-up under way, and what its trace will tell."""

    def __init__(
        self,
        sender: Sender,
        limits: LookupLimits,
        clock: Callable[[], float],
        deadline_at: float,
        jitter: Callable[[], float],
    ) -> None:
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._deadline_at = deadline_at
        self._jitter = jitter
        self._started_at = clock()
        self.request: Request | None = None
        """The latest one."""
        self.requests = 0
        self.attempts = 0
        self.crm_seconds = 0.0
        self._last_failure: LookupFailed | None = None

    async def drive(self, subject: Subject, job: LookupJob) -> Findings:
        """Hand the connector a response for each of its requests, until it returns."""
        steps = subject.connector.find(subject.settings, Question(job, subject.country))
        try:
            self.request = next(steps)
            for _ in range(STEPS_MOST):
                self.requests += 1
                self.request = steps.send(await self._ask(self.request))
        except StopIteration as ended:
            findings: Findings = ended.value
            return findings
        finally:
            steps.close()
        raise LookupFailed(f"the connector did not end after {STEPS_MOST} requests")

    async def _ask(self, request: Request) -> Response:
        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception_type(LookupUnavailable),
            wait=self._pause,
            stop=self._has_no_time,
            reraise=True,
        )
        return await retrying(self._attempt, request)

    async def _attempt(self, request: Request) -> Response:
        seconds = min(self._limits.attempt_seconds, self._deadline_at - self._clock())
        self.attempts += 1
        started_at = self._clock()
        try:
            response = await self._sender.send(request, max(seconds, 0.001))
            if response.status in RETRIED_STATUSES and response.status not in request.final_statuses:
                raise LookupUnavailable(status_problem(response.status), _retry_after(response))
        except LookupFailed as error:
            self._last_failure = error
            raise
        finally:
            self.crm_seconds += self._clock() - started_at
        return response

    def _pause(self, state: RetryCallState) -> float:
        """What the CRM asks for, else half to all of a pause that doubles."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, LookupUnavailable) else None
        pause = self._limits.retry_first_seconds * 2.0 ** min(state.attempt_number - 1, 20)
        return max(asked or 0.0, pause * (1 + self._jitter()) / 2)

    def _has_no_time(self, state: RetryCallState) -> bool:
        begins_at = self._clock() + state.upcoming_sleep
        return begins_at + SHORTEST_ATTEMPT_SECONDS > self._deadline_at

    def cleaned(self, problem: str) -> str:
        return (without_secrets(problem, self.request) if self.request else problem)[:PROBLEM_MOST]

    def told(self, problem: str, said: str = "") -> str:
        """The problem, with the failing step where there are several, the CRM's words and the attempts."""
        quoted = one_line(quotable(said, self.request)) if self.request else ""
        if quoted:
            problem = f"{problem}; it said: {quoted}"
        if self.request is not None and self.requests > 1:
            problem = f"{self.request.name}: {problem}"
        failure = self._last_failure
        if isinstance(failure, LookupUnavailable) and failure.retry_after_seconds:
            problem += f", and asks to wait {failure.retry_after_seconds:.0f} seconds"
        return f"{problem} (asked {self.attempts} times)" if self.attempts > self.requests else problem

    def told_timeout(self, error: BaseException) -> str:
        """What kept failing until the time was over says more than that it was over."""
        waited = f"{self._clock() - self._started_at:.1f} seconds"
        failure = self._last_failure
        if isinstance(error, TimeoutError) and failure and not isinstance(failure, AttemptTimedOut):
            return self.told(f"no answer within {waited}; before that, {failure.problem}")
        return self.told(f"the CRM did not answer within {waited}")


def _retry_after(response: Response) -> float | None:
    """Seconds, or None when the header is missing or makes no sense; it may be a number or a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 12:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    # A date counts from the CRM's own clock, which its Date header shows.
    try:
        sent = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max((_utc(moment) - _utc(sent)).total_seconds(), 0.0)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
