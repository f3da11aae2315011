"""Errands in one process' memory: the twin of `router.store.errand_queue` for tests."""

import asyncio
from collections.abc import Callable
from secrets import token_hex

from router.core.errands import AnyErrand, Reply
from router.store.errand_queue import WAIT_SECONDS
from router.store.seams import TakenErrand


class MemoryErrands:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._queue: asyncio.Queue[tuple[str, AnyErrand, float]] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._sign_ins: dict[str, tuple[bytes, float]] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        self._queue = asyncio.Queue()
        self._sign_ins.clear()

    async def run(self, errand: AnyErrand, seconds: float) -> Reply | None:
        self._check()
        errand_id = token_hex(12)
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[errand_id] = replied
        self._queue.put_nowait((errand_id, errand, _now() + seconds))
        try:
            async with asyncio.timeout(seconds):
                return await replied
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(errand_id, None)

    async def take(self) -> TakenErrand | None:
        self._check()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                errand_id, errand, until = await self._queue.get()
        except TimeoutError:
            return None
        if errand_id not in self._waiting:
            return None
        return TakenErrand(errand_id, errand, max(until - _now(), 0.0))

    async def reply(self, taken: TakenErrand, reply: Reply) -> None:
        self._check()
        replied = self._waiting.get(taken.id)
        if replied is not None and not replied.done():
            replied.set_result(reply)

    async def keep_sign_in(self, state: str, sealed: bytes, seconds: float) -> None:
        self._check()
        self._sign_ins[state] = (sealed, _now() + seconds)

    async def kept_sign_in(self, state: str) -> bytes | None:
        self._check()
        sealed, until = self._sign_ins.get(state, (b"", 0.0))
        return sealed if _now() < until else None

    async def take_sign_in(self, state: str) -> bytes | None:
        sealed = await self.kept_sign_in(state)
        self._sign_ins.pop(state, None)
        return sealed

    async def end_sign_in(self, state: str) -> None:
        self._check()
        self._sign_ins.pop(state, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
