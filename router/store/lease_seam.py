"""The leases of Asterisk servers, as the rest of the program sees them.

`router.store.server_leases` has them on Redis, `router.store.memory_leases` in memory. A lease ends by itself
when it is not renewed, and may be lost with the store: nothing that must be exact stands on it.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from router.core.identities import RouterName, ServerName


class ServerLeases(Protocol):
    async def keep(
        self, router: RouterName, servers: Sequence[ServerName], seconds: float
    ) -> frozenset[ServerName]:
        """Renew the leases that this router has, and take those that nobody has, for so long.

        Returns the servers whose lease it has now. One step in the store. Raises `StoreError`.
        """

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        """End the leases that this router has; those of others stay. Raises `StoreError`."""
