"""What is told of a CRM: by its sign-in (none, a machine's, a person's; with a grant; with a problem), and by
how it did when it was asked last (never, well, not)."""

import pytest

from router.core.breakers import BreakerState
from router.core.crm_states import AskedFor, CrmCondition, CrmState, LastAsked, SignIn, state_of, with_breaker
from router.core.errands import ErrandFailed, Reply, SignInDone, SignInState, crm_state_of
from router.core.faults import Fault

WELL = LastAsked(purpose=AskedFor.TEST, age_seconds=60, since_seconds=3600)
DOWN = LastAsked(purpose=AskedFor.LOOKUP, age_seconds=5, since_seconds=120, problem="it is down")
NONE, MACHINE = SignIn(), SignIn(has_grant=True)
PERSON = SignIn(has_grant=True, by_person=True)
NOBODY = SignIn(by_person=True)
NOBODY_TRIED = SignIn(by_person=True, problem="nobody has signed in", fault=Fault.SIGN_IN)
DEAD = SignIn(has_grant=True, by_person=True, problem="dead", fault=Fault.SIGN_IN, problem_since_seconds=9)
WRONG_SECRET = SignIn(has_grant=True, by_person=True, problem="wrong", fault=Fault.CREDENTIALS)
AWAY = SignIn(has_grant=True, by_person=True, problem="throttled", fault=Fault.THROTTLED)
REFUSED = SignIn(problem="refused", fault=Fault.CREDENTIALS, problem_since_seconds=7)


@pytest.mark.parametrize(
    ("sign_in", "asked", "condition", "problem", "since"),
    [
        (NONE, None, CrmCondition.NEVER_ASKED, "", None),
        (NONE, WELL, CrmCondition.CONNECTED, "", None),
        (NONE, DOWN, CrmCondition.FAILING, "it is down", 120),
        (MACHINE, None, CrmCondition.CONNECTED, "", None),
        (MACHINE, DOWN, CrmCondition.FAILING, "it is down", 120),
        (REFUSED, WELL, CrmCondition.FAILING, "refused", 7),
        (PERSON, None, CrmCondition.CONNECTED, "", None),
        (PERSON, DOWN, CrmCondition.FAILING, "it is down", 120),
        (NOBODY, None, CrmCondition.NOT_CONNECTED, "", None),
        (NOBODY_TRIED, DOWN, CrmCondition.NOT_CONNECTED, "", None),
        (DEAD, WELL, CrmCondition.NEEDS_AUTHORISATION, "dead", 9),
        (WRONG_SECRET, None, CrmCondition.NEEDS_AUTHORISATION, "wrong", 0),
        (AWAY, WELL, CrmCondition.FAILING, "throttled", 0),
    ],
)
def test_the_condition(
    sign_in: SignIn, asked: LastAsked | None, condition: CrmCondition, problem: str, since: float | None
) -> None:
    state = state_of(sign_in, asked)

    assert (state.condition, state.problem, state.since_seconds) == (condition, problem, since)


OPEN = BreakerState(failures=5, problem="it said 500", is_open=True, open_seconds=3, retry_seconds=2)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (CrmCondition.CONNECTED, CrmCondition.LEFT_ALONE, "it said 500"),
        (CrmCondition.FAILING, CrmCondition.LEFT_ALONE, "it said 500"),
        (CrmCondition.UNKNOWN, CrmCondition.LEFT_ALONE, "it said 500"),
        (CrmCondition.NEVER_ASKED, CrmCondition.LEFT_ALONE, "it said 500"),
        (CrmCondition.NEEDS_AUTHORISATION, CrmCondition.NEEDS_AUTHORISATION, "own"),
        (CrmCondition.NOT_CONNECTED, CrmCondition.NOT_CONNECTED, "own"),
    ],
)
def test_an_open_breaker_says_most_but_for_a_person_who_has_to_sign_in(
    before: CrmCondition, after: CrmCondition, problem: str
) -> None:
    state = with_breaker(CrmState(condition=before, problem="own"), OPEN)

    assert (state.condition, state.problem) == (after, problem)
    assert (state.failures, state.retry_seconds) == (5, 2)


def test_a_closed_breaker_tells_its_failures_and_the_pause_alone() -> None:
    before = CrmState(condition=CrmCondition.CONNECTED)

    state = with_breaker(before, BreakerState(failures=2, problem="once", paused_seconds=30))

    assert (state.condition, state.problem, state.retry_seconds) == (CrmCondition.CONNECTED, "", None)
    assert (state.failures, state.paused_seconds) == (2, 30)


@pytest.mark.parametrize(
    ("reply", "condition"),
    [
        (None, CrmCondition.UNKNOWN),
        (SignInDone(""), CrmCondition.UNKNOWN),
        (SignInState(needs_sign_in=False, is_signed_in=True), CrmCondition.UNKNOWN),
        (ErrandFailed(Fault.SETTINGS, "a secret is missing"), CrmCondition.FAILING),
        (
            SignInState(needs_sign_in=False, is_signed_in=True, crm=state_of(NONE, WELL)),
            CrmCondition.CONNECTED,
        ),
    ],
)
def test_what_a_worker_replied_comes_to_it(reply: Reply | None, condition: CrmCondition) -> None:
    assert crm_state_of(reply).condition is condition
