"""Published plans on Redis: where routers and workers find the tenants that SQL keeps.

Redis holds a copy alone. A board that was emptied is filled again by whoever has the records, and only then
has its mark: without it nobody may conclude that a tenant is gone. The mark stands in the hash of the
numbers, so that it goes with them.

What changed is told on a stream. It is capped, and a reader may miss some of it, so everything is compared
now and then by the plans' numbers, which are few bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

import structlog

from router.core.identities import TenantId
from router.store.batches import Batcher
from router.store.connections import Connections, Listener
from router.store.errors import StoreError, StoreUnavailable
from router.store.keys import Keys
from router.store.packing import Unreadable, pack, unpack_plan
from router.store.plan_seam import PlanNumbers, PublishedPlan
from router.store.scripts import Scripts
from router.store.wires import Reply

log = structlog.get_logger(__name__)

MARK = b""
"""The field of the mark; no tenant has an empty name."""
FETCHED_TOGETHER = 100
NEWS_KEPT = 10_000
BLOCK_SECONDS = 1.0
SCAN_SECONDS = 30.0
"""How often everything is compared although no change was told."""
PAUSE_SECONDS = 0.5
START = "0-0"


class RedisPlanBoard:
    def __init__(self, connections: Connections, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self._connections = connections
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys

    async def put(self, plan: PublishedPlan, replacing: int | None = None) -> bool:
        keys = (self._keys.plan_numbers, self._keys.plans, self._keys.plan_news)
        seen = "" if replacing is None else str(replacing)
        return bool(
            await self._scripts.run("plan_put", keys, plan.tenant, plan.number, pack(plan), seen, NEWS_KEPT)
        )

    async def finish(self, mark: str) -> None:
        await self._batcher.call(self._keys.plan_numbers, "HSETNX", self._keys.plan_numbers, MARK, mark)

    async def numbers(self) -> PlanNumbers:
        flat = await self._batcher.call(self._keys.plan_numbers, "HGETALL", self._keys.plan_numbers)
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        try:
            mark = found.pop(MARK, b"").decode()
            return PlanNumbers(mark, {TenantId(name.decode()): int(number) for name, number in found.items()})
        except ValueError as error:
            # Passing it over would say that a tenant is gone.
            problem = (
                f"the plans' numbers cannot be read; delete {self._keys.plan_numbers}, and they come anew"
            )
            raise StoreUnavailable(problem) from error

    async def fetch(self, tenants: Iterable[TenantId]) -> list[PublishedPlan]:
        wanted = list(tenants)
        found: list[PublishedPlan] = []
        for at in range(0, len(wanted), FETCHED_TOGETHER):
            names = wanted[at : at + FETCHED_TOGETHER]
            raw = await self._batcher.call(self._keys.plans, "HMGET", self._keys.plans, *names)
            found += _readable(names, raw)
        return found

    async def news(self) -> AsyncIterator[frozenset[TenantId] | None]:
        listener = Listener(self._connections, self._keys.plan_news)
        last_id, loop = "", asyncio.get_running_loop()
        scan_at = loop.time()
        try:
            while True:
                try:
                    if not last_id or loop.time() >= scan_at:
                        last_id, scan_at = await self._last_id(), loop.time() + SCAN_SECONDS
                        yield None
                    entries = await self._read_after(listener, last_id)
                except StoreError:
                    await asyncio.sleep(PAUSE_SECONDS)
                    last_id = ""  # what was told meanwhile is lost: look at everything
                    continue
                if entries:
                    last_id = entries[-1][0].decode()
                    yield frozenset(TenantId(fields[1].decode(errors="replace")) for _, fields in entries)
        finally:
            await listener.close()

    async def _last_id(self) -> str:
        key = self._keys.plan_news
        entries = await self._batcher.call(key, "XREVRANGE", key, "+", "-", "COUNT", 1)
        return entries[0][0].decode() if entries else START

    async def _read_after(self, listener: Listener, last_id: str) -> list[Reply]:
        block = ("BLOCK", round(BLOCK_SECONDS * 1000))
        command = ("XREAD", "COUNT", NEWS_KEPT, *block, "STREAMS", self._keys.plan_news, last_id)
        reply = await listener.call(*command, wait_seconds=BLOCK_SECONDS)
        return reply[0][1] if reply else []


def _readable(names: list[TenantId], raw: list[bytes | None]) -> list[PublishedPlan]:
    found: list[PublishedPlan] = []
    for name, packed in zip(names, raw, strict=True):
        if packed is None:
            continue
        try:
            found.append(unpack_plan(packed))
        except Unreadable as error:
            log.error("store.plan_unreadable", tenant=name, problem=str(error))
    return found
