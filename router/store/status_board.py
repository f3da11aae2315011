"""How routers fare, on Redis: a short-lived key for each, and two sorted sets of the names heard of."""

from collections.abc import Iterable

import structlog

from router.core.identities import RouterName, ServerName
from router.core.statuses import RouterStatus, ToldStatus
from router.store.batches import Batcher
from router.store.keys import Keys
from router.store.packing import Unreadable, pack, unpack_status
from router.store.scripts import Scripts
from router.store.status_seam import LIVES_SECONDS, NAMES_MOST, REMEMBERED_SECONDS, Statuses

log = structlog.get_logger(__name__)

LIVES_MS = round(LIVES_SECONDS * 1000)
REMEMBERED_MS = round(REMEMBERED_SECONDS * 1000)


class RedisStatusBoard:
    def __init__(self, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys

    async def put(self, status: RouterStatus) -> None:
        await self._scripts.run(
            "status_put",
            (self._keys.routers, self._keys.servers, self._keys.status(status.router)),
            LIVES_MS,
            REMEMBERED_MS,
            NAMES_MOST,
            status.router,
            pack(status),
            *(server.server for server in status.servers[:NAMES_MOST]),
        )

    async def remove(self, router: RouterName, servers: Iterable[ServerName]) -> None:
        routers, known = self._keys.routers, self._keys.servers
        await self._batcher.call(routers, "DEL", self._keys.status(router))
        await self._batcher.call(routers, "ZREM", routers, router)
        if names := list(servers):
            await self._batcher.call(routers, "ZREM", known, *names)

    async def read(self) -> Statuses:
        keys = (self._keys.routers, self._keys.servers, self._keys.status_stem)
        told, servers = await self._scripts.run("status_read", keys, REMEMBERED_MS)
        listed = [_told(RouterName(name.decode(errors="replace")), age_ms, raw) for name, age_ms, raw in told]
        names = sorted(ServerName(name.decode(errors="replace")) for name in servers)
        return Statuses(tuple(sorted(listed, key=lambda one: one.router)), tuple(names))


def _told(router: RouterName, age_ms: int, raw: bytes) -> ToldStatus:
    status: RouterStatus | None = None
    if raw:
        try:
            status = unpack_status(raw)
        except Unreadable as error:
            log.warning("store.status_unreadable", router=router, problem=str(error))
    return ToldStatus(router, max(0, age_ms) / 1000, status)
