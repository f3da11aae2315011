"""What a run's calls come to: how many arrived where they belong, and what was added to their CRM's time."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.bench.dialplan import expected
from tests.bench.listener import CallTimes

LEAST = 20
"""Fewer calls have no percentiles."""


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p95, p99 and the most; nothing of fewer than LEAST values."""
    ordered = sorted(values)
    if len(ordered) < LEAST:
        return {}
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": ordered[-1]}
    return {name: round(value, 2) for name, value in named.items()}


def arrived(calls: Iterable[CallTimes]) -> list[CallTimes]:
    """Those that are where their level belongs."""
    return [call for call in calls if call.landed_at is not None and call.place == expected(call.caller)]


def figures(
    calls: Sequence[CallTimes], placed: int, crm_ms_of: Callable[[CallTimes], float]
) -> dict[str, Any]:
    """`crm_ms_of`: how long the CRM took of a call's time; 0 where it was not asked."""
    right = arrived(calls)
    landed = sum(call.landed_at is not None for call in calls)
    held = [(call, seconds * 1000) for call in right if (seconds := call.held_seconds) is not None]
    parked = [(call, seconds * 1000) for call in right if (seconds := call.parked_seconds) is not None]
    return {
        "calls": placed,
        "arrived": len(right),
        "elsewhere": landed - len(right),
        "lost": placed - landed,
        "total_ms": percentiles(ms for _, ms in held),
        "added_ms": percentiles(ms - crm_ms_of(call) for call, ms in held),
        "parked_added_ms": percentiles(ms - crm_ms_of(call) for call, ms in parked),
    }


def slow_figures(calls: Sequence[CallTimes], placed: int) -> dict[str, Any]:
    """Of callers whose CRM answers too late: they shall be at the default, and soon."""
    held = [seconds * 1000 for call in calls if (seconds := call.held_seconds) is not None]
    at_default = sum(call.place == "default" for call in calls)
    return {
        "calls": placed,
        "at_default": at_default,
        "lost": placed - len(held),
        "total_ms": percentiles(held),
    }
