"""A site in one process: routers, Asterisk servers that a test speaks for, one store, a CRM and a worker."""

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any

from router.ami.fake import FakeLink
from router.ami.seam import ServerNews
from router.core.calls import Moment
from router.core.decisions import Decision
from router.core.events import AsteriskEvent, CallParked, CallTaken
from router.core.identities import RouterName, ServerName
from router.core.lookups import Answer
from router.core.plans import Plans, TenantPlan
from router.core.rules import Outcome
from router.engine.call_logger import CallLogger
from router.engine.engine import Engine
from router.engine.recorder import Recorder
from router.store.memory import MemoryStore
from router.store.seams import TakenJob
from tests.core.makers import LIMITS, NOON, SERVER, found


class Site:
    """Its Asterisk servers are up at once. `run` lets things happen; nothing else takes time but the CRM."""

    def __init__(
        self,
        *plans: TenantPlan,
        routers: int = 1,
        servers: Sequence[ServerName] = (SERVER,),
        link: FakeLink | None = None,
    ) -> None:
        self.store = MemoryStore()
        self.plans = Plans(plans)
        self.crm: dict[str, Answer] = {"+41791234567": found()}
        """By the number or the digits; the CRM knows nobody else."""
        self.crm_seconds = 0.1
        self.questions: list[str] = []
        """What the CRM was asked, in order."""
        links = [link] if link else [FakeLink(name) for name in servers]
        self.links = {link.name: link for link in links}
        self.recorder = Recorder(self.store.decisions)
        names = [RouterName(f"router-{number}") for number in range(1, routers + 1)]
        self.call_loggers = {name: CallLogger(self.store.open_calls, self.plans) for name in names}
        self.engines = {name: self._engine(name) for name in names}
        for each in self.links.values():
            each.on_news = self._on_news
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def engine(self) -> Engine:
        return next(iter(self.engines.values()))

    @property
    def link(self) -> FakeLink:
        return next(iter(self.links.values()))

    async def __aenter__(self) -> "Site":
        for name, engine in self.engines.items():
            self._start(self._hear_answers(name, engine))
        for call_logger in self.call_loggers.values():
            self._start(call_logger.run())
        self._start(self._work())
        self._start(self.recorder.run())
        await self.run()
        for link in self.links.values():
            link.come_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks + call_tasks():
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run(self, seconds: float = 0.01) -> None:
        await asyncio.sleep(seconds)

    def tell(self, event: CallParked, news: AsteriskEvent) -> None:
        """News of a call from its own server."""
        self.links[event.server].say(event.uniqueid, news)

    def land(self, event: CallParked) -> None:
        """Asterisk says that the call reached where it was moved to."""
        moved = next(
            moved for moved in reversed(self.links[event.server].moved) if moved.channel == event.channel
        )
        place = dict(moved.variables)["ROUTE_TO"].replace(",", "/")
        self.tell(event, CallTaken(event.parking, place))

    def places(self, server: ServerName = SERVER) -> list[str]:
        """Where calls were moved to, in order."""
        return [dict(moved.variables).get("ROUTE_TO", "greeting") for moved in self.links[server].moved]

    async def decisions(self) -> list[Decision]:
        """What was recorded, oldest first."""
        await self.run()
        return list(reversed(await self.store.decisions.latest(1_000)))

    def _engine(self, name: RouterName) -> Engine:
        return Engine(
            name,
            self.links,
            self.store.lookups,
            self.recorder,
            self.call_loggers[name],
            self.plans,
            LIMITS,
            self._now,
        )

    def _now(self) -> Moment:
        seconds = asyncio.get_running_loop().time()
        return Moment(seconds, NOON + seconds)

    def _on_news(self, news: ServerNews) -> None:
        for engine in self.engines.values():
            engine.on_news(news)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _hear_answers(self, router: RouterName, engine: Engine) -> None:
        async for token, answer in self.store.answers(router).read():
            engine.on_answer(token, answer)

    async def _work(self) -> None:
        while True:
            for taken in await self.store.jobs.take(100):
                self._start(self._answer(taken))

    async def _answer(self, taken: TakenJob) -> None:
        self.questions.append(taken.job.key.subject)
        await asyncio.sleep(self.crm_seconds)
        answer = self.crm.get(taken.job.key.subject, Answer(Outcome.NOT_FOUND))
        await self.store.jobs.settle(taken, answer)


def call_tasks() -> list[asyncio.Task[Any]]:
    """The tasks of calls that have not ended."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("call ")]
