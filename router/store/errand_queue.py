"""Errands on Redis: a list that workers wait at, and a list of one for each reply.

An errand serves a person who waits, so nothing is kept for later: one that nobody waits for any more is
dropped, and a worker that dies with one costs its asker a second try. All is in one slot.
"""

import asyncio
from secrets import token_hex

import structlog

from router.core.errands import AnyErrand, Reply
from router.store.batches import Batcher
from router.store.connections import Connections, Listener
from router.store.keys import Keys
from router.store.packing import Unreadable, pack, unpack_errand, unpack_reply
from router.store.seams import TakenErrand

log = structlog.get_logger(__name__)

WAIT_SECONDS = 2.0
REPLY_KEPT_SECONDS = 60
WAITING_MOST = 1_000


class RedisErrands:
    def __init__(self, connections: Connections, batcher: Batcher, keys: Keys) -> None:
        self._connections = connections
        self._batcher = batcher
        self._keys = keys
        self._listener: Listener | None = None

    async def run(self, errand: AnyErrand, seconds: float) -> Reply | None:
        errand_id = token_hex(12)
        waited_for, reply, queue = self._of(errand_id), self._keys.errand_reply(errand_id), self._keys.errands
        await self._batcher.call(waited_for, "SET", waited_for, "1", "PX", round(seconds * 1000))
        await self._batcher.call(queue, "RPUSH", queue, pack((errand_id, errand)))
        await self._batcher.call(queue, "LTRIM", queue, -WAITING_MOST, -1)
        listener = Listener(self._connections, reply)
        try:
            found = await listener.call("BLPOP", reply, seconds, wait_seconds=seconds)
        finally:
            await listener.close()
            self._batcher.submit(waited_for, "DEL", waited_for).add_done_callback(_quietly)
        return _readable(found[1]) if found else None

    async def take(self) -> TakenErrand | None:
        if self._listener is None:
            self._listener = Listener(self._connections, self._keys.errands)
        found = await self._listener.call(
            "BLPOP", self._keys.errands, WAIT_SECONDS, wait_seconds=WAIT_SECONDS
        )
        if not found:
            return None
        try:
            errand_id, errand = unpack_errand(found[1])
        except Unreadable as error:
            log.warning("store.errand_unreadable", problem=str(error))
            return None
        left_ms = await self._batcher.call(self._of(errand_id), "PTTL", self._of(errand_id))
        return TakenErrand(errand_id, errand, left_ms / 1000) if left_ms > 0 else None

    async def reply(self, taken: TakenErrand, reply: Reply) -> None:
        key = self._keys.errand_reply(taken.id)
        await self._batcher.call(key, "RPUSH", key, pack(reply))
        await self._batcher.call(key, "EXPIRE", key, REPLY_KEPT_SECONDS)

    async def keep_sign_in(self, state: str, sealed: bytes, seconds: float) -> None:
        key = self._keys.sign_in(state)
        await self._batcher.call(key, "SET", key, sealed, "PX", round(seconds * 1000))

    async def kept_sign_in(self, state: str) -> bytes | None:
        key = self._keys.sign_in(state)
        found: bytes | None = await self._batcher.call(key, "GET", key)
        return found

    async def take_sign_in(self, state: str) -> bytes | None:
        key = self._keys.sign_in(state)
        found: bytes | None = await self._batcher.call(key, "GETDEL", key)
        return found

    async def end_sign_in(self, state: str) -> None:
        key = self._keys.sign_in(state)
        await self._batcher.call(key, "DEL", key)

    async def aclose(self) -> None:
        if self._listener is not None:
            await self._listener.close()

    def _of(self, errand_id: str) -> str:
        return self._keys.errand(errand_id)


def _readable(raw: bytes) -> Reply | None:
    """A worker of another version may say what is not understood here: that is as good as no reply."""
    try:
        return unpack_reply(raw)
    except Unreadable as error:
        log.warning("store.reply_unreadable", problem=str(error))
        return None


def _quietly(sent: "asyncio.Future[object]") -> None:
    """Nobody waits for this: a store that is away forgets it by itself."""
    if not sent.cancelled():
        sent.exception()
