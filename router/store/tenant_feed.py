"""The tenants in force as the board of published plans has them; `TenantFiles` is its counterpart for files.

A board that is not filled (a new Redis, or one that was emptied) says nothing of tenants that are not on it:
those in hand stay in force. So does a tenant whose plan cannot be read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

from router.core.identities import TenantId
from router.core.tenants import Tenant
from router.settings.tenant_files import Changes
from router.store.errors import StoreError
from router.store.plan_seam import PlanBoard, PublishedPlan

log = structlog.get_logger(__name__)

LOAD_SECONDS = 5.0
"""How long a process that starts waits for its tenants before it goes on without them."""
LOAD_PAUSE_SECONDS = 0.2


class TenantFeed:
    def __init__(self, board: PlanBoard) -> None:
        self._board = board
        self._tenants: dict[TenantId, Tenant] = {}
        self._numbers: dict[TenantId, int] = {}

    def tenant(self, tenant_id: TenantId) -> Tenant | None:
        return self._tenants.get(tenant_id)

    def tenants(self) -> Mapping[TenantId, Tenant]:
        return MappingProxyType(self._tenants)

    async def load(self, seconds: float = LOAD_SECONDS) -> bool:
        """Read them all, as soon as the board is filled; False when it was not in this time."""
        deadline_at = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                if (await self._board.numbers()).mark:
                    await self._look(None)
                    return True
                problem = "no plans are published there yet"
            except StoreError as error:
                problem = str(error)
            if asyncio.get_running_loop().time() > deadline_at:
                log.warning("tenants.awaited", problem=problem[:256])
                return False
            await asyncio.sleep(LOAD_PAUSE_SECONDS)

    async def watch(self, on_changes: Callable[[Changes], Awaitable[None]]) -> None:
        """Follow the board until cancelled; tell of every change."""
        async for names in self._board.news():
            try:
                changes = await self._look(names)
            except StoreError as error:
                log.warning("tenants.store_failing", problem=str(error)[:256])
                continue
            if changes:
                await on_changes(changes)

    async def _look(self, names: frozenset[TenantId] | None) -> Changes:
        """At these tenants, or at all."""
        gone: list[TenantId] = []
        if names is None:
            found = await self._board.numbers()
            names = frozenset(
                tenant for tenant, number in found.numbers.items() if self._numbers.get(tenant) != number
            )
            if found.mark:
                gone = [tenant for tenant in self._tenants if tenant not in found.numbers]
        plans = await self._board.fetch(sorted(names))
        for tenant in gone:
            self._tenants.pop(tenant)
            self._numbers.pop(tenant, None)
        return self._apply(plans, gone)

    def _apply(self, plans: list[PublishedPlan], gone: list[TenantId]) -> Changes:
        added: list[Tenant] = []
        changed: list[Tenant] = []
        removed = list(gone)
        for plan in plans:
            former = self._tenants.get(plan.tenant)
            self._numbers[plan.tenant] = plan.number
            if plan.document is None:
                if former is not None:
                    del self._tenants[plan.tenant]
                    removed.append(plan.tenant)
            elif plan.document != former:
                self._tenants[plan.tenant] = plan.document
                (added if former is None else changed).append(plan.document)
        return Changes(tuple(added), tuple(changed), tuple(removed))
