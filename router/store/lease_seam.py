"""The leases of Asterisk servers, as the rest of the program sees them.

`router.store.server_leases` has them on Redis, `router.store.memory_leases` in memory. A lease ends by itself
when it is not renewed, and may be lost with the store: nothing that must be exact stands on it.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from router.core.identities import RouterName, ServerName


class Kept(Struct, frozen=True):
    """What came of asking for some servers' leases."""

    ours: frozenset[ServerName] = frozenset()
    watched: frozenset[ServerName] = frozenset()
    """Of ours, those that another router hears as well."""


class ServerLeases(Protocol):
    async def keep(self, router: RouterName, servers: Sequence[ServerName], seconds: float) -> Kept:
        """Renew the leases that this router has, and take those that nobody has, for so long.

        One step in the store. Raises `StoreError`.
        """

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        """End the leases that this router has; those of others stay. Raises `StoreError`."""
