"""Pages that are open and told what is new, by server-sent events: how many there may be, and when they end.

A stream ends with the session that opened it, with the rights it had, and with the process.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OPEN_MOST = 200
"""Streams of one process. Browsers close a page's stream while it is hidden."""
TICK_SECONDS = 0.5
BEAT_SECONDS = 2.0
"""How often a page at the least hears that it is up to date; `live.js` misses it after 6 s."""
CHECK_SECONDS = 5.0
"""How often it is looked whether the session is still open."""


class Streams:
    """Those of one process. `stop` is called once, in its event loop."""

    def __init__(self) -> None:
        self.open = 0
        self._stopped = asyncio.Event()
        self._drawn: dict[tuple[str, str], tuple[int, str]] = {}

    @property
    def is_full(self) -> bool:
        return self.open >= OPEN_MOST or self._stopped.is_set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def drawn(self, whose: tuple[str, str], reading: int, draw: Callable[[], str]) -> str:
        """What all pages of a tenant in a language are told of one reading; it is drawn once."""
        known = self._drawn.get(whose)
        if known is not None and known[0] == reading:
            return known[1]
        if len(self._drawn) > OPEN_MOST:
            self._drawn.clear()
        text = draw()
        self._drawn[whose] = reading, text
        return text

    async def wait(self, seconds: float) -> bool:
        """Let the time pass; whether all streams are to end."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        self._stopped.set()
