"""One inbox and one task for each parked call.

Events of a call are handled in order by its own task, so its state needs no lock; calls run side by side. An
action that must be waited for (a claim, a Redirect, a question to the store) is waited for inside the task,
each with a limit of its own, and its result is the call's next event. An inbox goes away when its call has
ended for us.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

from router.core.actions import Action, StartTimer
from router.core.calls import Call, CallState, Moment
from router.core.decide import Decided, Limits, decide
from router.core.events import (
    AsteriskEvent,
    CallParked,
    CallTaken,
    CallVanished,
    ClaimAnswered,
    Event,
    LeaseGained,
    TimerEnded,
)
from router.core.identities import ServerName, TenantId, Uniqueid
from router.core.leases import Duty

log = structlog.get_logger(__name__)

InboxKey = tuple[ServerName, Uniqueid]
_AT_REST = frozenset({CallState.WATCHING, CallState.ASKING})


class Performer(Protocol):
    """Does one action of a call; returns the event that it results in, if any."""

    async def perform(self, inbox: "Inbox", action: Action) -> Event | None: ...


class Standing(Protocol):
    """How this router stands beside others that hear the same servers; `router.engine.lease_keeper` knows."""

    def duty(self, server: ServerName) -> Duty:
        """What a call that is parked on this server at this moment begins with."""

    def leaves(self, server: ServerName) -> bool:
        """Whether a call of this server, whose question could not be put, is left to other routers."""

    def was_left(self, server: ServerName, *, by_another: bool) -> None:
        """A call that was left has been taken: by another router, or at its last moment by this one."""


class Inbox:
    """The waiting events of one call, and the task that handles them."""

    def __init__(
        self,
        key: InboxKey,
        tenant: TenantId,
        token: str,
        link_number: int,
        performer: Performer,
        limits: Limits,
        now: Callable[[], Moment],
        leases: Standing,
        on_ended: "Callable[[Inbox], None]",
    ) -> None:
        self.key = key
        self.tenant = tenant
        self.token = token
        self.link_number = link_number
        """Which connection to the server the call was heard on: a resync of a later one may miss it."""
        self._performer = performer
        self._limits = limits
        self._now = now
        self._leases = leases
        self._on_ended = on_ended
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._task: asyncio.Task[None] | None = None
        self.call: Call | None = None
        self.is_void = False
        """Asterisk restarted, or the call left unseen: nothing is sent, for its name may be a stranger's."""
        self.is_at_rest = asyncio.Event()
        """A router that stops need not wait for it: it has ended for us, is watched, or hears a greeting."""

    def token_of(self, parking: int) -> str:
        """What a worker's answer carries back; `Engine.answer` reads it."""
        return f"{self.token}.{parking}"

    def is_waiting_for(self, parking: int) -> bool:
        """Whether an answer of this parking may still decide the call."""
        return self.call is not None and self.call.parking == parking and self.call.state is CallState.PARKED

    def begin(self, decided: Decided) -> None:
        """Start the task with the call as `park` made it and its first actions."""
        self.call, actions = decided
        self._note_rest()
        self._task = asyncio.create_task(self._run(actions), name=f"call {self.key[1]}")

    def entrust(self) -> None:
        """This router has got the lease of the call's server; a call that it only watched is its own now."""
        if self.call is not None and self.call.state is CallState.WATCHING:
            self.put(LeaseGained(self.call.parking))

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._arrived.set()

    def unread(self) -> list[AsteriskEvent]:
        """News of Asterisk that arrived behind the end of the call; none of a call of before a restart."""
        return [] if self.is_void else [event for event in self._events if isinstance(event, AsteriskEvent)]

    def vanish(self) -> None:
        """Send nothing more for this call, whatever news of it is still waiting."""
        self.is_void = True
        self._events.appendleft(CallVanished())
        self._arrived.set()

    async def _run(self, actions: list[Action]) -> None:
        try:
            await self._perform(actions)
            while self.call is not None and not self.call.is_ended:
                await self._handle(await self._next())
        except Exception:
            # The top of an inbox: the call takes its armed fallback when HOLD runs out.
            log.exception("call.failed", server=self.key[0], uniqueid=self.key[1])
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self.is_at_rest.set()
            self._on_ended(self)

    async def _next(self) -> Event:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    async def _handle(self, event: Event) -> None:
        if self.call is None:
            return
        before, duty = self.call, self._leases.duty(self.key[0])
        self.call, actions = decide(before, event, self._now(), self._limits, duty)
        self._note_left(before, event)
        if self.call.is_ended and isinstance(event, CallParked):
            self._events.appendleft(event)  # it ended this call as the first news of another
        await self._perform(actions)
        self._note_rest()

    def _note_left(self, before: Call, event: Event) -> None:
        """Who took a call that was left to other routers says whether there are any."""
        if not before.unasked or before.is_ended:
            return
        if isinstance(event, CallTaken) and not before.won_claim:
            self._leases.was_left(self.key[0], by_another=True)
        elif isinstance(event, ClaimAnswered) and event.is_won:
            self._leases.was_left(self.key[0], by_another=False)

    def _note_rest(self) -> None:
        if self.call is not None and self.call.state in _AT_REST:
            self.is_at_rest.set()
        else:
            self.is_at_rest.clear()

    async def _perform(self, actions: list[Action]) -> None:
        """Do the actions in order; what they result in is decided on before anything that waits."""
        for action in actions:
            if isinstance(action, StartTimer):
                self._start_timer(action)
                continue
            result = await self._performer.perform(self, action)
            if result is not None:
                await self._handle(result)

    def _start_timer(self, action: StartTimer) -> None:
        if self.call is None:
            return
        former = self._timers.pop(action.timer, None)
        if former is not None:
            former.cancel()
        event = TimerEnded(self.call.parking, action.timer)
        loop = asyncio.get_running_loop()
        self._timers[action.timer] = loop.call_later(action.seconds, self.put, event)
