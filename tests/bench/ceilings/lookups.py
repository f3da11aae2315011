"""Look-ups put into Redis as a router puts them, and counted as their answers come; no router takes part."""

import asyncio
import time
from dataclasses import dataclass, field

import uvloop

from router.core.identities import E164, IntegrationName, RouterName, TenantId, Uniqueid
from router.core.lookups import AskedBy, LookupJob, LookupKey, Waiter
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.core.tenants import CacheAges
from router.settings.model import RedisSettings
from router.store.redis_store import RedisStore

ROUTER = RouterName("bench")
BUDGET_SECONDS = 20.0


@dataclass
class Asked:
    """`answered_at`: when each answer came, in seconds since the first question."""

    found: int = 0
    other: int = 0
    answered_at: list[float] = field(default_factory=list)

    def per_second(self, since: float, until: float) -> float:
        return sum(since <= at < until for at in self.answered_at) / (until - since)


def ask(redis: RedisSettings, tenants: int, in_flight: int, *, count: int = 0, seconds: float = 0.0) -> Asked:
    """Ask of the tenants in turn, `in_flight` at a time, `count` times or for so many seconds."""
    return uvloop.run(_Asking(tenants, in_flight, count, seconds).run(redis))


class _Asking:
    def __init__(self, tenants: int, in_flight: int, count: int, seconds: float) -> None:
        self._tenants, self._in_flight, self._count, self._seconds = tenants, in_flight, count, seconds
        self._asked = 0
        self._result = Asked()
        self._room = asyncio.Semaphore(in_flight)

    async def run(self, redis: RedisSettings) -> Asked:
        store = RedisStore(redis)
        self._began = time.monotonic()
        reader = asyncio.create_task(self._read(store))
        questions: set[asyncio.Task[object]] = set()
        while not self._is_over():
            await self._room.acquire()
            number, self._asked = self._asked, self._asked + 1
            question = asyncio.create_task(store.lookups.ask(self._job(number), Waiter(ROUTER, str(number))))
            questions.add(question)
            question.add_done_callback(questions.discard)
        await asyncio.gather(*questions)
        for _ in range(self._in_flight):
            await self._room.acquire()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await store.aclose()
        return self._result

    def _is_over(self) -> bool:
        if self._count:
            return self._asked >= self._count
        return time.monotonic() - self._began >= self._seconds

    async def _read(self, store: RedisStore) -> None:
        async for _, answer in store.answers(ROUTER).read():
            if answer.outcome is Outcome.FOUND:
                self._result.found += 1
            else:
                self._result.other += 1
            self._result.answered_at.append(time.monotonic() - self._began)
            self._room.release()

    def _job(self, number: int) -> LookupJob:
        """A question that nobody has asked, of an integration that `write_tenant` has written."""
        caller = f"+336{10_000_000 + number:08d}"
        key = LookupKey(
            tenant=TenantId(f"bench{number % self._tenants}"),
            integration=IntegrationName("levels"),
            revision="bench",
            modules=(),
            fields=("status",),
            by=AskedBy.NUMBER,
            subject=caller,
        )
        ages = CacheAges(fresh_seconds=300, stale_seconds=300, absent_seconds=60)
        whose = Caller(caller, CallerKind.NUMBER, E164(caller))
        return LookupJob(key, whose, "+33142345000", "", Uniqueid(f"pbx-a-1.{number}"), BUDGET_SECONDS, ages)
