"""How much may be asked of one integration's CRM, by all workers together.

Requests per second are a leaky bucket (GCRA): one moment says when the next request would be due if all
came evenly, and a request may come ahead of it by the burst. What is spent beyond the estimate, by attempts
that were repeated, moves that moment further away.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from router.core.manifests import Manifest
from router.core.tenants import Integration

BURST_SECONDS = 0.25
"""Of requests that may come at once after a rest, and never less than one look-up."""


class Allowance(Struct, frozen=True, omit_defaults=True):
    in_flight: int = 50
    """Look-ups at the same time, over all workers."""
    requests_per_second: float = 0.0
    """Zero: no limit."""
    requests_per_lookup: int = 1
    """What a look-up is expected to cost."""

    @property
    def interval_seconds(self) -> float:
        return 1 / self.requests_per_second if self.requests_per_second > 0 else 0.0

    @property
    def burst(self) -> int:
        """Requests."""
        return max(self.requests_per_lookup, math.ceil(self.requests_per_second * BURST_SECONDS))


class Spent(Struct, frozen=True):
    """What an integration has used; moments in seconds."""

    due_at: float = 0.0
    """When the next request would be due if all came evenly."""
    paused_until: float = 0.0
    """The CRM has asked not to be asked before."""


def allowance_of(integration: Integration, manifest: Manifest | None) -> Allowance:
    """The integration's own settings, and the connector's where it has none."""
    known = manifest or Manifest("", ())
    own = integration.requests_per_second
    return Allowance(
        in_flight=integration.in_flight,
        requests_per_second=known.requests_per_second if own is None else own,
        requests_per_lookup=max(known.requests_per_lookup, 1),
    )


def seconds_to_wait(spent: Spent, allowance: Allowance, now: float) -> float:
    """Until one more look-up may begin; zero: at once."""
    paused = max(spent.paused_until - now, 0.0)
    ahead = (allowance.burst - allowance.requests_per_lookup) * allowance.interval_seconds
    return max(paused, spent.due_at - ahead - now if allowance.interval_seconds else 0.0)


def spend(spent: Spent, allowance: Allowance, requests: int, now: float) -> Spent:
    """After so many requests; a negative number gives back what was expected and not used."""
    if not allowance.interval_seconds or not requests:
        return spent
    begins_at = max(spent.due_at, now) if requests > 0 else spent.due_at
    return replace(spent, due_at=begins_at + requests * allowance.interval_seconds)
