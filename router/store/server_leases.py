"""The leases of Asterisk servers, on Redis: a short-lived key for each, that names the router."""

from collections.abc import Collection, Sequence

from router.core.identities import RouterName, ServerName
from router.store.keys import Keys
from router.store.lease_seam import Kept
from router.store.scripts import Scripts

WATCHED = 2
"""`lease_keep.lua`: we have it, and another router hears the server too."""


class RedisServerLeases:
    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys

    async def keep(self, router: RouterName, servers: Sequence[ServerName], seconds: float) -> Kept:
        if not servers:
            return Kept()
        leases = [self._keys.lease(server) for server in servers]
        marks = [self._keys.watched(server) for server in servers]
        milliseconds = max(1, round(seconds * 1000))
        kept = await self._scripts.run("lease_keep", (*leases, *marks), router, milliseconds)
        told = list(zip(servers, kept, strict=True))
        return Kept(
            ours=frozenset(server for server, how in told if how),
            watched=frozenset(server for server, how in told if how == WATCHED),
        )

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        if servers:
            await self._scripts.run("lease_end", tuple(self._keys.lease(name) for name in servers), router)
