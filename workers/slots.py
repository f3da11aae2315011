"""How many look-ups a worker does at the same time, and how many of them for one tenant and for one CRM.

No integration has more than half of the slots and no tenant more than three quarters, so that one whose CRM
is slow leaves its own others room, and one whose CRMs are all slow those of other tenants. What waits,
waits in the store: a worker asks for no more than it can begin at once.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

from router.core.identities import TenantId
from router.store.seams import LaneName, Room

K = TypeVar("K", bound=Hashable)

SHARE_LEAST = 4


class Slots:
    def __init__(self, most: int) -> None:
        self.most = most
        self.lane_share = max(SHARE_LEAST, most // 2)
        self.tenant_share = max(SHARE_LEAST, most * 3 // 4)
        self.running = 0
        self.freed = asyncio.Event()
        """Set whenever a slot is free."""
        self.freed.set()
        self._tenants: Counter[TenantId] = Counter()
        self._lanes: Counter[LaneName] = Counter()

    @property
    def free(self) -> int:
        return max(self.most - self.running, 0)

    def room(self) -> Room:
        each, left = _room(self.tenant_share, self._tenants)
        each_lane, left_lanes = _room(self.lane_share, self._lanes)
        return Room(each, each_lane, left, left_lanes)

    def enter(self, lane: LaneName) -> None:
        """Take a slot. A dead worker's job is begun even where there is no room for it."""
        self.running += 1
        self._tenants[lane[0]] += 1
        self._lanes[lane] += 1
        if not self.free:
            self.freed.clear()

    def leave(self, lane: LaneName) -> None:
        self.running -= 1
        _count_down(self._tenants, lane[0])
        _count_down(self._lanes, lane)
        if self.free:
            self.freed.set()


def _room(share: int, running_of: Counter[K]) -> tuple[int, dict[K, int]]:
    """Who has less than half of a share in hand may be given the other half, and need not be named."""
    half = share - share // 2
    left = {key: max(share - running, 0) for key, running in running_of.items() if share - running < half}
    return half, left


def _count_down(running_of: Counter[K], key: K) -> None:
    running_of[key] -= 1
    if not running_of[key]:
        del running_of[key]
