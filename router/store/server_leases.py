"""The leases of Asterisk servers, on Redis: a short-lived key for each, that names the router."""

from collections.abc import Collection, Sequence

from router.core.identities import RouterName, ServerName
from router.store.keys import Keys
from router.store.scripts import Scripts


class RedisServerLeases:
    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys

    async def keep(
        self, router: RouterName, servers: Sequence[ServerName], seconds: float
    ) -> frozenset[ServerName]:
        if not servers:
            return frozenset()
        leases = tuple(self._keys.lease(server) for server in servers)
        milliseconds = max(1, round(seconds * 1000))
        kept = await self._scripts.run("lease_keep", leases, router, milliseconds)
        return frozenset(server for server, is_ours in zip(servers, kept, strict=True) if is_ours)

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        if servers:
            await self._scripts.run("lease_end", tuple(self._keys.lease(name) for name in servers), router)
