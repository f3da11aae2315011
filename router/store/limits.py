"""The store's own limits, that no operator needs to turn, and the answer that a limit gives."""

from msgspec import Struct
from msgspec.structs import replace

from router.core.lookups import Answer
from router.core.refusals import Refusal, Refused, refusal_text
from router.core.rules import Outcome

TAKE_WAIT_SECONDS = 1.5
"""How long a worker waits for work before it looks around."""

FLIGHT_SLACK_SECONDS = 2.0
"""How long after its deadline a job may still be joined; after that the same question starts a new job, so
that a job which died with its worker never blocks its key."""

BEHIND_SECONDS = 0.3
"""Once a lane's oldest job has waited for so long, not all of them can be served: the newest goes first."""

HOPELESS_SECONDS = 0.1
"""A job with less left is not begun; its callers are told so while it still helps them."""

SHARD_KEPT_TIMES = 10
"""A shard keeps so many times the jobs of one tenant."""

WAITERS_MOST = 5_000
"""Calls that wait for one and the same answer."""

LANES_MOST = 32
"""A tenant's integrations that are looked at in one turn."""

SWEEP_MOST = 32
"""Jobs that come too late and are taken off a lane in one turn."""

REFUSED_MOST = 256
"""Jobs that a worker is given at once to tell their callers that they are refused."""

STATE_SECONDS = 86_400
"""What is known of an integration's CRM is forgotten after so long without news."""

ANSWERS_KEPT = 10_000
"""A router's answers that may wait to be read; more than it can have calls."""

ANSWERS_IDLE_SECONDS = 60
"""A router that has not attended to its answers for so long is gone, and its stream with it."""

ATTEND_EVERY_SECONDS = 0.5
"""How soon a router notices that its stream of answers is lost."""

SEEN_SECONDS = 600
"""How long after a parking's end its other witnesses may come with it."""

DELIVERIES_MOST = 3
"""A job that was handed out more often than this is what ends its workers."""


OPEN_CALL_SECONDS = 86_400
"""A call that is not over by then is not written."""


class CallLogLimits(Struct, frozen=True):
    """Of the queue on which finished calls wait for their CRM."""

    in_hand: int = 2
    """Of one integration in workers' hands, over all workers; one while its CRM fails."""
    given_up_seconds: int = 172_800
    """How long a call is tried; also how long its id is remembered, so that it is not put there twice."""
    waiting: int = 100_000
    """Of one integration; what comes beyond is given up at once."""
    failed_seconds: int = 604_800
    failed: int = 5_000
    """Calls given up that are kept of one tenant."""


def given_up_text(hours: float, problem: str) -> str:
    return f"given up after {hours:g} h: {problem}"


def full_log_text(waiting: int) -> str:
    return f"{waiting} calls of this integration waited already"


def refused_answer(refused: Refused) -> Answer:
    """For callers who need not wait: nobody asks the CRM for them."""
    is_ours = refused.why is Refusal.CROWDED
    outcome = Outcome.OVERLOADED if is_ours else Outcome.CRM_ERROR
    return Answer(outcome, problem=refusal_text(refused), refused=refused)


def stale_answer(old: Answer, failure: Answer) -> Answer:
    """An old answer that stands in for a failure, and tells of it."""
    return replace(old, problem=f"an old answer serves, for asking anew failed: {failure.problem}")


def overloaded_text(tenant: str, jobs_kept: int) -> str:
    return f"tenant {tenant} has {jobs_kept} look-ups waiting already (redis.jobs_kept)"


def poisoned_answer(deliveries: int) -> Answer:
    problem = f"The look-up was started {deliveries - 1} times and its worker ended each time."
    return Answer(Outcome.CRM_ERROR, problem=problem)


def unreadable_answer() -> Answer:
    return Answer(Outcome.CRM_ERROR, problem="The look-up's job could not be read by the worker.")
