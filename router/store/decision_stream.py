"""The latest decisions, on Redis: one capped stream for the installation."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import structlog
from msgspec.structs import replace

from router.core.decisions import Decision
from router.store.batches import Batcher
from router.store.connections import Connections, Listener
from router.store.errors import StoreError
from router.store.keys import Keys
from router.store.limits import SEEN_SECONDS
from router.store.packing import Unreadable, pack, unpack_decision
from router.store.scripts import Scripts
from router.store.seams import DecisionPage, RecentDecisions
from router.store.wires import Reply

log = structlog.get_logger(__name__)

PAGE = 500
BLOCK_SECONDS = 1.0
PAUSE_SECONDS = 0.1
START = "0-0"


class RedisDecisionStream:
    def __init__(
        self, connections: Connections, batcher: Batcher, scripts: Scripts, keys: Keys, kept: int
    ) -> None:
        self._connections = connections
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys
        self._kept = kept

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        seen = self._keys.seen(decision.server, decision.call_id, decision.parking)
        await self._scripts.run(
            "record",
            (seen, self._keys.decisions),
            int(is_only_witness),
            SEEN_SECONDS * 1000,
            self._kept,
            decision.call_id,
            pack(decision),
        )

    async def latest(self, most: int) -> list[Decision]:
        key = self._keys.decisions
        entries = await self._batcher.call(key, "XREVRANGE", key, "+", "-", "COUNT", most)
        return [decision for _, decision in _decisions_in(entries)]

    async def find(self, call_id: str) -> list[Decision]:
        """Reads the whole stream, in pages: it is for a person who asks, not for the call path."""
        key, wanted = self._keys.decisions, call_id.encode()
        found: list[Decision] = []
        start = "-"
        while entries := await self._batcher.call(key, "XRANGE", key, start, "+", "COUNT", PAGE):
            ours = [entry for entry in entries if _field(entry[1], b"c") == wanted]
            found += [decision for _, decision in _decisions_in(ours)]
            start = f"({entries[-1][0].decode()}"
        return found

    async def after(self, last_id: str, most: int) -> DecisionPage:
        key = self._keys.decisions
        if not last_id:
            entries = await self._batcher.call(key, "XRANGE", key, "-", "+", "COUNT", most)
        else:
            # With the entry itself: ids of a stream that began anew tell nothing, for clocks differ.
            entries = await self._batcher.call(key, "XRANGE", key, last_id, "+", "COUNT", most + 1)
            if not entries or entries[0][0].decode() != last_id:
                return replace(await self.after("", most), was_cut=True)
            entries = entries[1:]
        decisions = [decision for _, decision in _decisions_in(entries)]
        return DecisionPage(tuple(decisions), entries[-1][0].decode() if entries else last_id)

    async def recent(self, last_id: str, seconds: float, most: int) -> RecentDecisions:
        keys = (self._keys.decisions,)
        now, entries = await self._scripts.run("decisions_recent", keys, last_id, round(seconds * 1000), most)
        aged = [
            (max(0, int(now) - _order(entry_id)[0]) / 1000, decision)
            for entry_id, decision in _decisions_in(entries)
        ]
        rest = entries[-1][0].decode() if entries else last_id
        return RecentDecisions(tuple(aged), rest, is_all=len(entries) < most)

    async def follow(self) -> AsyncIterator[Decision]:
        listener = Listener(self._connections, self._keys.decisions)
        last_id = ""
        try:
            while True:
                try:
                    last_id = last_id or await self._last_id()
                    entries = await self._read_after(listener, last_id)
                    if not entries and _order(await self._last_id()) < _order(last_id):
                        # The stream was lost and began anew: all that is in it is news.
                        last_id = START
                except StoreError:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                for entry_id, decision in _decisions_in(entries):
                    last_id = entry_id
                    yield decision
        finally:
            await listener.close()

    async def _last_id(self) -> str:
        key = self._keys.decisions
        entries = await self._batcher.call(key, "XREVRANGE", key, "+", "-", "COUNT", 1)
        return entries[0][0].decode() if entries else START

    async def _read_after(self, listener: Listener, last_id: str) -> list[Reply]:
        block = ("BLOCK", round(BLOCK_SECONDS * 1000))
        command = ("XREAD", "COUNT", PAGE, *block, "STREAMS", self._keys.decisions, last_id)
        reply = await listener.call(*command, wait_seconds=BLOCK_SECONDS)
        return reply[0][1] if reply else []


def _decisions_in(entries: list[Reply]) -> Iterator[tuple[str, Decision]]:
    for raw_id, fields in entries:
        entry_id = raw_id.decode()
        try:
            yield entry_id, unpack_decision(_field(fields, b"d"))
        except Unreadable as error:
            log.warning("store.decision_unreadable", entry=entry_id, problem=str(error))


def _field(fields: list[bytes], name: bytes) -> bytes:
    return dict(zip(fields[::2], fields[1::2], strict=True)).get(name, b"")


def _order(entry_id: str) -> tuple[int, int]:
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number)
