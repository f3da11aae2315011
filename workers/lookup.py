"""One look-up: a connector's `find`, with the account it asks for and the outcome it comes to.

The whole look-up ends a moment before its caller stops waiting, so that the reason arrives in time to be
recorded. `workers.asking` sends the requests, `workers.accounts` signs in where that is needed.

Outcomes: `found`, `not_found`, `timeout` when the time ran out, and `crm_error` for the rest; `problem` says
in an admin's words what happened.
"""

import asyncio

import structlog

from router.core.lookups import Answer, LookupJob
from router.core.rules import Outcome
from workers.accounts import Accounts, Subject
from workers.asking import Asker, Asking
from workers.connectors.steps import Account, Findings, Question, Steps
from workers.errors import AttemptTimedOut, LookupFailed
from workers.masks import shown

log = structlog.get_logger(__name__)

ANSWERING_SECONDS = 0.05
"""Kept of the caller's time, to bring the answer to the router."""
BROKEN = "crmroute failed on this look-up (a mistake of its own; the worker's log has it)"


class Lookups:
    """Runs jobs."""

    def __init__(self, asker: Asker, accounts: Accounts, worker: str = "") -> None:
        self._asker = asker
        self._accounts = accounts
        self._worker = worker

    async def run(self, job: LookupJob, subject: Subject, seconds_left: float) -> Answer:
        """Never raises, but for its task's cancellation."""
        seconds = max(seconds_left - ANSWERING_SECONDS, 0.0)
        asking = self._asker.begin(seconds)

        def find(account: Account[object]) -> Steps[Findings]:
            return subject.connector.find(account, Question(job, subject.country))

        try:
            async with asyncio.timeout(seconds):
                findings = await self._accounts.ask(subject, asking, find)
            outcome = Outcome.FOUND if findings.records else Outcome.NOT_FOUND
            return self._answer(asking, outcome, findings)
        except (TimeoutError, AttemptTimedOut) as error:
            return self._answer(asking, Outcome.TIMEOUT, Findings(problem=asking.told_timeout(error)))
        except LookupFailed as error:
            told = asking.told(error.problem, error.said)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=told))
        except Exception as error:
            log.exception("lookup.broken", **named(job), error=type(error).__name__)
            return self._answer(asking, Outcome.CRM_ERROR, Findings(problem=BROKEN))

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


def named(job: LookupJob) -> dict[str, str]:
    """A job's fields in every log line."""
    return {"tenant": job.key.tenant, "uniqueid": job.call_id, "integration": job.key.integration}
