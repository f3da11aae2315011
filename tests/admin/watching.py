"""Waiting for what others do with a store or a database, turn by turn."""

import asyncio
from collections.abc import Awaitable, Callable

from router.store.memory import MemoryStore

SECONDS = 20.0


class Turns:
    """Each use of something is one."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def happened(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def next(self, count: int = 1) -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(count):
                turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
                await turn

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Looked at again after each turn."""
        while not await is_so():
            await self.next()


class WatchedStore(MemoryStore):
    def __init__(self) -> None:
        self.turns = Turns()
        super().__init__()

    def check(self) -> None:
        self.turns.happened()
        super().check()
