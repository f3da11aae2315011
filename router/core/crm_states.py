"""How an integration's CRM is doing, of what workers know: its sign-in, how it did when asked last, and
whether its breaker has look-ups leave it alone.

Nothing is guessed: a CRM that nobody has asked since its settings changed is told as that. Pure.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from router.core.breakers import BreakerState
from router.core.faults import Fault


class AskedFor(StrEnum):
    TEST = "test"
    SIGN_IN = "sign_in"
    """A person has just signed in."""
    TRIAL = "trial"
    """A person tried a number."""
    LOOKUP = "lookup"
    """A call's."""


class LastAsked(Struct, frozen=True, kw_only=True):
    """How a CRM did when it was asked last, with the settings that it has."""

    purpose: AskedFor
    age_seconds: float
    since_seconds: float
    """For how long it has been doing so, well or not, as often as it was asked."""
    problem: str = ""
    """Empty: it answered."""


class CrmCondition(StrEnum):
    UNKNOWN = "unknown"
    """No worker answered."""
    NEVER_ASKED = "never_asked"
    NOT_CONNECTED = "not_connected"
    """Nobody has signed in yet, where a person has to."""
    NEEDS_AUTHORISATION = "needs_authorisation"
    """A person signed in, and the CRM no longer takes it."""
    FAILING = "failing"
    LEFT_ALONE = "left_alone"
    """It failed so often that look-ups do not ask it for a while."""
    CONNECTED = "connected"


CONDITION_WORDS: Mapping[CrmCondition, str] = {
    CrmCondition.UNKNOWN: "no worker answered",
    CrmCondition.NEVER_ASKED: "never asked",
    CrmCondition.NOT_CONNECTED: "not connected yet",
    CrmCondition.NEEDS_AUTHORISATION: "needs re-authorisation",
    CrmCondition.FAILING: "failing",
    CrmCondition.LEFT_ALONE: "left alone",
    CrmCondition.CONNECTED: "connected",
}
"""As the page and the command line call them."""
WAITS_FOR_PERSON = frozenset({CrmCondition.NOT_CONNECTED, CrmCondition.NEEDS_AUTHORISATION})


class SignIn(Struct, frozen=True, kw_only=True):
    """What a worker knows of an integration's sign-in."""

    has_grant: bool = False
    by_person: bool = False
    problem: str = ""
    fault: Fault | None = None
    problem_since_seconds: float = 0.0


class CrmState(Struct, frozen=True, kw_only=True):
    condition: CrmCondition
    problem: str = ""
    since_seconds: float | None = None
    """How long the problem has been there, where that is known."""
    asked: LastAsked | None = None
    failures: int = 0
    """Look-ups that failed, in a row or of late."""
    retry_seconds: float | None = None
    """While look-ups leave it alone: until one tries it, zero for the next one. None: they ask it."""
    paused_seconds: float = 0.0
    """The CRM has asked to be left alone for so much longer."""


def state_of(sign_in: SignIn, asked: LastAsked | None) -> CrmState:
    if sign_in.by_person and not sign_in.has_grant:
        return CrmState(condition=CrmCondition.NOT_CONNECTED)
    if sign_in.problem:
        condition = CrmCondition.FAILING
        if sign_in.by_person and sign_in.fault in (Fault.SIGN_IN, Fault.CREDENTIALS):
            condition = CrmCondition.NEEDS_AUTHORISATION
        return CrmState(
            condition=condition,
            problem=sign_in.problem,
            since_seconds=sign_in.problem_since_seconds,
            asked=asked,
        )
    if asked is not None and asked.problem:
        since = asked.since_seconds
        return CrmState(
            condition=CrmCondition.FAILING, problem=asked.problem, since_seconds=since, asked=asked
        )
    if asked is not None or sign_in.has_grant:
        return CrmState(condition=CrmCondition.CONNECTED, asked=asked)
    return CrmState(condition=CrmCondition.NEVER_ASKED)


def with_breaker(state: CrmState, breaker: BreakerState) -> CrmState:
    """What look-ups have met says more than whether somebody is signed in, but for a person who has to."""
    state = replace(state, failures=breaker.failures, paused_seconds=breaker.paused_seconds)
    if not breaker.is_open:
        return state
    state = replace(state, retry_seconds=breaker.retry_seconds)
    if state.condition in WAITS_FOR_PERSON:
        return state
    return replace(
        state,
        condition=CrmCondition.LEFT_ALONE,
        problem=breaker.problem,
        since_seconds=breaker.open_seconds,
    )
