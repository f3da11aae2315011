"""Asterisk servers: which routers reach each of them, and what to do where none does."""

from typing import Any

from litestar import Controller, Response, get

from router.admin.handed import TheSite
from router.admin.pages.front import TheVisit
from router.core.roles import Permission
from router.store.errors import StoreError


class ServerPages(Controller):
    include_in_schema = False

    @get("/servers")
    async def servers_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.SEE_SERVERS, None)
        try:
            seen = await site.live.servers()
        except StoreError:
            seen = None
        return visit.answer("servers.html", seen=seen)
