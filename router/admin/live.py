"""The running system for all who look at it: Redis is read once for all of them, and only while one does.

What is shown is at most two seconds old: a router tells of itself each second, what was read serves for
`FRESH_SECONDS`, and an open page is told within `router.admin.pages.streams.TICK_SECONDS`.
"""

import asyncio

from msgspec import Struct

from router.core.identities import ServerName, TenantId
from router.core.installation import (
    ParkedNow,
    RouterView,
    ServerView,
    parked_now,
    routers_seen,
    servers_seen,
)
from router.core.last_minute import SECONDS, Decided, LastMinute
from router.store.errors import StoreError, StoreUnavailable
from router.store.seams import Store
from router.store.status_seam import Statuses

FRESH_SECONDS = 0.3
AWAY_SECONDS = 1.0
"""How long a reading that failed serves for all: each may have taken as long as the store's own time."""
READ_TOGETHER = 500
READINGS_MOST = 40
"""At once, of so many decisions each: those of a busy minute."""
LISTED_MOST = 100


class LiveView(Struct, frozen=True):
    """What a tenant, or the provider, sees."""

    number: int
    """Of the reading; the same one tells the same."""
    parked: ParkedNow
    decided: Decided
    now: float
    """The monotonic second that `decided` is told by."""


class ServersView(Struct, frozen=True):
    routers: tuple[RouterView, ...]
    servers: tuple[ServerView, ...]
    decided: dict[ServerName, int]
    """Calls of the last minute."""


class LiveBoard:
    """Built in the process' event loop, and used in it alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading = asyncio.Lock()
        self._statuses = Statuses((), ())
        self._minute = LastMinute()
        self._last_id = ""
        self._read_at: float | None = None
        self._failed_at: float | None = None
        self._number = 0
        self._views: dict[TenantId | None, LiveView] = {}

    async def view(self, tenant: TenantId | None) -> LiveView:
        """Raises `StoreError`."""
        now = await self._read()
        view = self._views.get(tenant)
        if view is None:
            parked = parked_now(self._statuses.routers, tenant)
            decided = self._minute.decided(tenant, LISTED_MOST)
            shown = ParkedNow(parked.count, parked.calls[:LISTED_MOST])
            view = self._views[tenant] = LiveView(self._number, shown, decided, now)
        return view

    async def servers(self) -> ServersView:
        """Raises `StoreError`."""
        await self._read()
        servers = servers_seen(self._statuses.routers, self._statuses.servers)
        decided = {view.server: self._minute.of_server(view.server) for view in servers}
        return ServersView(routers_seen(self._statuses.routers), servers, decided)

    async def _read(self) -> float:
        """When the present reading was made: it is the same for all who ask within `FRESH_SECONDS`."""
        loop = asyncio.get_running_loop()
        async with self._reading:
            if self._failed_at is not None and loop.time() - self._failed_at < AWAY_SECONDS:
                raise StoreUnavailable("the store could not be read a moment ago")
            if self._read_at is None or loop.time() - self._read_at >= FRESH_SECONDS:
                self._read_at = await self._read_anew()
            return self._read_at

    async def _read_anew(self) -> float:
        loop = asyncio.get_running_loop()
        try:
            self._statuses = await self._store.statuses.read()
            await self._read_decisions()
        except StoreError:
            self._failed_at = loop.time()
            raise
        self._failed_at = None
        self._minute.forget(loop.time())
        self._number += 1
        self._views.clear()
        return loop.time()

    async def _read_decisions(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(READINGS_MOST):
            page = await self._store.decisions.recent(self._last_id, SECONDS, READ_TOGETHER)
            self._minute.add(page.decisions, loop.time())
            self._last_id = page.last_id
            if page.is_all:
                return
