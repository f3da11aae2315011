"""One look-up: a connector's `find`, with the account it asks for and the outcome it comes to.

The caller's part of it ends a moment before the caller stops waiting, so that the reason arrives in time to
be recorded. A look-up that is under way then may go on for a moment as a late one: what it brings moves
nobody, and is kept for whoever calls next. `workers.asking` sends the requests, `workers.accounts` signs in
where that is needed.

Outcomes: `found`, `not_found`, `timeout` when the time ran out, and `crm_error` for the rest; `problem` says
in an admin's words what happened.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from msgspec import Struct

from router.core.breakers import Verdict, health_of
from router.core.faults import Fault
from router.core.lookups import Answer, LookupJob
from router.core.rules import Outcome
from workers.accounts import Accounts, Subject
from workers.asking import Asker, Asking, Permit
from workers.connectors.steps import Account, Findings, Question, Steps
from workers.errors import AttemptTimedOut, LookupFailed
from workers.masks import shown

log = structlog.get_logger(__name__)

ANSWERING_SECONDS = 0.05
"""Kept of the caller's time, to bring the answer to the router."""
LATE_SECONDS = 1.2
"""How long a look-up may go on after its caller's time."""
LONG_SECONDS = 1.0
"""A CRM that has not answered for so long is slow, whatever the caller's time is."""
BROKEN = "crmroute failed on this look-up (a mistake of its own; the worker's log has it)"


class LateLookup:
    """A look-up that is still under way when its caller's time is over."""

    def __init__(
        self, finding: asyncio.Task[Findings], seconds: float, answer: Callable[[Findings], Answer]
    ) -> None:
        self._finding = finding
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._answer = answer

    async def answer(self) -> Answer | None:
        """None where it brings nothing in its time. Never raises, but for its task's cancellation."""
        try:
            async with asyncio.timeout_at(self._ends_at):
                return self._answer(await self._finding)
        except (TimeoutError, LookupFailed):
            return None
        except Exception as error:
            log.exception("lookup.broken", error=type(error).__name__)
            return None
        finally:
            self._finding.cancel()


class Judged(Struct, frozen=True):
    """A look-up when its caller's time is over, or before."""

    answer: Answer
    verdict: Verdict
    """What it tells of its CRM."""
    late: LateLookup | None = None


class Lookups:
    """Runs jobs."""

    def __init__(self, asker: Asker, accounts: Accounts, worker: str = "") -> None:
        self._asker = asker
        self._accounts = accounts
        self._worker = worker

    async def run(
        self, job: LookupJob, subject: Subject, seconds_left: float, permit: Permit | None = None
    ) -> Answer:
        """Never raises, but for its task's cancellation."""
        judged = await self.judged(job, subject, seconds_left, permit)
        return judged.answer

    async def judged(
        self,
        job: LookupJob,
        subject: Subject,
        seconds_left: float,
        permit: Permit | None = None,
        late_seconds: float = 0.0,
    ) -> Judged:
        """Never raises, but for its task's cancellation. Whoever allows it to be late awaits `late`."""
        asking = self._asker.begin(max(seconds_left - ANSWERING_SECONDS, 0.0), late_seconds=late_seconds)
        asking.permit = permit
        finding = asyncio.create_task(self._find(job, subject, asking), name=f"find {job.call_id}")
        is_late = False
        try:
            answer, fault = await self._answered(job, asking, finding)
            is_late = late_seconds > 0 and not finding.done()
        finally:
            if not is_late:
                finding.cancel()
        late = LateLookup(finding, late_seconds, partial(self._found, asking)) if is_late else None
        return Judged(answer, _verdict(job, asking, answer, fault), late)

    async def _find(self, job: LookupJob, subject: Subject, asking: Asking) -> Findings:
        """Raises LookupFailed."""

        def find(account: Account[object]) -> Steps[Findings]:
            return subject.connector.find(account, Question(job, subject.country))

        return await self._accounts.ask(subject, asking, find)

    async def _answered(
        self, job: LookupJob, asking: Asking, finding: asyncio.Task[Findings]
    ) -> tuple[Answer, Fault | None]:
        try:
            done, _ = await asyncio.wait({finding}, timeout=asking.seconds_left)
            if not done:
                raise TimeoutError
            return self._found(asking, finding.result()), None
        except (TimeoutError, AttemptTimedOut) as error:
            told = asking.told_timeout(error)
            return self._answer(asking, Outcome.TIMEOUT, Findings(problem=told)), Fault.TIMEOUT
        except LookupFailed as error:
            told = asking.told(error.problem, error.said)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=told)), error.fault
        except Exception as error:
            log.exception("lookup.broken", **named(job), error=type(error).__name__)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=BROKEN)), None

    def _found(self, asking: Asking, findings: Findings) -> Answer:
        return self._answer(asking, Outcome.FOUND if findings.records else Outcome.NOT_FOUND, findings)

    def _answer(self, asking: Asking, outcome: Outcome, findings: Findings) -> Answer:
        return Answer(
            outcome,
            findings.records,
            problem=asking.cleaned(findings.problem),
            request=shown(asking.request) if asking.request else "",
            attempts=asking.attempts,
            crm_seconds=asking.crm_seconds,
            worker=self._worker,
        )


def _verdict(job: LookupJob, asking: Asking, answer: Answer, fault: Fault | None) -> Verdict:
    """A look-up whose time was too short to tell, for it waited for its turn, says nothing against its
    CRM.
    """
    is_fair = asking.attempts > 0 or not asking.was_held_back
    if fault is Fault.TIMEOUT:
        is_fair = is_fair and asking.seconds_spent >= min(LONG_SECONDS, job.budget_seconds / 2)
    return Verdict(
        health=health_of(fault, asking.attempts, is_fair=is_fair),
        problem=answer.problem,
        requests=asking.attempts,
        paused_seconds=asking.quota.seconds_closed if asking.quota else 0.0,
    )


def named(job: LookupJob) -> dict[str, str]:
    """A job's fields in every log line."""
    return {"tenant": job.key.tenant, "uniqueid": job.call_id, "integration": job.key.integration}
