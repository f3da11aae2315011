"""The last hour in figures: calls of each minute, how many had which outcome, and who has trouble. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from router.core.identities import TenantId
from router.core.rules import Outcome

MINUTES = 60
TROUBLED = frozenset({Outcome.CRM_ERROR, Outcome.TIMEOUT, Outcome.OVERLOADED})
"""Outcomes of a look-up that has failed."""


class Minute(Struct, frozen=True):
    begins_at: float
    """Seconds since the epoch."""
    calls: int
    failed: int
    """Those of the calls whose look-up failed."""


class Hour(Struct, frozen=True):
    minutes: tuple[Minute, ...]
    """The oldest first; the last one is the present."""
    outcomes: tuple[tuple[str, int], ...]
    """The most frequent first; empty is for calls that were never looked up."""

    @property
    def calls(self) -> int:
        return sum(minute.calls for minute in self.minutes)

    @property
    def failed(self) -> int:
        return sum(minute.failed for minute in self.minutes)

    @property
    def busiest(self) -> int:
        """Calls of the busiest minute."""
        return max((minute.calls for minute in self.minutes), default=0)


class TenantHour(Struct, frozen=True, kw_only=True):
    """A tenant in one line, for the provider."""

    tenant: TenantId
    calls: int
    failed: int = 0
    """Look-ups that failed."""
    unwritten: int = 0
    """Finished calls that wait for their CRM because it fails, or were given up."""
    problem: str = ""
    """Why they do."""

    @property
    def has_trouble(self) -> bool:
        return bool(self.failed or self.unwritten or self.problem)


def hour_began_at(now: float) -> float:
    """The first of the minutes that are shown; `now` is in seconds since the epoch."""
    return (now // 60 - MINUTES + 1) * 60


def hour(counted: Iterable[tuple[float, str, int]], now: float) -> Hour:
    """From how many calls had which outcome in the minute that begins at a moment."""
    began_at = hour_began_at(now)
    calls: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    outcomes: Counter[str] = Counter()
    for begins_at, outcome, count in counted:
        number = round((begins_at - began_at) / 60)
        if 0 <= number < MINUTES:
            calls[number] += count
            outcomes[outcome] += count
            if outcome in TROUBLED:
                failed[number] += count
    minutes = (Minute(began_at + at * 60, calls[at], failed[at]) for at in range(MINUTES))
    return Hour(tuple(minutes), tuple(sorted(outcomes.items(), key=lambda one: (-one[1], one[0]))))


def tenant_hours(
    tenants: Iterable[TenantId],
    counted: Iterable[tuple[TenantId, str, int]],
    unwritten: Mapping[TenantId, tuple[int, str]],
) -> tuple[TenantHour, ...]:
    """Those with trouble first, then the busiest. `unwritten`: calls for the CRM, and why they wait."""
    calls: defaultdict[TenantId, int] = defaultdict(int)
    failed: defaultdict[TenantId, int] = defaultdict(int)
    for tenant, outcome, count in counted:
        calls[tenant] += count
        if outcome in TROUBLED:
            failed[tenant] += count
    listed = []
    for tenant in tenants:
        count, problem = unwritten.get(tenant, (0, ""))
        listed.append(
            TenantHour(
                tenant=tenant, calls=calls[tenant], failed=failed[tenant], unwritten=count, problem=problem
            )
        )
    return tuple(
        sorted(
            listed, key=lambda one: (not one.has_trouble, -one.failed, -one.unwritten, -one.calls, one.tenant)
        )
    )
