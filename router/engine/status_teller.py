"""Telling the administration how this router fares, once a second and off the calls' path.

What cannot be told while the store is away is left out: the next status replaces it anyway.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from router.ami.seam import LinkDown, LinkUp, ServerNews
from router.core.calls import Call, Moment
from router.core.identities import RouterName, ServerName
from router.core.parked_lists import ParkedTally
from router.core.statuses import RouterStatus, ServerStatus
from router.settings.trouble import Trouble
from router.store.errors import StoreError
from router.store.status_seam import StatusBoard

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
COUNTED_TOGETHER = 200
"""Calls counted between two looks at everything else that the process has to do."""
PROBLEM_MOST = 300


class _Link(Struct, frozen=True):
    """The connection to one server; `since` is a monotonic second."""

    since: float
    is_connected: bool = False
    problem: str = ""
    version: str = ""
    warning: str = ""


class StatusTeller:
    """`on_news` is called in the event loop for all that a link tells, and returns at once."""

    def __init__(
        self,
        router: RouterName,
        version: str,
        servers: Iterable[ServerName],
        calls: Callable[[], Sequence[Call]],
        board: StatusBoard,
        now: Callable[[], Moment],
    ) -> None:
        self._router = router
        self._version = version
        self._calls = calls
        self._board = board
        self._now = now
        self._began_at = now().monotonic
        self._links = {server: _Link(self._began_at) for server in servers}
        self._is_stopping = False
        self._store = Trouble(log, "status.untold", "status.told", (StoreError,))

    def on_news(self, news: ServerNews) -> None:
        link = self._links.get(news.server)
        if link is None:
            return
        now = self._now().monotonic
        match news:
            case LinkUp():
                self._links[news.server] = _Link(now, True, "", news.version, news.warning)
            case LinkDown():
                since = now if link.is_connected else link.since
                problem = news.problem[:PROBLEM_MOST]
                self._links[news.server] = replace(link, since=since, is_connected=False, problem=problem)

    async def run(self) -> None:
        """Tell for ever; ends by cancellation."""
        while True:
            await self._tell()
            await asyncio.sleep(EVERY_SECONDS)

    def stop(self) -> None:
        """From here on it is told that this router takes no new calls."""
        self._is_stopping = True

    async def finish(self, seconds: float) -> None:
        """The router has stopped as it should, and nobody need miss it."""
        try:
            async with asyncio.timeout(seconds):
                await self._board.remove(self._router, self._links)
        except (StoreError, TimeoutError) as error:
            log.info("status.left", problem=str(error) or "no time left")

    async def status(self) -> RouterStatus:
        now = self._now().monotonic
        tally = ParkedTally(now)
        calls = self._calls()
        for at in range(0, len(calls), COUNTED_TOGETHER):
            tally.add(calls[at : at + COUNTED_TOGETHER])
            await asyncio.sleep(0)
        return RouterStatus(
            router=self._router,
            version=self._version,
            up_seconds=now - self._began_at,
            is_stopping=self._is_stopping,
            servers=tuple(_server(name, link, tally, now) for name, link in self._links.items()),
            parked=tally.calls,
        )

    async def _tell(self) -> None:
        try:
            await self._board.put(await self.status())
        except StoreError as error:
            self._store.failed(error)
        else:
            self._store.worked()


def _server(name: ServerName, link: _Link, tally: ParkedTally, now: float) -> ServerStatus:
    return ServerStatus(
        server=name,
        is_connected=link.is_connected,
        since_seconds=max(0.0, now - link.since),
        problem=link.problem,
        version=link.version,
        warning=link.warning,
        parked=tally.count(name),
        parked_of=tally.counts(name),
    )
