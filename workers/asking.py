"""Asking a CRM: a connector's steps, and the deadline, attempts and errors that are the same for all.

Time: one `Asking` has a deadline; one attempt takes at most `attempt_seconds`, and never longer than what is
left. An answer that comes too late for its caller may still serve the next one: where `late_seconds` allow
it, what is under way at the deadline goes on for so long, and nothing is tried again.

Attempts: a request is tried again, after a growing pause with jitter or the one the CRM asks for, when no
connection could be made or it broke, when an attempt brought nothing in its time, and on 429, 500, 502, 503
and 504. A request that writes is sent again only where the CRM certainly has not taken it: no connection, 429
and 503. Anything else would bring the same answer again. A pause that leaves no time for another attempt is
not begun.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

from msgspec import Struct
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from router.core.faults import Fault
from workers.connectors.answers import one_line, status_problem
from workers.connectors.steps import Request, Response, Steps
from workers.errors import AttemptTimedOut, LookupFailed, LookupUnavailable
from workers.masks import quotable, without_secrets
from workers.quotas import Quota

R = TypeVar("R")

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
NOT_TAKEN_STATUSES = frozenset({429, 503})
"""After these a request that writes has certainly changed nothing."""
NOT_SENT_FAULTS = frozenset({Fault.DNS, Fault.ADDRESS})
"""No connection could be made."""
SHORTEST_ATTEMPT_SECONDS = 0.1
"""With less than this left, another attempt is not begun."""
PROBLEM_MOST = 300
STEPS_MOST = 50


Permit = Callable[[float], Awaitable[None]]
"""Waits until one more request may be sent, at most so many seconds. Raises LookupUnavailable."""


class Sender(Protocol):
    """`workers.http.HttpClient`, or a test's script of responses."""

    async def send(self, request: Request, seconds: float) -> Response: ...


class AskingLimits(Struct, frozen=True):
    attempt_seconds: float
    retry_first_seconds: float


class Asker:
    """Begins askings. `clock` gives seconds, monotonic: the event loop's unless a test says otherwise."""

    def __init__(
        self,
        sender: Sender,
        limits: AskingLimits,
        *,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._jitter = jitter

    def begin(self, seconds: float, attempts_most: int | None = None, late_seconds: float = 0.0) -> "Asking":
        """One asking, whose requests end within `seconds`, each after so many attempts at the most."""
        clock = self._clock or asyncio.get_running_loop().time
        asking = Asking(self._sender, self._limits, clock, clock() + seconds, self._jitter, attempts_most)
        asking.late_seconds = late_seconds
        return asking


class Asking:
    """What is asked of one CRM for one purpose, and what the trace will tell of it."""

    def __init__(
        self,
        sender: Sender,
        limits: AskingLimits,
        clock: Callable[[], float],
        deadline_at: float,
        jitter: Callable[[], float],
        attempts_most: int | None = None,
    ) -> None:
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._deadline_at = deadline_at
        self._jitter = jitter
        self._attempts_most = attempts_most
        self.late_seconds = 0.0
        """After the deadline, in which what is under way may end."""
        self.quota: Quota | None = None
        """Of the integration that is asked; None while nobody is known to be."""
        self.permit: Permit | None = None
        """Of what no caller waits for; a look-up has been let through before it came to a worker."""
        self.was_held_back = False
        """A quota that was known to be used up kept a request from being sent."""
        self._started_at = clock()
        self.request: Request | None = None
        """The latest one."""
        self.requests = 0
        self.attempts = 0
        self._ended_seconds = 0.0
        self._attempt_at: float | None = None
        self._last_failure: LookupFailed | None = None

    @property
    def seconds_left(self) -> float:
        return max(self._deadline_at - self._clock(), 0.0)

    @property
    def seconds_spent(self) -> float:
        return self._clock() - self._started_at

    @property
    def crm_seconds(self) -> float:
        """Spent waiting for the CRM, over all attempts, with the one that is under way."""
        under_way = self._clock() - self._attempt_at if self._attempt_at is not None else 0.0
        return self._ended_seconds + under_way

    async def run(self, steps: Steps[R]) -> R:
        """Hand the steps a response for each of their requests, until they return. Raises LookupFailed."""
        try:
            self.request = next(steps)
            for _ in range(STEPS_MOST):
                self.requests += 1
                try:
                    response = await self._ask(self.request)
                except LookupFailed as error:
                    self.request = steps.throw(error)  # the connector may know what it means
                else:
                    self.request = steps.send(response)
        except StopIteration as ended:
            returned: R = ended.value
            return returned
        finally:
            steps.close()
        raise LookupFailed(f"the connector did not end after {STEPS_MOST} requests")

    async def _ask(self, request: Request) -> Response:
        def may_try_again(error: BaseException) -> bool:
            if not isinstance(error, LookupUnavailable):
                return False
            return not request.writes or _was_not_taken(error)

        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception(may_try_again),
            wait=self._pause,
            stop=self._is_over,
            reraise=True,
        )
        return await retrying(self._attempt, request)

    async def _attempt(self, request: Request) -> Response:
        self._require_quota()
        if self.permit is not None:
            await self.permit(self.seconds_left)
        left = self._deadline_at + self.late_seconds - self._clock()
        seconds = min(self._limits.attempt_seconds, left)
        self._attempt_at = self._clock()
        try:
            self.attempts += 1
            response = await self._sender.send(request, max(seconds, 0.001))
            if self.quota is not None:
                self.quota.note(response)
            if response.status in RETRIED_STATUSES and response.status not in request.final_statuses:
                raise _unavailable(response)
        except LookupFailed as error:
            self._last_failure = error
            self._note_throttling(error)
            raise
        finally:
            self._ended_seconds, self._attempt_at = self.crm_seconds, None
        return response

    def _require_quota(self) -> None:
        """Raises LookupUnavailable."""
        try:
            if self.quota is not None:
                self.quota.require_open()
        except LookupFailed as error:
            self._last_failure = error
            self.was_held_back = True
            raise

    def _note_throttling(self, error: LookupFailed) -> None:
        """Only with a time to wait: without one the next attempt's own pause is the best guess."""
        if self.quota is not None and isinstance(error, LookupUnavailable) and error.retry_after_seconds:
            self.quota.close(error.retry_after_seconds)

    def _pause(self, state: RetryCallState) -> float:
        """What the CRM asks for, else half to all of a pause that doubles."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, LookupUnavailable) else None
        pause = self._limits.retry_first_seconds * 2.0 ** min(state.attempt_number - 1, 20)
        return max(asked or 0.0, pause * (1 + self._jitter()) / 2)

    def _is_over(self, state: RetryCallState) -> bool:
        if self._attempts_most is not None and state.attempt_number >= self._attempts_most:
            return True
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
        waited = f"{self.seconds_spent:.1f} seconds"
        failure = self._last_failure
        if isinstance(error, TimeoutError) and failure and not isinstance(failure, AttemptTimedOut):
            return self.told(f"no answer within {waited}; before that, {failure.problem}")
        return self.told(f"the CRM did not answer within {waited}")


def _unavailable(response: Response) -> LookupUnavailable:
    fault = Fault.THROTTLED if response.status == 429 else Fault.DOWN
    error = LookupUnavailable(status_problem(response.status), _retry_after(response), fault=fault)
    error.status = response.status
    return error


def _was_not_taken(error: LookupUnavailable) -> bool:
    return error.status in NOT_TAKEN_STATUSES or error.fault in NOT_SENT_FAULTS


def _retry_after(response: Response) -> float | None:
    """Seconds, or None when the header is missing or makes no sense; it may be a number or a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 12:
        return float(text)
    # A date counts from the CRM's own clock, which its Date header shows.
    moment, sent = _moment(text), _moment(response.headers.get("date", ""))
    return max((moment - sent).total_seconds(), 0.0) if moment and sent else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
