"""The decision stream in one process' memory: the twin of `router.store.decision_stream`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from router.core.decisions import Decision
from router.store.seams import DecisionPage, RecentDecisions


class MemoryDecisionStream:
    def __init__(self, check: Callable[[], None], kept: int) -> None:
        self._check = check
        self._kept: deque[tuple[str, Decision]] = deque(maxlen=kept)
        self._times: deque[float] = deque(maxlen=kept)
        self._recorded = 0
        self._seen: set[tuple[str, str, int]] = set()
        self._followers: list[asyncio.Queue[Decision]] = []

    def forget(self) -> None:
        self._kept.clear()
        self._times.clear()
        self._seen.clear()

    async def record(self, decision: Decision, is_only_witness: bool) -> None:
        self._check()
        parking = (decision.server, decision.call_id, decision.parking)
        if not is_only_witness and parking in self._seen:
            return
        self._seen.add(parking)
        self._recorded += 1
        self._kept.append((f"{self._recorded}-0", decision))
        self._times.append(_now())
        for follower in self._followers:
            follower.put_nowait(decision)

    async def latest(self, most: int) -> list[Decision]:
        self._check()
        return [decision for _, decision in reversed(self._kept)][:most]

    async def after(self, last_id: str, most: int) -> DecisionPage:
        self._check()
        ids = [entry_id for entry_id, _ in self._kept]
        is_gone = bool(last_id) and last_id not in ids
        start = 0 if is_gone or not last_id else ids.index(last_id) + 1
        page = list(self._kept)[start : start + most]
        rest = "" if is_gone else last_id
        return DecisionPage(tuple(decision for _, decision in page), page[-1][0] if page else rest, is_gone)

    async def recent(self, last_id: str, seconds: float, most: int) -> RecentDecisions:
        self._check()
        ids = [entry_id for entry_id, _ in self._kept]
        start = ids.index(last_id) + 1 if last_id in ids else 0
        now = _now()
        told = [
            (now - at, entry)
            for at, entry in list(zip(self._times, self._kept, strict=True))[start:]
            if now - at < seconds
        ][:most]
        rest = told[-1][1][0] if told else last_id
        aged = tuple((age, decision) for age, (_, decision) in told)
        return RecentDecisions(aged, rest, is_all=len(told) < most)

    def age(self, seconds: float) -> None:
        """Make everything recorded older."""
        self._times = deque((at - seconds for at in self._times), self._times.maxlen)

    async def follow(self) -> AsyncIterator[Decision]:
        inbox: asyncio.Queue[Decision] = asyncio.Queue()
        self._followers.append(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            self._followers.remove(inbox)

    async def find(self, call_id: str) -> list[Decision]:
        self._check()
        return [decision for _, decision in self._kept if decision.call_id == call_id]


def _now() -> float:
    return asyncio.get_running_loop().time()
