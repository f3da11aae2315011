"""The breaker of one integration: a CRM that keeps failing is left alone, and then tried with one look-up.

    closed ──failures in a row, or too large a share of them──► open ──its time is over──► half-open
       ▲                                                          ▲                           │ one look-up,
       │                                                          │ for longer                │ the probe
       │                                                          └──────── it failed ────────┤
       └──────────────────────────────────── it brought an answer ────────────────────────────┘

An answer that comes too late for its caller shows a CRM that is slow and not one that is down: it counts in
the share, and ends a row. An answer that says the CRM is there closes nothing but by the probe: what was
asked before the breaker opened tells of a time that is over. Only failures that tell of the CRM's own health
count; an unknown caller, a wrong field or a refused password are answers.

The workers share one breaker: its state lies in Redis, and `router/store/scripts/queue_prelude.lua` does
there what these functions do for the store in memory. Moments are seconds of any one clock.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from router.core.faults import Fault
from router.core.refusals import Refusal, Refused

FAILURES_MOST = 5
"""In a row: with this one it opens."""
WINDOW_SECONDS = 10.0
"""From the first failure on, in which the failures' share is reckoned."""
WINDOW_LEAST = 20
"""Look-ups in a window before their failures' share says anything."""
SHARE_MOST = 0.8
"""A CRM that answers one question of three in time is worth asking: its slots are bounded anyway."""
OPEN_FIRST_SECONDS = 5.0
"""It doubles with each probe that fails."""
OPEN_MOST_SECONDS = 60.0
JITTER = 0.2
"""Of the time it stays open, so that not all of them try again at once."""
PROBE_SLACK_SECONDS = 2.0
"""After its deadline a probe that nobody heard of is given up, and another look-up becomes it."""
PROBLEM_MOST = 300

UNWELL_FAULTS = frozenset({Fault.DNS, Fault.TLS, Fault.ADDRESS, Fault.THROTTLED, Fault.DOWN, Fault.TIMEOUT})
"""What tells of the CRM itself and not of the question."""


class Health(StrEnum):
    """What a look-up tells of its CRM."""

    WELL = "well"
    SLOW = "slow"
    """It answered, too late for the caller."""
    UNWELL = "unwell"
    UNTOLD = "untold"
    """It was not asked, or not long enough to know."""


class Verdict(Struct, frozen=True):
    """What a worker has learned of a CRM by one look-up."""

    health: Health = Health.UNTOLD
    problem: str = ""
    requests: int | None = None
    """Really sent; None: as many as were expected."""
    paused_seconds: float = 0.0
    """The CRM has asked to be left alone for so long."""


class Breaker(Struct, frozen=True):
    failures: int = 0
    """In a row, or of the window that opened it; those while it is open are counted."""
    problem: str = ""
    """The latest failure's."""
    opened_at: float = 0.0
    retry_at: float = 0.0
    """Zero while it is closed."""
    openings: int = 0
    """In a row, without an answer between them."""
    probe: str = ""
    """The job that tries the CRM."""
    probe_until: float = 0.0
    window_at: float = 0.0
    asked: int = 0
    failed: int = 0
    """Of those asked in the window."""

    @property
    def is_open(self) -> bool:
        """Half-open counted."""
        return self.retry_at > 0


CLOSED = Breaker()


class BreakerState(Struct, frozen=True, kw_only=True):
    """What a person is shown of an integration's protection."""

    failures: int = 0
    problem: str = ""
    is_open: bool = False
    open_seconds: float = 0.0
    """Since when it is open."""
    retry_seconds: float = 0.0
    """Until it is tried again; zero with `is_open`: the next look-up tries it, or does so at this moment."""
    paused_seconds: float = 0.0
    """The CRM has asked to be left alone for so much longer."""
    waiting: int = 0
    in_flight: int = 0


def health_of(fault: Fault | None, attempts: int, *, is_fair: bool) -> Health:
    """Of a look-up that failed with this fault, or with none brought an answer.

    `is_fair`: the CRM, or what signs in to it, had its chance; with no attempt at all an answer came from us.
    """
    if fault in UNWELL_FAULTS:
        return Health.UNWELL if is_fair else Health.UNTOLD
    return Health.WELL if attempts else Health.UNTOLD


def refusal_of(breaker: Breaker, now: float, job_id: str = "") -> Refused | None:
    """Why this job may not be looked up; None where it may, be it as the probe."""
    if not breaker.is_open or (job_id and job_id == breaker.probe):
        return None
    if now < breaker.retry_at:
        return Refused(Refusal.OPEN, breaker.failures, breaker.retry_at - now)
    if now < breaker.probe_until:
        return Refused(Refusal.PROBING, breaker.failures)
    return None


def with_probe(breaker: Breaker, job_id: str, deadline_at: float) -> Breaker:
    """A job that is not refused while the breaker is open has become its probe."""
    return replace(breaker, probe=job_id, probe_until=deadline_at + PROBE_SLACK_SECONDS)


def noted(breaker: Breaker, job_id: str, verdict: Verdict, now: float, jitter: float) -> Breaker:
    """After a job has ended; `jitter` is any number from 0 to 1."""
    is_probe = breaker.is_open and breaker.probe == job_id
    match verdict.health:
        case Health.WELL:
            return CLOSED if is_probe else _answered(breaker, now)
        case Health.SLOW | Health.UNWELL:
            is_in_row = verdict.health is Health.UNWELL or breaker.is_open
            failures = breaker.failures + 1 if is_in_row else 0
            breaker = replace(breaker, failures=failures, problem=verdict.problem[:PROBLEM_MOST])
            if is_probe:
                return _opened(breaker, now, jitter)
            return breaker if breaker.is_open else _failed(breaker, now, jitter)
        case Health.UNTOLD:
            return replace(breaker, probe="", probe_until=0.0) if is_probe else breaker


def _answered(breaker: Breaker, now: float) -> Breaker:
    if breaker.is_open or not breaker.asked:
        return breaker
    if now - breaker.window_at > WINDOW_SECONDS:
        return CLOSED
    return replace(breaker, failures=0, asked=breaker.asked + 1)


def _failed(breaker: Breaker, now: float, jitter: float) -> Breaker:
    if not breaker.asked or now - breaker.window_at > WINDOW_SECONDS:
        breaker = replace(breaker, window_at=now, asked=0, failed=0)
    breaker = replace(breaker, asked=breaker.asked + 1, failed=breaker.failed + 1)
    if breaker.failures >= FAILURES_MOST:
        return _opened(breaker, now, jitter)
    if breaker.asked >= WINDOW_LEAST and breaker.failed >= breaker.asked * SHARE_MOST:
        return _opened(replace(breaker, failures=breaker.failed), now, jitter)
    return breaker


def _opened(breaker: Breaker, now: float, jitter: float) -> Breaker:
    seconds = min(OPEN_FIRST_SECONDS * 2 ** min(breaker.openings, 10), OPEN_MOST_SECONDS)
    return replace(
        breaker,
        opened_at=breaker.opened_at or now,
        retry_at=now + seconds * (1 - JITTER + 2 * JITTER * jitter),
        openings=breaker.openings + 1,
        probe="",
        probe_until=0.0,
    )
