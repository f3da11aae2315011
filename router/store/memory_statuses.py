"""How routers fare, in one process' memory: the twin of `router.store.status_board` for tests."""

import asyncio
from collections.abc import Callable, Iterable

from router.core.identities import RouterName, ServerName
from router.core.statuses import RouterStatus, ToldStatus
from router.store.status_seam import LIVES_SECONDS, REMEMBERED_SECONDS, Statuses


class MemoryStatusBoard:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._told: dict[RouterName, tuple[float, RouterStatus]] = {}
        self._servers: dict[ServerName, float] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        self._told.clear()
        self._servers.clear()

    def age(self, seconds: float) -> None:
        """Make everything older."""
        self._told = {name: (at - seconds, status) for name, (at, status) in self._told.items()}
        self._servers = {name: at - seconds for name, at in self._servers.items()}

    async def put(self, status: RouterStatus) -> None:
        self._check()
        now = asyncio.get_running_loop().time()
        self._told[status.router] = now, status
        self._servers |= {server.server: now for server in status.servers}

    async def remove(self, router: RouterName, servers: Iterable[ServerName]) -> None:
        self._check()
        self._told.pop(router, None)
        for server in servers:
            self._servers.pop(server, None)

    async def read(self) -> Statuses:
        self._check()
        now = asyncio.get_running_loop().time()
        told = [
            ToldStatus(name, now - at, status if now - at < LIVES_SECONDS else None)
            for name, (at, status) in sorted(self._told.items())
            if now - at < REMEMBERED_SECONDS
        ]
        servers = [name for name, at in sorted(self._servers.items()) if now - at < REMEMBERED_SECONDS]
        return Statuses(tuple(told), tuple(servers))
