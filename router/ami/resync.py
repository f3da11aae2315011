"""Laying events over a list: which calls wait, when a list and news of calls arrive together. Pure.

The list of channels is one moment of Asterisk's, what each of them holds is another a little later; events
before and after them may be told on either side.
What an event said of a call is newer than, or the same as, what the list says, so the events win.
"""

from collections.abc import Iterable

from router.core.events import AsteriskEvent, CallParked
from router.core.identities import Uniqueid


class Resync:
    """What was told of calls from the connection's beginning until the list came."""

    def __init__(self) -> None:
        self._parked: dict[Uniqueid, CallParked] = {}
        self._left: dict[Uniqueid, int] = {}
        self._is_over = False

    def note(self, uniqueid: Uniqueid, event: AsteriskEvent) -> None:
        """Remember what was told; nothing once the list came."""
        if self._is_over:
            return
        if isinstance(event, CallParked):
            self._parked[uniqueid] = event
            return
        self._left[uniqueid] = max(event.parking, self._left.get(uniqueid, 0))
        parked = self._parked.get(uniqueid)
        if parked is not None and parked.parking <= event.parking:
            del self._parked[uniqueid]

    def merge(self, rows: Iterable[CallParked]) -> tuple[CallParked, ...]:
        """The calls that wait: listed or told, and not told as left."""
        calls = {row.uniqueid: row for row in rows if row.parking > self._left.get(row.uniqueid, 0)}
        for uniqueid, told in self._parked.items():
            listed = calls.get(uniqueid)
            if listed is None or listed.parking < told.parking:
                calls[uniqueid] = told
        self.close()
        return tuple(calls.values())

    def close(self) -> None:
        self._is_over = True
        self._parked.clear()
        self._left.clear()
