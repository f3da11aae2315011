"""Asterisk servers' leases, in one process' memory: the twin of `router.store.server_leases` for tests."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from router.core.identities import RouterName, ServerName
from router.store.lease_seam import Kept


class MemoryServerLeases:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._held: dict[ServerName, tuple[RouterName, float]] = {}
        self._marks: dict[ServerName, tuple[RouterName, float]] = {}
        """Who asked last and did not get it."""

    def clear(self) -> None:
        """FLUSHALL."""
        self._held.clear()
        self._marks.clear()

    async def keep(self, router: RouterName, servers: Sequence[ServerName], seconds: float) -> Kept:
        self._check()
        now = asyncio.get_running_loop().time()
        ours = frozenset(server for server in servers if self._holder(server, now) in (None, router))
        self._held |= dict.fromkeys(ours, (router, now + seconds))
        self._marks |= dict.fromkeys(set(servers) - ours, (router, now + seconds))
        others = {name for name, (other, until) in self._marks.items() if other != router and now < until}
        return Kept(ours, ours & others)

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        self._check()
        now = asyncio.get_running_loop().time()
        for server in servers:
            if self._holder(server, now) == router:
                del self._held[server]

    def _holder(self, server: ServerName, now: float) -> RouterName | None:
        router, until = self._held.get(server, (None, 0.0))
        return router if now < until else None
