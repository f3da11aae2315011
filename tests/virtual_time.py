"""An event loop whose time jumps to the next timer instead of waiting for it.

A test that waits for hours ends at once, and always in the same order. Nothing outside the process is waited
for: a loop with nothing to do and no timer is stuck for ever, and says so.
"""

import asyncio
import selectors
from collections.abc import Mapping


class StuckForEver(RuntimeError):
    """Every task waits for something that no task and no timer will bring."""


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would sleep, the clock is set forward instead."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise StuckForEver("no task can go on, and no timer is set")
        self.seconds += timeout or 0.0
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.seconds


LOOPS: Mapping[str, type[VirtualTimeLoop]] = {"virtual": VirtualTimeLoop}
"""For a package's `pytest_asyncio_loop_factories`: every test of it runs on virtual time."""
