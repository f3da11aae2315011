"""A router's own stream of answers, on Redis.

One connection reads it from the last entry on, so that nothing is lost when the connection is; no group is
needed. The stream exists as long as its router attends to it: workers write to it only while it is there,
so the answers of a router that is gone go nowhere. Every half second the reader prolongs the stream, drops
what it has read, and makes it anew where FLUSHALL or a failover took it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import structlog

from router.core.identities import RouterName
from router.core.lookups import Answer
from router.store.connections import Connections, Listener
from router.store.errors import StoreError
from router.store.keys import Keys
from router.store.limits import ANSWERS_IDLE_SECONDS, ATTEND_EVERY_SECONDS
from router.store.packing import Unreadable, unpack_answer, unpack_tokens
from router.store.scripts import Scripts
from router.store.wires import Reply

log = structlog.get_logger(__name__)

READ_MOST = 200
PAUSE_SECONDS = 0.1


class RedisAnswers:
    def __init__(self, connections: Connections, scripts: Scripts, keys: Keys, router: RouterName) -> None:
        self._scripts = scripts
        self._key = keys.answers(router)
        self._connections = connections
        self._last_id = ""
        """Empty until the stream was attended to for the first time."""
        self._attended_at = float("-inf")

    async def read(self) -> AsyncIterator[tuple[str, Answer]]:
        listener = Listener(self._connections, self._key)
        try:
            while True:
                try:
                    await self._attend()
                    reply = await self._read_more(listener)
                except StoreError:
                    # The gate paces attempts to connect; a server that only refuses needs a pause too.
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                for answered in self._answers_in(reply):
                    yield answered
        finally:
            await listener.close()

    async def _attend(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._attended_at < ATTEND_EVERY_SECONDS:
            return
        is_first = not self._last_id
        new_id = await self._scripts.run(
            "attend",
            (self._key,),
            ANSWERS_IDLE_SECONDS * 1000,
            self._last_id or "0-0",
            int(is_first),
        )
        if new_id is not None:
            self._last_id = new_id.decode()
            if not is_first:
                log.warning("store.answers_remade")
        self._attended_at = now

    async def _read_more(self, listener: Listener) -> Reply:
        block_ms = round(ATTEND_EVERY_SECONDS * 1000)
        command = ("XREAD", "COUNT", READ_MOST, "BLOCK", block_ms, "STREAMS", self._key, self._last_id)
        return await listener.call(*command, wait_seconds=ATTEND_EVERY_SECONDS)

    def _answers_in(self, reply: Reply) -> Iterator[tuple[str, Answer]]:
        for _, entries in reply or ():
            for entry_id, fields in entries:
                self._last_id = entry_id.decode()
                named = dict(zip(fields[::2], fields[1::2], strict=True))
                if b"a" not in named:
                    continue
                try:
                    answer = unpack_answer(named[b"a"])
                    tokens = unpack_tokens(named.get(b"t", b""))
                except Unreadable as error:
                    log.warning("store.answer_unreadable", entry=self._last_id, problem=str(error))
                    continue
                for token in tokens:
                    yield token, answer
