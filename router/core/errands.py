"""What a person asks of a CRM through a worker: a connection test, field lists, a look-up, a sign-in.

An errand names a tenant's integration and travels to any worker through the store; its reply comes back to
whoever asked. Only workers meet CRMs, secrets and tokens: the command line and the web page see what is here.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from router.core.crm_catalog import CrmField, CrmModule
from router.core.crm_states import CrmCondition, CrmState
from router.core.faults import Fault, Step
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.lookups import Answer, LookupJob
from router.core.rules import Credentials


class Errand(Struct, frozen=True, kw_only=True):
    """`rule` has a user of its own in place of the integration's."""

    tenant: TenantId
    integration: IntegrationName
    rule: RuleName | None = None


class CheckConnection(Errand, frozen=True, tag=True):
    """Walk the steps of a connection test, up to these modules and fields."""

    modules: tuple[str, ...] = ()
    """Empty: those that are searched where a rule names none."""
    fields: tuple[str, ...] = ()


class ListModules(Errand, frozen=True, tag=True):
    pass


class ListFields(Errand, frozen=True, tag=True):
    module: str


class TryLookup(Errand, frozen=True, tag=True):
    """A look-up past the cache: by a caller's number, or by digits in a field."""

    number: str = ""
    digits: str = ""
    digits_field: str | None = None
    modules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    seconds: float = 10.0


class BeginSignIn(Errand, frozen=True, tag=True):
    """Start a person's sign-in: by the browser that comes back to `redirect_uri`, or by another device."""

    redirect_uri: str = ""
    """Empty: by another device."""


class FinishSignIn(Errand, frozen=True, tag=True):
    """End it: with the code that the browser brought; without one, ask whether the device is done."""

    state: str
    code: str = ""


class TryDraft(Errand, frozen=True, tag=True):
    """The look-up of a rule that need not be in force: its job, with the settings that it would have."""

    job: LookupJob
    connector: str
    settings: dict[str, Any]
    """Secrets sealed, as they are kept."""
    credentials: Credentials | None = None
    """A user of the rule's own."""


class TellSignIn(Errand, frozen=True, tag=True):
    """Whether the integration is signed in, and what is wrong if it is not."""


AnyErrand = (
    CheckConnection
    | ListModules
    | ListFields
    | TryLookup
    | TryDraft
    | BeginSignIn
    | FinishSignIn
    | TellSignIn
)


class StepState(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class CheckedStep(Struct, frozen=True, omit_defaults=True):
    step: Step
    state: StepState
    told: str = ""
    mend: str = ""
    """What to change, for the step that failed."""


class Checked(Struct, frozen=True, tag=True):
    steps: tuple[CheckedStep, ...]
    requests: int
    seconds: float

    @property
    def is_well(self) -> bool:
        return all(step.state is StepState.PASSED for step in self.steps)


class Modules(Struct, frozen=True, tag=True):
    modules: tuple[CrmModule, ...]


class Fields(Struct, frozen=True, tag=True):
    module: str
    fields: tuple[CrmField, ...]


class Tried(Struct, frozen=True, tag=True):
    answer: Answer
    spellings: tuple[str, ...]
    """Of the number, as the CRM may have it written."""
    requests: int
    """Sent to the CRM, without those of a sign-in."""
    seconds: float


class SignInBegun(Struct, frozen=True, tag=True):
    address: str
    """The page that a person opens."""
    state: str
    """What the browser brings back, and names the sign-in in `FinishSignIn`."""
    user_code: str = ""
    """What the person keys on that page, for another device."""
    every_seconds: float = 0.0
    lives_seconds: float = 600.0


class SignInAwaited(Struct, frozen=True, tag=True):
    """The person has not finished yet."""


class SignInDone(Struct, frozen=True, tag=True):
    who: str


class SignInState(Struct, frozen=True, tag=True):
    needs_sign_in: bool
    """Whether this integration has a token or session at all."""
    is_signed_in: bool
    left_seconds: float | None = None
    """Of the token's life, where it is known."""
    problem: str = ""
    problem_age_seconds: float = 0.0
    crm: CrmState | None = None
    """How the CRM is doing, all in all."""


class ErrandFailed(Struct, frozen=True, tag=True):
    fault: Fault
    problem: str
    mend: str = ""


Reply = (
    Checked | Modules | Fields | Tried | SignInBegun | SignInAwaited | SignInDone | SignInState | ErrandFailed
)


def crm_state_of(reply: Reply | None) -> CrmState:
    """What the reply to `TellSignIn` comes to; None is that no worker replied."""
    match reply:
        case SignInState(crm=CrmState() as state):
            return state
        case ErrandFailed(problem=problem):
            return CrmState(condition=CrmCondition.FAILING, problem=problem)
        case _:
            return CrmState(condition=CrmCondition.UNKNOWN)
