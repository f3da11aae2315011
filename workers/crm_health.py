"""How CRMs do, as this worker notices: told to the store when it changes, else once a minute.

A call never waits for it, and a store that is away loses no more than this.
"""

import asyncio
from collections.abc import Callable

import structlog

from router.core.crm_states import AskedFor, LastAsked
from router.core.errands import CheckConnection, Checked, StepState
from router.core.lookups import Answer
from router.core.rules import Outcome
from router.store.errors import StoreError
from router.store.seams import CrmHealthStore
from workers.accounts import Subject
from workers.catalogue import Found

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
KEPT_MOST = 20_000
FAILED = frozenset({Outcome.CRM_ERROR, Outcome.TIMEOUT})
ANSWERED = frozenset({Outcome.FOUND, Outcome.NOT_FOUND, Outcome.SEVERAL})

_Told = tuple[str, bool, float]
"""The settings' revision, whether it did well, and when it was told."""


class CrmHealth:
    def __init__(self, store: CrmHealthStore, clock: Callable[[], float] | None = None) -> None:
        self._store = store
        self._clock = clock
        self._told: dict[tuple[str, str], _Told] = {}

    async def note_lookup(self, found: Found, answer: Answer) -> None:
        """Of a call. What had no answer for want of a free place says nothing of the CRM."""
        if answer.outcome in FAILED or answer.outcome in ANSWERED:
            problem = (answer.problem or str(answer.outcome)) if answer.outcome in FAILED else ""
            await self._note(found, AskedFor.LOOKUP, problem, is_due=False)

    async def note_trial(self, found: Found, answer: Answer) -> None:
        """A person may try a field that is not there: only an answer says something."""
        if answer.outcome in ANSWERED:
            await self._note(found, AskedFor.TRIAL, "", is_due=True)

    async def note_test(self, found: Found, wanted: CheckConnection, checked: Checked) -> None:
        """A test of a module or field that is not there says nothing of the CRM, either."""
        failed = next((step for step in checked.steps if step.state is StepState.FAILED), None)
        if failed is None or not (wanted.modules or wanted.fields):
            problem = (failed.told or str(failed.step)) if failed is not None else ""
            await self._note(found, AskedFor.TEST, problem, is_due=True)

    async def note_sign_in(self, found: Found, problem: str = "") -> None:
        await self._note(found, AskedFor.SIGN_IN, problem, is_due=True)

    async def last(self, found: Found) -> LastAsked | None:
        """Raises StoreError."""
        subject = found.subject
        return await self._store.read(subject.tenant, subject.integration, found.revision)

    async def _note(self, found: Found, purpose: AskedFor, problem: str, *, is_due: bool) -> None:
        """A rule's own user is another matter than the integration's."""
        subject = found.subject
        if subject.grant.rule is not None or not (is_due or self._is_due(subject, found.revision, problem)):
            return
        if len(self._told) >= KEPT_MOST:
            self._told.clear()
        self._told[subject.tenant, subject.integration] = (found.revision, not problem, self._now())
        try:
            await self._store.note(subject.tenant, subject.integration, found.revision, purpose, problem)
        except StoreError as error:
            self._told.pop((subject.tenant, subject.integration), None)
            log.debug("crm.health_not_noted", tenant=subject.tenant, problem=str(error)[:200])

    def _is_due(self, subject: Subject, revision: str, problem: str) -> bool:
        told = self._told.get((subject.tenant, subject.integration))
        if told is None or told[:2] != (revision, not problem):
            return True
        return self._now() >= told[2] + AGAIN_SECONDS

    def _now(self) -> float:
        return (self._clock or asyncio.get_running_loop().time)()
