"""What a worker tells of a CRM: changes at once, else once a minute; never what says nothing of it."""

import pytest
from msgspec.structs import replace

from router.core.crm_states import AskedFor, LastAsked
from router.core.errands import CheckConnection, Checked, CheckedStep, StepState
from router.core.faults import Step
from router.core.identities import RuleName
from router.core.lookups import Answer
from router.core.rules import Outcome
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.workers.makers import ACME, CRM, subject
from workers.catalogue import Found
from workers.crm_health import AGAIN_SECONDS, CrmHealth

FOUND = Found(subject(), "r1")
WELL, NOBODY = Answer(Outcome.FOUND), Answer(Outcome.NOT_FOUND)
DOWN, SLOW = Answer(Outcome.CRM_ERROR, problem="it is down"), Answer(Outcome.TIMEOUT)
FULL = Answer(Outcome.OVERLOADED, problem="no place")
TEST = CheckConnection(tenant=ACME, integration=CRM)
FIELD = CheckConnection(tenant=ACME, integration=CRM, fields=("teir",))


class Rig:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = 100.0
        self.health = CrmHealth(self.store.crm_health, lambda: self.now)

    async def told(self) -> LastAsked | None:
        return await self.health.last(FOUND)

    async def problem(self) -> str | None:
        told = await self.told()
        return None if told is None else told.problem


@pytest.fixture
def rig() -> Rig:
    return Rig()


def checked(state: StepState) -> Checked:
    return Checked((CheckedStep(Step.CREDENTIALS, state, "refused"),), 1, 0.1)


async def test_calls_tell_whether_it_answers(rig: Rig) -> None:
    await rig.health.note_lookup(FOUND, FULL)
    assert await rig.told() is None
    for answer, problem in ((WELL, ""), (DOWN, "it is down"), (NOBODY, ""), (SLOW, "timeout")):
        await rig.health.note_lookup(FOUND, answer)
        assert await rig.problem() == problem


async def test_what_stays_as_it_is_is_told_once_a_minute(rig: Rig) -> None:
    await rig.health.note_lookup(FOUND, DOWN)
    await rig.health.note_lookup(FOUND, Answer(Outcome.CRM_ERROR, problem="another"))
    assert await rig.problem() == "it is down"

    rig.now += AGAIN_SECONDS
    await rig.health.note_lookup(FOUND, Answer(Outcome.CRM_ERROR, problem="another"))

    assert await rig.problem() == "another"


async def test_a_person_s_test_is_told_at_once(rig: Rig) -> None:
    await rig.health.note_lookup(FOUND, WELL)
    await rig.health.note_test(FOUND, TEST, checked(StepState.PASSED))
    told = await rig.told()
    assert told is not None
    assert told.purpose is AskedFor.TEST

    await rig.health.note_test(FOUND, TEST, checked(StepState.FAILED))

    assert await rig.problem() == "refused"


async def test_a_slip_of_a_person_s_pen_says_nothing_of_the_crm(rig: Rig) -> None:
    await rig.health.note_test(FOUND, FIELD, checked(StepState.FAILED))
    await rig.health.note_trial(FOUND, DOWN)

    assert await rig.told() is None


async def test_a_rule_s_own_user_says_nothing_of_the_integration(rig: Rig) -> None:
    own = replace(FOUND.subject.grant, rule=RuleName("Sales"))
    await rig.health.note_lookup(replace(FOUND, subject=replace(FOUND.subject, grant=own)), DOWN)

    assert await rig.told() is None


async def test_a_store_that_is_away_is_told_the_next_time(rig: Rig) -> None:
    rig.store.outage = StoreUnavailable("away")
    await rig.health.note_lookup(FOUND, DOWN)
    rig.store.outage = None
    await rig.health.note_lookup(FOUND, DOWN)

    assert await rig.problem() == "it is down"
