"""News that comes faster than it is handled: tenants in turn, and a little in each turn of the event loop.

Handed on as it comes, five thousand calls of one tenant would keep every other call waiting behind them, and
the event loop with each of their steps. So a turn of the loop hands on a few things, one of each tenant and
round again; what waits keeps its order within its tenant. With nothing waiting, news is handed on at once.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

EACH_TURN = 16
"""Handling one takes well under a millisecond, and all that waits for the loop waits for these."""


class Turns(Generic[K]):
    """`put` is called in the event loop. What is put in hands itself on, and raises nothing."""

    def __init__(self, each_turn: int = EACH_TURN) -> None:
        self._each_turn = each_turn
        self._left = each_turn
        self._waiting: OrderedDict[K, deque[Callable[[], None]]] = OrderedDict()
        self._is_called = False

    @property
    def waiting(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def put(self, whose: K, hand_on: Callable[[], None]) -> None:
        """At once, or in its turn behind what waits of the same one."""
        self._call_turn()
        queue = self._waiting.get(whose)
        if queue is not None:
            queue.append(hand_on)
        elif self._left > 0:
            self._left -= 1
            hand_on()
        else:
            self._waiting[whose] = deque((hand_on,))

    def _call_turn(self) -> None:
        if not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_called = False
        self._left = self._each_turn
        try:
            while self._waiting and self._left > 0:
                self._left -= 1
                self._next()()
        finally:
            if self._waiting:
                self._call_turn()

    def _next(self) -> Callable[[], None]:
        whose, queue = next(iter(self._waiting.items()))
        hand_on = queue.popleft()
        if queue:
            self._waiting.move_to_end(whose)
        else:
            del self._waiting[whose]
        return hand_on
