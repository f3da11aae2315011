"""The engine of one router: where a call enters, and which inbox its news goes to.

News from every Asterisk server and answers from every worker arrive here, in order, in one event loop. The
engine finds the call's inbox, or opens one for a call that is parked; where there is more than can be handled
at once, tenants take turns (`router.engine.turns`). What is decided is decided in `router.core`; what is done
is done in `router.engine.perform`.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from secrets import token_hex

import structlog
from msgspec import Struct
from msgspec.structs import replace

from router.ami.seam import (
    AsteriskLink,
    CallNews,
    LinkDown,
    LinkUp,
    ParkedList,
    ServerNews,
    ServerRestarted,
)
from router.core.calls import Call, CallState, Moment
from router.core.decide import Limits, park
from router.core.events import AsteriskEvent, CallerHungUp, CallParked, LookupAnswered
from router.core.identities import RouterName, ServerName, TenantId, Uniqueid
from router.core.lookups import Answer, Asked, CacheState
from router.core.plans import Plans, TenantPlan
from router.core.test_calls import PAUSED_TENANT, TEST_TENANT, plan_of_test_calls
from router.engine.call_logger import CallLogger
from router.engine.inboxes import Inbox, InboxKey, Standing
from router.engine.perform import Performance
from router.engine.recorder import Recorder
from router.engine.turns import Turns
from router.store.seams import LookupQueue

log = structlog.get_logger(__name__)


class Heard(Struct, frozen=True):
    """When a call's news was heard; it may wait for its turn since then."""

    link_number: int
    restarts: int
    monotonic: float


class Engine:
    """All calls of one router. Every method but `stop` is called in the event loop and returns at once."""

    def __init__(
        self,
        router: RouterName,
        links: Mapping[ServerName, AsteriskLink],
        queue: LookupQueue,
        recorder: Recorder,
        call_logger: CallLogger,
        plans: Plans,
        limits: Limits,
        now: Callable[[], Moment],
        leases: Standing,
    ) -> None:
        self._router = router
        self._plans = plans
        self._plan_of_test_calls = plan_of_test_calls()
        self._limits = limits
        self._now = now
        self._leases = leases
        self._call_logger = call_logger
        self._performance = Performance(router, links, queue, recorder, call_logger, now, leases.leaves)
        self._inboxes: dict[InboxKey, Inbox] = {}
        self._inboxes_by_token: dict[str, Inbox] = {}
        self._turns: Turns[TenantId] = Turns()
        self._arriving: dict[InboxKey, TenantId] = {}
        """Calls that were parked, and wait for their turn."""
        self._link_numbers: dict[ServerName, int] = {}
        self._restarts: dict[ServerName, int] = {}
        self._life = token_hex(4)  # answers asked for by a former life of this router are not ours
        self._tokens = 0
        self._is_stopping = False
        self.answers_late = 0
        """Answers that came when their call was decided already, or came twice."""

    @property
    def calls(self) -> list[Call]:
        return [inbox.call for inbox in self._inboxes.values() if inbox.call is not None]

    def on_news(self, news: ServerNews) -> None:
        """Take news from a link, in the order in which Asterisk told it."""
        match news:
            case CallNews():
                self._hear((news.server, news.uniqueid), news.event)
            case ParkedList():
                self._on_parked_list(news.server, news.calls)
            case LinkUp():
                self._link_numbers[news.server] = self._link_numbers.get(news.server, 0) + 1
                log.info("asterisk.connected", server=news.server, version=news.version)
            case LinkDown():
                # The calls stay: the dialplan has them, and the resync of the next connection tells who left.
                log.warning("asterisk.disconnected", server=news.server, problem=news.problem)
            case ServerRestarted():
                self._restarts[news.server] = self._restarts.get(news.server, 0) + 1
                self._vanish(news.server, lambda _inbox: True)
                log.warning("asterisk.restarted", server=news.server)

    def on_answer(self, token: str, answer: Answer) -> None:
        """Take a worker's answer. One that nobody waits for any more serves the next call from the cache."""
        base, _, parking = token.rpartition(".")
        inbox = self._inboxes_by_token.get(base)
        if inbox is None or not parking.isdecimal() or not inbox.is_waiting_for(int(parking)):
            self.answers_late += 1
            log.debug("answer.late", outcome=answer.outcome)
        if inbox is not None and parking.isdecimal():
            answered = LookupAnswered(int(parking), Asked(CacheState.MISSING, answer))
            self._turns.put(inbox.tenant, partial(inbox.put, answered))

    def on_lease(self, server: ServerName) -> None:
        """This router has got the server's lease: the calls that it only watched are its own from here on."""
        for inbox in self._inboxes.values():
            if inbox.key[0] == server:
                inbox.entrust()

    async def stop(self, seconds: float) -> None:
        """Take no new calls and finish those under way, as far as the time allows.

        Another router has the rest, those that were only watched here, and those that hear a greeting and
        will be parked again; without one the dialplan has them.
        """
        self._is_stopping = True
        try:
            async with asyncio.timeout(seconds):
                for inbox in list(self._inboxes.values()):
                    await inbox.is_at_rest.wait()
        except TimeoutError:
            left = sum(not inbox.is_at_rest.is_set() for inbox in self._inboxes.values())
            log.warning("engine.calls_left", calls=left)

    def _hear(self, key: InboxKey, event: AsteriskEvent) -> None:
        """Have it handled in its tenant's turn."""
        inbox = self._inboxes.get(key)
        if isinstance(event, CallParked):
            tenant = self._arriving[key] = event.tenant
        elif inbox is not None:
            tenant = inbox.tenant
        elif key in self._arriving:
            tenant = self._arriving[key]
        else:
            self._on_call_news(key, event)
            return
        server = key[0]
        number, restarts = self._link_numbers.get(server, 0), self._restarts.get(server, 0)
        heard = Heard(number, restarts, asyncio.get_running_loop().time())
        self._turns.put(tenant, partial(self._on_call_news, key, event, heard))

    def _on_call_news(self, key: InboxKey, event: AsteriskEvent, heard: Heard | None = None) -> None:
        if isinstance(event, CallParked):
            self._arriving.pop(key, None)
        if heard is not None and heard.restarts != self._restarts.get(key[0], 0):
            return  # of a life of Asterisk that is over: its channels' names may be others' by now
        inbox = self._inboxes.get(key)
        if inbox is not None:
            inbox.put(event)
        elif isinstance(event, CallParked):
            self._open(key, event, heard)
        elif isinstance(event, CallerHungUp) and event.summary is not None:
            # A call that has landed has no inbox any more, and may be of this router's former life.
            self._call_logger.end(key[1], event.summary, self._now().epoch)

    def _open(self, key: InboxKey, event: CallParked, heard: Heard | None) -> None:
        if self._is_stopping or event.tenant == PAUSED_TENANT:
            return
        if heard is not None:
            waited = asyncio.get_running_loop().time() - heard.monotonic
            event = replace(event, hold_seconds=max(event.hold_seconds - waited, 0.0)) if waited else event
        self._tokens += 1
        inbox = Inbox(
            key=key,
            tenant=event.tenant,
            token=f"{self._life}-{self._tokens}",
            link_number=heard.link_number if heard else self._link_numbers.get(key[0], 0),
            performer=self._performance,
            limits=self._limits,
            now=self._now,
            leases=self._leases,
            on_ended=self._close,
        )
        self._inboxes[key] = inbox
        self._inboxes_by_token[inbox.token] = inbox
        plan = self._plan(event.tenant)
        try:
            duty = self._leases.duty(key[0])
            inbox.begin(park(event, plan, self._now(), self._limits, self._router, duty))
        except Exception:
            # One tenant's configuration must not stop the news of the others; the dialplan has the caller.
            log.exception("call.failed", server=key[0], uniqueid=key[1], tenant=event.tenant)
            self._close(inbox)

    def _plan(self, tenant: TenantId) -> TenantPlan | None:
        return self._plan_of_test_calls if tenant == TEST_TENANT else self._plans.plan(tenant)

    def _close(self, inbox: Inbox) -> None:
        self._inboxes.pop(inbox.key, None)
        self._inboxes_by_token.pop(inbox.token, None)
        for event in inbox.unread():
            # A call that landed in an IVR may be parked again before its inbox saw the landing.
            self._on_call_news(inbox.key, event)

    def _on_parked_list(self, server: ServerName, parked: tuple[CallParked, ...]) -> None:
        """Resync after a connection: take up what is parked, let go of what left while the link was down."""
        listed: dict[Uniqueid, CallParked] = {event.uniqueid: event for event in parked}
        number = self._link_numbers.get(server, 0)

        def has_left(inbox: Inbox) -> bool:
            is_asking = inbox.call is not None and inbox.call.state is CallState.ASKING
            return inbox.link_number < number and inbox.key[1] not in listed and not is_asking

        self._vanish(server, has_left)
        for event in parked:
            self._hear((server, event.uniqueid), event)
        if parked:
            log.info("calls.resynced", server=server, calls=len(parked))

    def _vanish(self, server: ServerName, is_meant: Callable[[Inbox], bool]) -> None:
        for inbox in list(self._inboxes.values()):
            if inbox.key[0] == server and is_meant(inbox):
                inbox.vanish()
