"""The board on which routers tell how they fare, as the rest of the program sees it.

`router.store.status_board` has it on Redis, `router.store.memory_statuses` in memory. A status lives for a
few seconds; the names of routers and servers are remembered for longer, so that one that falls silent is
missed.
"""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from router.core.identities import RouterName, ServerName
from router.core.statuses import RouterStatus, ToldStatus

LIVES_SECONDS = 5.0
"""How long a status is believed."""
REMEMBERED_SECONDS = 3600.0
"""How long a router that has fallen silent is missed."""
NAMES_MOST = 200
"""Routers, and servers, that are remembered: those heard of last."""


class Statuses(Struct, frozen=True):
    routers: tuple[ToldStatus, ...]
    """By name; the silent ones of the last hour among them."""
    servers: tuple[ServerName, ...]
    """Every server that a router told of in the last hour, by name."""


class StatusBoard(Protocol):
    async def put(self, status: RouterStatus) -> None:
        """Tell a router's status, in place of its former one. Raises `StoreError`."""

    async def remove(self, router: RouterName, servers: Iterable[ServerName]) -> None:
        """Forget a router that has stopped as it should, and its servers where no other one tells of them.

        Raises `StoreError`.
        """

    async def read(self) -> Statuses:
        """Raises `StoreError`."""
