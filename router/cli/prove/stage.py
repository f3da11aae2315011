"""Placing test calls on one server and hearing what becomes of them, until the last one is over."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from random import SystemRandom
from typing import Any

from router.ami.inspection import Headers, Inspection
from router.cli.prove.account import Unfit
from router.cli.prove.ledger import NUMBER_DIGITS, Ledger, PlacedCall
from router.cli.prove.rivals import NOWHERE, Rival
from router.cli.prove.scenarios import Deed, Scenario
from router.core.test_calls import TEST_PLACE

CALLER = '"crmroute test" <5550100>'
CALLER_SECONDS = 40.0
"""A caller hangs up after that, whatever happens: longer than any HOLD and GRACE."""
HEARD_SECONDS = 5.0
"""Within which a call that was placed is parked."""
LAST_SECONDS = 3.0
"""Behind the longest wait, for the call to end and its last event to come."""
RACE_SECONDS = (-0.03, 0.015)
"""Around the end of HOLD, when rivals claim."""

_random = SystemRandom()


class Stage:
    """Built first, for `hear` is what the session is opened with."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.on_entered: Callable[[str], object] = lambda _number: None
        """Told each call's number before the call is placed."""
        self._run = str(_random.randrange(10**5, 10**6))
        self._placed = 0
        self._deeds: dict[str, Callable[[PlacedCall], Coroutine[Any, Any, None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()

    def hear(self, headers: Headers) -> None:
        parked = self.ledger.hear(headers, time.time())
        if parked is not None and (deed := self._deeds.pop(parked.number, None)) is not None:
            task = asyncio.create_task(deed(parked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._stirred.set()

    async def play(
        self, inspection: Inspection, scenario: Scenario, rivals: Sequence[Rival], hold_seconds: float
    ) -> list[PlacedCall]:
        """Place the scenario's calls; `hold_seconds` only for callers who hang up. Raises Unfit, AmiError."""
        calls = [self._enter(at) for at in range(scenario.calls)]
        for call in calls:
            if (deed := _deed(scenario.deed, rivals)) is not None:
                self._deeds[call.number] = deed
        stays = [_stay(scenario, hold_seconds) for _ in calls]
        placing = [self._place(inspection, scenario.context, *one) for one in zip(calls, stays, strict=True)]
        await asyncio.gather(*placing)
        return calls

    async def wait_parked(self, calls: Sequence[PlacedCall]) -> bool:
        """Whether all of them were, in time."""
        return await self._until(lambda: all(call.is_parked for call in calls), HEARD_SECONDS)

    async def wait_over(self, calls: Sequence[PlacedCall], grace_seconds: float) -> None:
        await self.wait_parked(calls)
        parked = [call for call in calls if call.is_parked]
        longest = max((call.hold_seconds for call in parked), default=0.0) + grace_seconds
        await self._until(lambda: all(call.is_over for call in parked), longest + LAST_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)

    def _enter(self, at: int) -> PlacedCall:
        """The last two digits are the call's place within its scenario: they choose a hostile caller."""
        self._placed += 1
        digits = NUMBER_DIGITS - len(self._run) - 2
        number = f"{self._run}{self._placed:0{digits}d}{at % 100:02d}"
        self.on_entered(number)
        return self.ledger.enter(number)

    async def _place(self, inspection: Inspection, context: str, call: PlacedCall, stay: float) -> None:
        reply = await inspection.ask(
            "Originate",
            Channel=f"Local/{call.number}@{context}/n",
            Application="Wait",
            Data=f"{stay:.2f}",
            CallerID=CALLER,
            Timeout=str(int(stay * 1000)),
            Async="true",
        )
        if not reply.is_success:
            raise Unfit(f"Asterisk refuses to place a call: {reply.message}", "Asterisk's log tells why.")

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not is_so():
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            return False
        return True


def _stay(scenario: Scenario, hold_seconds: float) -> float:
    """Seconds after which the caller hangs up."""
    if scenario.deed is not Deed.HANG_UP:
        return CALLER_SECONDS
    return _random.uniform(0.1 * hold_seconds, 0.8 * hold_seconds)


def _deed(deed: Deed, rivals: Sequence[Rival]) -> Callable[[PlacedCall], Coroutine[Any, Any, None]] | None:
    async def leave_claimed(call: PlacedCall) -> None:
        await rivals[0].claim(call)

    async def mislead(call: PlacedCall) -> None:
        await rivals[0].claim_and_move(call, NOWHERE)

    async def race(call: PlacedCall) -> None:
        await asyncio.gather(*(_claim_late(rival, call) for rival in rivals))

    return {Deed.CLAIM: leave_claimed, Deed.MISLEAD: mislead, Deed.RACE: race}.get(deed)


async def _claim_late(rival: Rival, call: PlacedCall) -> None:
    await asyncio.sleep(max(0.0, call.hold_seconds + _random.uniform(*RACE_SECONDS)))
    await rival.claim_and_move(call, str(TEST_PLACE))
