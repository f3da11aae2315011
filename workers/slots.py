"""Who may ask a CRM at this moment: a worker's slots, and each integration's share of them.

A job over its integration's share waits here, beside the slots, so that a tenant's slow CRM holds its share
and nothing more; the other slots keep turning. The waiting place is bounded: twenty jobs for each slot of the
share. More could hardly be served within a caller's budget, and are refused at once.

Nothing here awaits. `enter` and `leave` are called from the event loop only, and a place that is given hands
over the slot itself, so the counts are right at every moment.
"""

import asyncio
from collections import OrderedDict, deque
from enum import Enum

WAITING_PER_SLOT = 20
SHARE_LEAST = 4

Place = asyncio.Future[None]


class Entry(Enum):
    MAY_START = "may start"
    FULL = "full"
    """The waiting place has no room either."""


class Slots:
    def __init__(self, most: int) -> None:
        self.most = most
        self.running = 0
        self.waiting = 0
        self.freed = asyncio.Event()
        """Set whenever a slot is free."""
        self.freed.set()
        self._running_of: dict[str, int] = {}
        self._shares: dict[str, int] = {}
        self._places: OrderedDict[str, deque[Place]] = OrderedDict()
        """Keys with jobs that wait; the one that is served next comes first."""

    @property
    def free(self) -> int:
        return max(self.most - self.running, 0)

    def share(self, in_flight: int) -> int:
        """Of one integration: what its tenant allows, and never more than half of the slots."""
        return min(in_flight, max(SHARE_LEAST, self.most // 2))

    def enter(self, key: str, share: int) -> Entry | Place:
        """A slot, or a place to wait for one: awaiting it ends when the slot is the waiter's."""
        self._shares[key] = share
        if self.free and not self._places.get(key) and self._running_of.get(key, 0) < share:
            self._start(key)
            return Entry.MAY_START
        places = self._places.setdefault(key, deque())
        if len(places) >= share * WAITING_PER_SLOT:
            return Entry.FULL
        place: Place = asyncio.get_running_loop().create_future()
        places.append(place)
        self.waiting += 1
        return place

    def leave(self, key: str) -> None:
        """Give a slot back; the next one that may have it gets it."""
        self.running -= 1
        self._running_of[key] -= 1
        self._serve()
        if not self._running_of[key] and key not in self._places:
            del self._running_of[key], self._shares[key]
        if self.free:
            self.freed.set()

    def give_up(self, key: str, place: Place) -> None:
        """Wait no longer; a slot that was handed over meanwhile is given back."""
        if place.done() and not place.cancelled():
            self.leave(key)
            return
        place.cancel()
        places = self._places.get(key)
        if places is not None and place in places:
            places.remove(place)
            self.waiting -= 1
            if not places:
                del self._places[key]
                if not self._running_of.get(key):
                    self._running_of.pop(key, None)
                    self._shares.pop(key, None)

    def _start(self, key: str) -> None:
        self.running += 1
        self._running_of[key] = self._running_of.get(key, 0) + 1
        if not self.free:
            self.freed.clear()

    def _serve(self) -> None:
        """Hand free slots to waiting jobs, one integration after the other."""
        for key in list(self._places):
            if not self.free:
                return
            if self._running_of.get(key, 0) >= self._shares[key]:
                continue
            place = self._next_place(key)
            if key in self._places:
                self._places.move_to_end(key)
            if place is not None:
                self._start(key)
                place.set_result(None)

    def _next_place(self, key: str) -> Place | None:
        """The first whose waiter has not just been cancelled."""
        places = self._places[key]
        place: Place | None = None
        while places and (place is None or place.done()):
            place = places.popleft()
            self.waiting -= 1
        if not places:
            del self._places[key]
        return None if place is None or place.done() else place
