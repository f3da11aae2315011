"""A scripted Asterisk and a link to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from router.ami.link import AmiLink
from router.ami.seam import ParkedList
from router.core.identities import ServerName
from router.settings.model import AmiSettings, AsteriskServer
from tests.ami.scripted_server import ScriptedServer
from tests.ami.watching import NewsBook, Watch

SERVER = ServerName("pbx-a")
SECRET = "a secret that no log shows"


def ami_settings(**changes: float) -> AmiSettings:
    """Limits that no test reaches by accident; a test makes the one small that it is about."""
    settings: dict[str, float] = {
        "connect_seconds": 15.0,
        "login_seconds": 15.0,
        "claim_seconds": 15.0,
        "action_seconds": 15.0,
        "ping_every_seconds": 1000.0,
        "ping_seconds": 15.0,
        "pings_missed": 2,
        "reconnect_first_seconds": 0.001,
        "reconnect_most_seconds": 0.01,
        "refused_wait_seconds": 1000.0,
        "events_waiting": 100,
    }
    return AmiSettings(**(settings | changes))  # type: ignore[arg-type]


def asterisk_server(port: int) -> AsteriskServer:
    return AsteriskServer(name=SERVER, host="127.0.0.1", port=port, username="router-a", secret=SECRET)


class LinkRig:
    """One server, the link under test, its task and its news."""

    def __init__(self, server: ScriptedServer, watch: Watch) -> None:
        self.server = server
        self.watch = watch
        self.book = NewsBook(watch)
        self._link: AmiLink | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def link(self) -> AmiLink:
        assert self._link is not None
        return self._link

    def start(self, **limits: float) -> AmiLink:
        return self.start_with(asterisk_server(self.server.port), **limits)

    def start_with(self, server: AsteriskServer, **limits: float) -> AmiLink:
        self._link = AmiLink(server, ami_settings(**limits), self.book)
        self._task = asyncio.create_task(self._link.run())
        return self._link

    async def come_up(self, **limits: float) -> AmiLink:
        link = self.start(**limits)
        await self.book.until(ParkedList)
        return link

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


@pytest.fixture
async def rig() -> AsyncIterator[LinkRig]:
    watch = Watch()
    server = ScriptedServer(watch)
    await server.start()
    rig = LinkRig(server, watch)
    yield rig
    await rig.stop()
    await server.aclose()


@pytest.fixture
def server(rig: LinkRig) -> ScriptedServer:
    return rig.server
