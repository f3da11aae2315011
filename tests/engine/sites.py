"""A site in one process: routers, Asterisk servers that a test speaks for, one store, a CRM and a worker."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from types import TracebackType
from typing import Any

from router.ami.fake import FakeLink
from router.ami.seam import ClaimAnswer, MoveAnswer, ServerNews
from router.core.calls import Moment
from router.core.decisions import Decision
from router.core.destinations import Destination
from router.core.events import AsteriskEvent, CallParked, CallTaken
from router.core.identities import ChannelName, RouterName, ServerName
from router.core.lookups import Answer, Asked, LookupJob, Waiter
from router.core.plans import Plans, TenantPlan
from router.core.rules import Outcome
from router.engine.call_logger import CallLogger
from router.engine.engine import Engine
from router.engine.lease_keeper import LeaseKeeper
from router.engine.recorder import Recorder
from router.store.errors import StoreError
from router.store.lease_seam import Kept, ServerLeases
from router.store.memory import MemoryStore
from router.store.seams import LookupQueue, TakenJob
from tests.core.makers import LIMITS, NOON, SERVER, found


class CountingLink:
    """One router's hand on a link that it shares: it counts what Asterisk is sent, as AMI actions."""

    def __init__(self, link: FakeLink) -> None:
        self._link = link
        self.actions = 0

    @property
    def name(self) -> ServerName:
        return self._link.name

    async def claim(self, channel: ChannelName, parking: int) -> ClaimAnswer:
        self.actions += 1
        return await self._link.claim(channel, parking)

    def arm(self, channel: ChannelName, variables: Sequence[tuple[str, str]]) -> None:
        self.actions += len(variables)
        self._link.arm(channel, variables)

    async def move(
        self, channel: ChannelName, parking: int, variables: Sequence[tuple[str, str]], place: Destination
    ) -> MoveAnswer:
        self.actions += len(variables) + 1
        return await self._link.move(channel, parking, variables, place)

    async def run(self) -> None:
        await self._link.run()


class CountingQueue:
    """One router's side of the look-ups: it counts the questions."""

    def __init__(self, queue: LookupQueue) -> None:
        self._queue = queue
        self.questions = 0
        self.outage: StoreError | None = None
        """Redis is away for this router alone."""

    async def ask(self, job: LookupJob, waiter: Waiter) -> Asked:
        self.questions += 1
        if self.outage is not None:
            raise self.outage
        return await self._queue.ask(job, waiter)


class CuttableLeases:
    """One router's side of the leases."""

    def __init__(self, leases: ServerLeases) -> None:
        self._leases = leases
        self.outage: StoreError | None = None
        """Redis is away for this router alone."""

    async def keep(self, router: RouterName, servers: Sequence[ServerName], seconds: float) -> Kept:
        if self.outage is not None:
            raise self.outage
        return await self._leases.keep(router, servers, seconds)

    async def give_up(self, router: RouterName, servers: Collection[ServerName]) -> None:
        if self.outage is not None:
            raise self.outage
        await self._leases.give_up(router, servers)


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
        self.hands = {
            name: {server: CountingLink(link) for server, link in self.links.items()} for name in names
        }
        """Each router's own view of the links, and what it sent over them."""
        self.queues = {name: CountingQueue(self.store.lookups) for name in names}
        self.lease_hands = {name: CuttableLeases(self.store.leases) for name in names}
        self.keepers = {name: self._keeper(name) for name in names}
        self.engines = {name: self._engine(name) for name in names}
        for each in self.links.values():
            each.on_news = self._on_news
        self._tasks: list[asyncio.Task[None]] = []
        self._keeping: dict[RouterName, asyncio.Task[None]] = {}
        self._deaf: set[RouterName] = set()

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
        for name, keeper in self.keepers.items():
            self._keeping[name] = asyncio.create_task(keeper.run())
            self._tasks.append(self._keeping[name])
        await self.run()
        for link in self.links.values():
            link.come_up()
        # The first router's question is put first, so that it has the leases.
        await self.run()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks + call_tasks():
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run(self, seconds: float = 0.01) -> None:
        await asyncio.sleep(seconds)

    def sent(self, router: RouterName) -> int:
        """AMI actions that a router sent."""
        return sum(link.actions for link in self.hands[router].values())

    def tell_router(self, router: RouterName, news: ServerNews) -> None:
        """News that this router alone hears."""
        self.keepers[router].on_news(news)
        self.engines[router].on_news(news)

    def kill(self, router: RouterName) -> None:
        """kill -9: it hears nothing, does nothing and renews nothing any more."""
        self._deaf.add(router)
        self._keeping[router].cancel()
        for inbox in self.engines[router]._inboxes.values():
            if inbox._task is not None:
                inbox._task.cancel()

    def revive(self, router: RouterName) -> None:
        """The same router's next life, by the same name; it has not connected yet."""
        self.keepers[router] = self._keeper(router)
        self.engines[router] = self._engine(router)
        self._keeping[router] = asyncio.create_task(self.keepers[router].run())
        self._tasks.append(self._keeping[router])
        self._deaf.discard(router)

    async def stop(self, router: RouterName, seconds: float = 60) -> None:
        """As a router process does on SIGTERM."""
        self._keeping[router].cancel()
        await self.keepers[router].give_up(1)
        await self.engines[router].stop(seconds)

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
            self.hands[name],
            self.queues[name],
            self.recorder,
            self.call_loggers[name],
            self.plans,
            LIMITS,
            self._now,
            self.keepers[name],
        )

    def _keeper(self, name: RouterName) -> LeaseKeeper:
        return LeaseKeeper(
            name, self.lease_hands[name], lambda server: self.engines[name].on_lease(server), self._now
        )

    def _now(self) -> Moment:
        seconds = asyncio.get_running_loop().time()
        return Moment(seconds, NOON + seconds)

    def _on_news(self, news: ServerNews) -> None:
        for name in self.engines:
            if name not in self._deaf:
                self.tell_router(name, news)

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
