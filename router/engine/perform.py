"""Doing what the core asks: over AMI, in the store, on the decision stream and the CRM's call log.

Nothing here decides. Each action that has a result gives it back as the call's next event.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from router.ami.seam import AsteriskLink
from router.core import actions, events
from router.core.actions import Action
from router.core.calls import Call, Moment
from router.core.decisions import Decision
from router.core.events import Event
from router.core.identities import RouterName, ServerName
from router.core.lookups import Waiter
from router.engine.call_logger import CallLogger
from router.engine.inboxes import Inbox
from router.engine.recorder import Recorder
from router.store.errors import StoreError, StoreUnavailable
from router.store.seams import LookupQueue


class Performance:
    """The hands of every inbox of one router."""

    def __init__(
        self,
        router: RouterName,
        links: Mapping[ServerName, AsteriskLink],
        queue: LookupQueue,
        recorder: Recorder,
        call_logger: CallLogger,
        now: Callable[[], Moment],
        leaves: Callable[[ServerName], bool],
    ) -> None:
        self._router = router
        self._links = links
        self._queue = queue
        self._recorder = recorder
        self._call_logger = call_logger
        self._now = now
        self._leaves = leaves

    async def perform(self, inbox: Inbox, action: Action) -> Event | None:
        call = inbox.call
        if call is None or (inbox.is_void and not isinstance(action, actions.Report)):
            return None
        match action:
            case actions.ArmFallback():
                self._arm(call, action)
            case actions.StartLookup():
                return await self._ask(inbox, call, action)
            case actions.Claim():
                return await self._claim(call)
            case actions.Move():
                return await self._move(call, action)
            case actions.Report():
                _later(action.delay_seconds, partial(self._report, call, action.decision))
            case actions.CloseCall():
                ended_at = self._now().epoch
                close = partial(self._call_logger.end, call.parked.uniqueid, action.summary, ended_at)
                _later(action.delay_seconds, close)
            case actions.StartTimer():
                raise AssertionError("timers belong to the inbox")
        return None

    def _arm(self, call: Call, action: actions.ArmFallback) -> None:
        variables = [("ROUTE_FALLBACK", str(action.fallback)), ("ROUTE_FALLBACK_OPTION", action.option)]
        self._link(call).arm(call.parked.channel, variables)

    async def _ask(self, inbox: Inbox, call: Call, action: actions.StartLookup) -> Event:
        try:
            asked = await self._queue.ask(action.job, Waiter(self._router, inbox.token_of(call.parking)))
        except StoreUnavailable as error:
            # A call that is left already stays so, whatever came of others meanwhile.
            is_left = bool(call.unasked) or self._leaves(call.parked.server)
            return events.LookupUnavailable(call.parking, str(error), is_left)
        except StoreError as error:
            return events.LookupUnavailable(call.parking, str(error))
        return events.LookupAnswered(call.parking, asked)

    async def _claim(self, call: Call) -> Event:
        answer = await self._link(call).claim(call.parked.channel, call.parking)
        return events.ClaimAnswered(call.parking, answer.is_won, answer.problem)

    async def _move(self, call: Call, action: actions.Move) -> Event:
        answer = await self._link(call).move(
            call.parked.channel, call.parking, action.variables, action.place
        )
        return events.MoveAnswered(call.parking, answer.is_accepted, answer.problem)

    def _report(self, call: Call, decision: Decision) -> None:
        self._recorder.put(decision, is_only_witness=call.won_claim)
        self._call_logger.put(call, decision)

    def _link(self, call: Call) -> AsteriskLink:
        return self._links[call.parked.server]


def _later(seconds: float, do: Callable[[], None]) -> None:
    """Off the call's path and its life; what a router that stops has not done, the call's own router did."""
    if seconds:
        asyncio.get_running_loop().call_later(seconds, do)
    else:
        do()
