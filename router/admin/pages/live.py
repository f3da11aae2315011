"""Live: the calls that are held now and the decisions of the last minute, kept up to date while one looks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Controller, Response, get
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from msgspec import Struct

from router.admin.api.problems import ApiError
from router.admin.handed import TextInPath, TheSite
from router.admin.identity import NotAllowed
from router.admin.live import LiveView
from router.admin.pages.front import Front, TheFront, TheVisit, Visit
from router.admin.pages.reading import AnyRequest, watcher_of
from router.admin.pages.rendering import Reader
from router.admin.pages.streams import BEAT_SECONDS, CHECK_SECONDS, TICK_SECONDS
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission
from router.records.errors import NotFound, RecordsError
from router.store.errors import StoreError

CALLS, BEAT, AWAY, ENDED = "calls", "beat", "away", "ended"
"""The events that `static/live.js` knows."""


class LivePages(Controller):
    include_in_schema = False

    @get("/t/{tenant:str}/live")
    async def tenant_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
        return await _page(site, visit, TenantId(tenant))

    @get("/live")
    async def provider_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_TENANTS, None)
        return await _page(site, visit, None)

    @get("/t/{tenant:str}/live/stream")
    async def tenant_stream(
        self, request: AnyRequest, site: TheSite, front: TheFront, tenant: TextInPath
    ) -> ServerSentEvent:
        return await _stream(request, site, front, TenantId(tenant))

    @get("/live/stream")
    async def provider_stream(self, request: AnyRequest, site: TheSite, front: TheFront) -> ServerSentEvent:
        return await _stream(request, site, front, None)


async def _page(site: Site, visit: Visit, tenant: TenantId | None) -> Response[Any]:
    try:
        view = await site.live.view(tenant)
    except StoreError:
        view = None
    return visit.answer("live.html", view=view, path="/live" if tenant is None else f"/t/{tenant}/live")


async def _stream(request: AnyRequest, site: Site, front: Front, tenant: TenantId | None) -> ServerSentEvent:
    reader = await watcher_of(request, front.authenticator)
    if reader is None:
        return ServerSentEvent(_ended())
    _require(reader, tenant)
    if front.streams.is_full:
        raise ApiError(503, "too-many-streams", "too many pages are open here at this moment")
    return ServerSentEvent(_Watch(request, site, front, tenant, reader).events())


async def _ended() -> AsyncIterator[ServerSentEventMessage]:
    """A refusal would tell a page nothing: browsers keep its status to themselves."""
    yield ServerSentEventMessage("", event=ENDED)


def _require(reader: Reader, tenant: TenantId | None) -> None:
    """Raises NotFound, NotAllowed."""
    if reader.identity is None:
        raise AssertionError("a reader that is signed in is somebody")
    reader.identity.require(Permission.MANAGE_TENANTS if tenant is None else Permission.SEE, tenant)


class _Watch(Struct):
    """One open page."""

    request: AnyRequest
    site: Site
    front: Front
    tenant: TenantId | None
    reader: Reader
    shown: tuple[Any, ...] | None = None
    told_at: float = 0.0

    async def events(self) -> AsyncIterator[ServerSentEventMessage]:
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        with self.front.streams.opened():
            while True:
                if loop.time() - checked_at >= CHECK_SECONDS:
                    if not await self._may_go_on():
                        yield ServerSentEventMessage("", event=ENDED)
                        return
                    checked_at = loop.time()
                message = await self._news(loop.time())
                if message is not None:
                    yield message
                if await self.front.streams.wait(TICK_SECONDS):
                    return

    async def _news(self, now: float) -> ServerSentEventMessage | None:
        try:
            view = await self.site.live.view(self.tenant)
        except StoreError:
            self.shown = None
            return self._beat(now, AWAY)
        marks = _marks(view)
        if marks == self.shown:
            return self._beat(now, BEAT)
        self.shown, self.told_at = marks, now
        whose = self.tenant or "", self.reader.language.code
        text = self.front.streams.drawn(whose, view.number, lambda: self._draw(view))
        return ServerSentEventMessage(text, event=CALLS)

    def _draw(self, view: LiveView) -> str:
        return self.front.pages.fragment("live-calls.html", self.reader, view=view)

    def _beat(self, now: float, event: str) -> ServerSentEventMessage | None:
        if now - self.told_at < BEAT_SECONDS:
            return None
        self.told_at = now
        return ServerSentEventMessage("", event=event)

    async def _may_go_on(self) -> bool:
        """Whether the session is open, and its user may still see this."""
        try:
            reader = await watcher_of(self.request, self.front.authenticator)
            if reader is not None:
                _require(reader, self.tenant)
        except (RecordsError, NotAllowed, NotFound):
            return False
        return reader is not None


def _marks(view: LiveView) -> tuple[Any, ...]:
    """What a page shows, but for the ages, which it counts by itself."""
    parked = tuple((call.server, call.call, call.parking, call.is_greeted) for call in view.parked.calls)
    return view.parked.count, parked, view.decided.count, tuple(call.key for call in view.decided.calls)
