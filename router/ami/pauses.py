"""How long to wait before the next attempt to connect."""

from random import SystemRandom


class Pauses:
    """The first pause, doubled up to the longest; each is drawn anew from between nothing and all of it.

    Without the draw all routers would come back to a restarted Asterisk at the same moment.
    """

    def __init__(self, first_seconds: float, most_seconds: float) -> None:
        self._first = min(first_seconds, most_seconds)
        self._most = most_seconds
        self._next = self._first
        self._random = SystemRandom()

    def begin_anew(self) -> None:
        self._next = self._first

    def draw(self) -> float:
        longest, self._next = self._next, min(self._next * 2, self._most)
        return self._random.uniform(0, longest)
