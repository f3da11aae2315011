"""One look-up: a connector's `find`, with the account it asks for and the outcome it comes to.

The whole look-up ends a moment before its caller stops waiting, so that the reason arrives in time to be
recorded. `workers.asking` sends the requests, `workers.accounts` signs in where that is needed.

Outcomes: `found`, `not_found`, `timeout` when the time ran out, and `crm_error` for the rest; `problem` says
in an admin's words what happened.
"""

import asyncio

import structlog

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
LONG_SECONDS = 1.0
"""A CRM that has not answered for so long is slow, whatever the caller's time is."""
BROKEN = "crmroute failed on this look-up (a mistake of its own; the worker's log has it)"


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
        answer, _ = await self.judged(job, subject, seconds_left, permit)
        return answer

    async def judged(
        self, job: LookupJob, subject: Subject, seconds_left: float, permit: Permit | None = None
    ) -> tuple[Answer, Verdict]:
        """With what the look-up tells of its CRM. Never raises, but for its task's cancellation."""
        asking = self._asker.begin(max(seconds_left - ANSWERING_SECONDS, 0.0))
        asking.permit = permit
        answer, fault = await self._answered(job, subject, asking)
        return answer, _verdict(job, asking, answer, fault)

    async def _answered(
        self, job: LookupJob, subject: Subject, asking: Asking
    ) -> tuple[Answer, Fault | None]:

        def find(account: Account[object]) -> Steps[Findings]:
            return subject.connector.find(account, Question(job, subject.country))

        try:
            async with asyncio.timeout(asking.seconds_left):
                findings = await self._accounts.ask(subject, asking, find)
            outcome = Outcome.FOUND if findings.records else Outcome.NOT_FOUND
            return self._answer(asking, outcome, findings), None
        except (TimeoutError, AttemptTimedOut) as error:
            told = asking.told_timeout(error)
            return self._answer(asking, Outcome.TIMEOUT, Findings(problem=told)), Fault.TIMEOUT
        except LookupFailed as error:
            told = asking.told(error.problem, error.said)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=told)), error.fault
        except Exception as error:
            log.exception("lookup.broken", **named(job), error=type(error).__name__)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=BROKEN)), None

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
