"""Callers, and their calls under way."""

import itertools

from deploy.rig.callers import CallCounts, Caller, PlacedCalls
from tests.faults.scripted import ScriptedCalls

_numbers = itertools.count()


class Placed:
    """Calls under way, and the count of them that the ledger must show."""

    def __init__(self, calls: PlacedCalls | ScriptedCalls, count: int) -> None:
        self.count = count
        self._calls = calls
        self._counts: CallCounts | None = None

    def wait(self) -> CallCounts:
        """Until they have ended; what SIPp counted."""
        if self._counts is None:
            self._counts = self._calls.wait()
        return self._counts

    def stop(self) -> None:
        """The callers vanish, without a word to Asterisk."""
        self._calls.stop()


def new_callers(count: int) -> list[Caller]:
    """Numbers that no site has seen in this run."""
    return [Caller(f"+3361{next(_numbers):07d}") for _ in range(count)]
