"""From the calls that a router has to those that its status tells: each tenant's oldest, all counted. Pure.

Calls are counted in as they come, a few at a time, so that ten thousand of them never keep an event loop.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from router.core.calls import Call, CallState
from router.core.identities import ServerName, TenantId
from router.core.numbers import CallerKind
from router.core.statuses import LISTED_MOST, LISTED_OF_TENANT, TENANTS_MOST, ParkedCall

NUMBER_MOST = 40
"""Characters of a number that are told."""


class ParkedTally:
    """`now` is the monotonic second to which calls have waited."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._listed: list[ParkedCall] = []
        self._listed_of: Counter[TenantId] = Counter()
        self._counts: defaultdict[ServerName, Counter[TenantId]] = defaultdict(Counter)

    def add(self, calls: Iterable[Call]) -> None:
        """The oldest first; calls that have ended are passed over."""
        for call in calls:
            if call.is_ended:
                continue
            tenant = call.parked.tenant
            self._counts[call.parked.server][tenant] += 1
            if self._listed_of[tenant] < LISTED_OF_TENANT and len(self._listed) < LISTED_MOST:
                self._listed_of[tenant] += 1
                self._listed.append(_told(call, self._now))

    @property
    def calls(self) -> tuple[ParkedCall, ...]:
        return tuple(self._listed)

    def count(self, server: ServerName) -> int:
        return self._counts[server].total()

    def counts(self, server: ServerName) -> dict[TenantId, int]:
        """By tenant: those with the most."""
        return dict(self._counts[server].most_common(TENANTS_MOST))


def _told(call: Call, now: float) -> ParkedCall:
    caller = call.caller
    is_withheld = caller.kind is CallerKind.WITHHELD
    return ParkedCall(
        server=call.parked.server,
        call=call.parked.uniqueid,
        parking=call.parking,
        tenant=call.parked.tenant,
        caller="" if is_withheld else (caller.e164 or caller.received)[:NUMBER_MOST],
        called=call.called[:NUMBER_MOST],
        rule=call.rule_plan.name if call.rule_plan else None,
        parked_seconds=max(0.0, now - call.parked_at.monotonic),
        is_greeted=call.state is CallState.ASKING,
    )
