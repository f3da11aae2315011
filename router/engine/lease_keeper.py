"""Keeping the leases of the servers that this router hears, once a second and off the calls' path.

It asks the store for all of them in one step. A server whose link is down is given up at once, so that a
router that hears it takes over. While the store is away nothing is told: what is known then grows too old to
be believed, and every router works on every call, but leaves those to others that it has no answer for.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog

from router.ami.seam import LinkDown, LinkUp, ServerNews
from router.core.calls import Moment
from router.core.identities import RouterName, ServerName
from router.core.leases import (
    LEASE_SECONDS,
    Duty,
    Leases,
    Left,
    duty_for,
    gained,
    given_up,
    leave,
    lost,
    told,
    was_taken,
)
from router.settings.trouble import Trouble
from router.store.errors import StoreError
from router.store.lease_seam import ServerLeases

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0


class LeaseKeeper:
    """`duty`, `leaves`, `was_left` and `on_news` are called in the event loop, and return at once.

    `on_gained` is called for each server whose lease this router has got.
    """

    def __init__(
        self,
        router: RouterName,
        store: ServerLeases,
        on_gained: Callable[[ServerName], None],
        now: Callable[[], Moment],
    ) -> None:
        self._router = router
        self._store = store
        self._on_gained = on_gained
        self._now = now
        self._known: Leases = {}
        self._left: dict[ServerName, Left] = {}
        """Since the store went away."""
        self._up: set[ServerName] = set()
        self._unwanted: set[ServerName] = set()
        """Servers whose link went down since the store was asked last."""
        self._has_changed = asyncio.Event()
        self._trouble = Trouble(log, "lease.untold", "lease.told", (StoreError,))

    def duty(self, server: ServerName) -> Duty:
        """What a call that is parked on this server at this moment begins with."""
        return duty_for(self._known.get(server), self._now().monotonic)

    def leaves(self, server: ServerName) -> bool:
        """Whether a call of this server, whose question could not be put, is left to other routers."""
        now, left = self._now().monotonic, self._left.get(server, Left())
        is_left, self._left[server] = leave(self._known.get(server), left, now)
        return is_left

    def was_left(self, server: ServerName, *, by_another: bool) -> None:
        """A call that was left has been taken: by another router, or at its last moment by this one."""
        now, before = self._now().monotonic, self._left.get(server, Left())
        after = self._left[server] = was_taken(before, by_another, now)
        if after.is_alone != before.is_alone:
            log.warning("lease.alone" if after.is_alone else "lease.others_back", server=server)

    def on_news(self, news: ServerNews) -> None:
        match news:
            case LinkUp():
                self._up.add(news.server)
                self._unwanted.discard(news.server)
                self._has_changed.set()
            case LinkDown():
                self._up.discard(news.server)
                self._drop({news.server})
                self._has_changed.set()

    async def run(self) -> None:
        """Keep them for ever; ends by cancellation."""
        while True:
            self._has_changed.clear()
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._has_changed.wait()

    async def give_up(self, seconds: float) -> None:
        """Hand all servers over before this router stops; call it when `run` has ended."""
        servers = sorted(self._up)
        self._up.clear()
        self._drop(servers)
        try:
            async with asyncio.timeout(seconds):
                await self._store.give_up(self._router, servers)
        except (StoreError, TimeoutError) as error:
            # They end by themselves, a little later.
            log.info("lease.left", problem=str(error) or "no time left")

    async def _turn(self) -> None:
        try:
            await self._end_unwanted()
            await self._keep()
        except StoreError as error:
            self._trouble.failed(error)
        else:
            self._trouble.worked()

    async def _end_unwanted(self) -> None:
        unwanted, self._unwanted = self._unwanted, set()
        if unwanted:
            await self._store.give_up(self._router, sorted(unwanted))

    async def _keep(self) -> None:
        if not self._up:
            return
        asked, asked_at = sorted(self._up), self._now().monotonic
        kept = await self._store.keep(self._router, asked, LEASE_SECONDS)
        self._left.clear()
        # A link that went down meanwhile is given up on the next turn, which follows at once.
        still = self._up.intersection(asked)
        self._learn(told(self._known, still, kept.ours, asked_at, kept.watched))

    def _drop(self, servers: Collection[ServerName]) -> None:
        self._unwanted.update(servers)
        self._learn(given_up(self._known, servers))

    def _learn(self, known: Leases) -> None:
        before, self._known = self._known, known
        for server in lost(before, known):
            log.info("lease.lost", server=server)
        for server in gained(before, known):
            log.info("lease.gained", server=server)
            self._on_gained(server)
