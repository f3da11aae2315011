"""What tests do to a store from outside, in each of its forms, and the jobs and decisions they use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from router.core.allowances import Allowance
from router.core.decisions import Decision, Ending
from router.core.identities import ChannelName, IntegrationName, RouterName, ServerName, TenantId, Uniqueid
from router.core.lookups import Answer, AskedBy, LookupJob, LookupKey, Record, Waiter
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.core.tenants import CacheAges
from router.store.memory import MemoryStore
from router.store.redis_store import RedisStore
from router.store.seams import Answers, Store, TakenJob
from tests.store.servers import Server

ROUTER = RouterName("router-1")
FOUND = Answer(Outcome.FOUND, (Record({"status": "gold", "tags": ["a", 1, None], "owed": 1.5}, id="7"),))
NOT_FOUND = Answer(Outcome.NOT_FOUND)
AGES = CacheAges(fresh_seconds=100, stale_seconds=1000, absent_seconds=50)
CRM_ERROR = Answer(Outcome.CRM_ERROR, problem="the CRM said 500")


class Rig(Protocol):
    store: Store

    async def age(self, job: LookupJob, seconds: float) -> None:
        """Make the cached answer older."""

    async def is_cached(self, job: LookupJob) -> bool: ...

    async def jobs_left(self, tenant: str) -> int:
        """Jobs of a tenant, taken or not."""

    async def forget(self) -> None:
        """FLUSHALL."""


class MemoryRig:
    def __init__(self, store: MemoryStore) -> None:
        self.memory = store
        self.store: Store = store

    async def age(self, job: LookupJob, seconds: float) -> None:
        self.memory.cache[job.key].written_at -= seconds

    async def is_cached(self, job: LookupJob) -> bool:
        return job.key in self.memory.cache

    async def jobs_left(self, tenant: str) -> int:
        return self.memory.lanes.queued(TenantId(tenant))

    async def forget(self) -> None:
        self.memory.forget()


class RedisRig:
    def __init__(self, store: RedisStore, servers: list[Server]) -> None:
        self.redis = store
        self.store: Store = store
        self._servers = servers

    async def age(self, job: LookupJob, seconds: float) -> None:
        key = self.cache_key(job)
        left = await self.redis._batcher.call(key, "PTTL", key)
        await self.redis._batcher.call(key, "PEXPIRE", key, left - round(seconds * 1000))

    async def is_cached(self, job: LookupJob) -> bool:
        key = self.cache_key(job)
        return bool(await self.redis._batcher.call(key, "EXISTS", key))

    async def jobs_left(self, tenant: str) -> int:
        key = self.redis._keys.queued(self.redis._keys.shard(TenantId(tenant)))
        return int(await self.redis._batcher.call(key, "HGET", key, tenant) or 0)

    async def forget(self) -> None:
        for server in self._servers:
            server.say(b"FLUSHALL\r\n")

    def cache_key(self, job: LookupJob) -> str:
        return self.redis._keys.cache(job.key.tenant, job.key.digest())


def a_job(
    number: str = "+33100000001",
    tenant: str = "acme",
    budget_seconds: float = 5.0,
    ages: CacheAges = AGES,
    call_id: str | None = None,
    integration: str = "crm",
    **allowance: Any,
) -> LookupJob:
    """`allowance`: fields of `Allowance`."""
    key = LookupKey(
        tenant=TenantId(tenant),
        integration=IntegrationName(integration),
        revision="r1",
        modules=("contacts",),
        fields=("status",),
        by=AskedBy.NUMBER,
        subject=number,
        call_id=call_id,
    )
    caller = Caller(number, CallerKind.NUMBER)
    allowed = Allowance(**allowance)
    return LookupJob(key, caller, "+33199", "", Uniqueid("pbx-1.1"), budget_seconds, ages, allowance=allowed)


def a_waiter(name: str = "t1", router: str = ROUTER) -> Waiter:
    return Waiter(RouterName(router), name)


def a_decision(call_id: str = "pbx-1.1", parking: int = 1, ending: Ending = Ending.TAKEN) -> Decision:
    return Decision(
        call_id=Uniqueid(call_id),
        linkedid=Uniqueid(call_id),
        parking=parking,
        server=ServerName("pbx"),
        channel=ChannelName("PJSIP/trunk-1"),
        router=ROUTER,
        tenant=TenantId("acme"),
        parked_at=1_700_000_000.5,
        called_received="0199",
        called="+33199",
        caller=Caller("0100000001", CallerKind.NUMBER),
        ending=ending,
        steps_ms={"asked": 1.5},
    )


async def take_all(store: Store, number: int, most: int = 50, seconds: float = 10.0) -> list[TakenJob]:
    """Take until that many jobs have come."""
    taken: list[TakenJob] = []
    async with asyncio.timeout(seconds):
        while len(taken) < number:
            taken += await store.jobs.take(most)
    return taken


@asynccontextmanager
async def reading(answers: Answers) -> AsyncIterator["asyncio.Queue[tuple[str, Answer]]"]:
    """A reader at work; what it reads."""
    inbox: asyncio.Queue[tuple[str, Answer]] = asyncio.Queue()

    async def read() -> None:
        async for answered in answers.read():
            inbox.put_nowait(answered)

    task = asyncio.create_task(read())
    try:
        yield inbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)
