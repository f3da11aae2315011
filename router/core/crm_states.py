"""How an integration's CRM is doing, of what workers know: its sign-in, and how it did when asked last.

Nothing is guessed: a CRM that nobody has asked since its settings changed is told as that. Pure.
"""

from enum import StrEnum

from msgspec import Struct

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
    CONNECTED = "connected"


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
