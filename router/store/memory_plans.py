"""The board of published plans in one process' memory: the twin of `router.store.plan_board` for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from router.core.identities import TenantId
from router.store.errors import StoreError
from router.store.plan_seam import PlanNumbers, PublishedPlan

PAUSE_SECONDS = 0.5


class MemoryPlanBoard:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._mark = ""
        self._plans: dict[TenantId, PublishedPlan] = {}
        self._readers: list[asyncio.Queue[TenantId]] = []

    def clear(self) -> None:
        """FLUSHALL."""
        self._mark = ""
        self._plans.clear()

    async def put(self, plan: PublishedPlan, replacing: int | None = None) -> bool:
        self._check()
        there = self._plans.get(plan.tenant)
        if replacing is not None:
            if there is None or there.number != replacing:
                return False
        elif there is not None and there.number >= plan.number:
            return False
        self._plans[plan.tenant] = plan
        for reader in self._readers:
            reader.put_nowait(plan.tenant)
        return True

    async def finish(self, mark: str) -> None:
        self._check()
        self._mark = self._mark or mark

    async def numbers(self) -> PlanNumbers:
        self._check()
        return PlanNumbers(self._mark, {tenant: plan.number for tenant, plan in self._plans.items()})

    async def fetch(self, tenants: Iterable[TenantId]) -> list[PublishedPlan]:
        self._check()
        return [self._plans[tenant] for tenant in tenants if tenant in self._plans]

    async def news(self) -> AsyncIterator[frozenset[TenantId] | None]:
        inbox: asyncio.Queue[TenantId] = asyncio.Queue()
        self._readers.append(inbox)
        is_lost = True
        try:
            while True:
                try:
                    self._check()
                    if is_lost:
                        is_lost = False
                        yield None
                    async with asyncio.timeout(PAUSE_SECONDS):
                        yield frozenset({await inbox.get()})
                except TimeoutError:
                    continue
                except StoreError:
                    is_lost = True
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._readers.remove(inbox)
