"""What CRMs say of their quotas: when one is used up, an integration is not asked again before it is open.

A CRM says so with status 429 and Retry-After, or in the headers of its last good answer. Asking on would
only lengthen the wait, and some CRMs then lock the whole account out. It ends by itself, at the latest
after `LONGEST_SECONDS`. What a worker hears it tells the others (`workers.permits`): the store hands out no
look-up of the integration meanwhile. Here it also ends what this worker has in hand.

Sources of the headers: IETF's RateLimit draft, and the vendors' pages on rate limits.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from router.core.faults import Fault
from router.core.identities import IntegrationName, TenantId
from workers.connectors.steps import Response
from workers.errors import LookupUnavailable

LONGEST_SECONDS = 600.0
SHORTEST_SECONDS = 1.0
IntegrationKey = tuple[TenantId, IntegrationName]
KEPT_MOST = 20_000
REMAINING = (
    "ratelimit-remaining",
    "x-ratelimit-remaining",
    "x-rate-limit-remaining",
    "x-hubspot-ratelimit-remaining",
    "x-ms-ratelimit-burst-remaining-xrm-requests",
)
RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
"""In seconds from now; a larger number is a moment, and not read: clocks differ."""
INTERVAL_MS = "x-hubspot-ratelimit-interval-milliseconds"


class Quota:
    """One integration's. `clock` gives seconds, monotonic; `tell` is called when it is closed for longer."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[float], None] | None = None) -> None:
        self._clock = clock
        self._tell = tell
        self._opens_at = 0.0

    @property
    def seconds_closed(self) -> float:
        return max(self._opens_at - self._clock(), 0.0)

    def require_open(self) -> None:
        """Raises LookupUnavailable, with the time to wait."""
        left = self.seconds_closed
        if left > 0:
            problem = "the CRM has said that its quota is used up, and was not asked"
            raise LookupUnavailable(problem, left, fault=Fault.THROTTLED)

    def note(self, response: Response) -> None:
        """Take what an answer's headers say."""
        if _has_none_left(response.headers):
            self.close(_seconds_to_reset(response.headers))

    def close(self, seconds: float | None) -> None:
        wait = min(max(seconds or SHORTEST_SECONDS, 0.0), LONGEST_SECONDS)
        opens_at = self._clock() + wait
        if opens_at > self._opens_at:
            self._opens_at = opens_at
            if self._tell is not None:
                self._tell(wait)


class Quotas:
    """Of every integration that this worker asks. `tell` takes the integration, and how long it is to be
    left alone.
    """

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        tell: Callable[[IntegrationKey, float], None] | None = None,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._kept: dict[IntegrationKey, Quota] = {}

    def of(self, key: IntegrationKey) -> Quota:
        quota = self._kept.get(key)
        if quota is None:
            if len(self._kept) >= KEPT_MOST:
                self._kept.clear()
            tell = partial(self._tell, key) if self._tell is not None else None
            quota = self._kept[key] = Quota(self._clock or asyncio.get_running_loop().time, tell)
        return quota


def _has_none_left(headers: Mapping[str, str]) -> bool:
    if any(headers.get(name, "").strip() == "0" for name in REMAINING):
        return True
    used, _, most = headers.get("sforce-limit-info", "").partition("api-usage=")[2].partition("/")
    most = most.partition(",")[0].strip()
    return _is_count(used) and _is_count(most) and int(used) >= int(most)


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) < 16


def _seconds_to_reset(headers: Mapping[str, str]) -> float | None:
    for name in RESETS:
        text = headers.get(name, "").strip()
        if text.isdecimal() and len(text) < 6:
            return float(text)
    interval = headers.get(INTERVAL_MS, "").strip()
    return int(interval) / 1000 if interval.isdecimal() and len(interval) < 8 else None
