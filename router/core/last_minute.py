"""The decisions of the last minute, in one process' memory: counted all, and the newest kept. Pure.

A decision comes with its age, by the store's clock; from then on its age is counted by this process' own
monotonic one. One that was recorded twice counts once.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from router.core.decisions import Decision, Ending
from router.core.identities import RuleName, ServerName, TenantId, Uniqueid
from router.core.numbers import CallerKind
from router.core.rules import Outcome

SECONDS = 60.0
KEPT_MOST = 20_000
"""Decisions of a minute that are counted; of more the oldest are left out."""
KEPT_OF_TENANT = 100

Name = TypeVar("Name")
Key = tuple[ServerName, Uniqueid, int]


class RecentCall(Struct, frozen=True, kw_only=True):
    """A decision in short; `recorded_at` is a monotonic second of this process."""

    server: ServerName
    call: Uniqueid
    parking: int
    tenant: TenantId
    caller: str
    """Empty for a withheld number."""
    called: str
    rule: RuleName | None
    outcome: Outcome | None
    destination: str
    ending: Ending
    recorded_at: float

    @property
    def key(self) -> Key:
        return self.server, self.call, self.parking


class Decided(Struct, frozen=True):
    count: int
    """All of the last minute; not each may be listed."""
    calls: tuple[RecentCall, ...]
    """The newest first."""


class LastMinute:
    def __init__(self) -> None:
        self._kept: deque[RecentCall] = deque()
        self._keys: set[Key] = set()
        self._of_tenant: dict[TenantId, deque[RecentCall]] = {}
        self._tenants: Counter[TenantId] = Counter()
        self._servers: Counter[ServerName] = Counter()

    def add(self, aged: Iterable[tuple[float, Decision]], now: float) -> None:
        """Decisions with their age in seconds, the oldest first; `now` is a monotonic second."""
        for age, decision in aged:
            call = _in_short(decision, now - age)
            if call.key in self._keys:
                continue
            self._kept.append(call)
            self._keys.add(call.key)
            self._of_tenant.setdefault(call.tenant, deque(maxlen=KEPT_OF_TENANT)).append(call)
            self._tenants[call.tenant] += 1
            self._servers[call.server] += 1
        self.forget(now)

    def forget(self, now: float) -> None:
        """What is older than a minute, and what is too much."""
        while self._kept and (len(self._kept) > KEPT_MOST or self._kept[0].recorded_at <= now - SECONDS):
            call = self._kept.popleft()
            self._keys.discard(call.key)
            listed = self._of_tenant[call.tenant]
            if listed and listed[0] is call:
                listed.popleft()
            _count_down(self._servers, call.server)
            if not _count_down(self._tenants, call.tenant):
                del self._of_tenant[call.tenant]

    def decided(self, tenant: TenantId | None, most: int) -> Decided:
        """Those of a tenant, or of all with None."""
        kept = self._kept if tenant is None else self._of_tenant.get(tenant, ())
        count = len(self._kept) if tenant is None else self._tenants[tenant]
        newest = [call for call, _ in zip(reversed(kept), range(most), strict=False)]
        return Decided(count, tuple(newest))

    def of_server(self, server: ServerName) -> int:
        return self._servers[server]


def _count_down(counter: Counter[Name], name: Name) -> int:
    counter[name] -= 1
    left = counter[name]
    if not left:
        del counter[name]
    return left


def _in_short(decision: Decision, recorded_at: float) -> RecentCall:
    caller = decision.caller
    return RecentCall(
        server=decision.server,
        call=decision.call_id,
        parking=decision.parking,
        tenant=decision.tenant,
        caller="" if caller.kind is CallerKind.WITHHELD else caller.e164 or caller.received,
        called=decision.called,
        rule=decision.rule,
        outcome=decision.outcome,
        destination=decision.asked_target or decision.reached_place,
        ending=decision.ending,
        recorded_at=recorded_at,
    )
