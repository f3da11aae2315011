"""Asterisk servers' leases, in one process' memory: the twin of `router.store.server_leases` for tests."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from router.core.identities import RouterName, ServerName


class MemoryServerLeases:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._held: dict[ServerName, tuple[RouterName, float]] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        self._held.clear()

    async def keep(
        self, router: RouterName, servers: Sequence[ServerName], seconds: float
    ) -> frozenset[ServerName]:
        self._check()
        now = asyncio.get_running_loop().time()
        ours = frozenset(server for server in servers if self._holder(server, now) in (None, router))
        self._held |= dict.fromkeys(ours, (router, now + seconds))
        return ours

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        self._check()
        now = asyncio.get_running_loop().time()
        for server in servers:
            if self._holder(server, now) == router:
                del self._held[server]

    def _holder(self, server: ServerName, now: float) -> RouterName | None:
        router, until = self._held.get(server, (None, 0.0))
        return router if now < until else None
