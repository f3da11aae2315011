"""The board of published plans, as the rest of the program sees it: `router.store.seams` for tenants.

`router.store.plan_board` has it on Redis, `router.store.memory_plans` in memory.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from msgspec import Struct

from router.core.identities import TenantId
from router.core.tenants import Tenant


class PublishedPlan(Struct, frozen=True):
    """A tenant's configuration, as it was put in force."""

    tenant: TenantId
    number: int
    """It goes up with each publication of the tenant."""
    document: Tenant | None
    """None: the tenant was removed."""


class PlanNumbers(Struct, frozen=True):
    mark: str
    """Empty until the board was filled; another one after it was emptied."""
    numbers: dict[TenantId, int]


class PlanBoard(Protocol):
    """Where published plans are handed to routers and workers; it may be emptied, and is filled again."""

    async def put(self, plan: PublishedPlan, replacing: int | None = None) -> bool:
        """Hand out a plan newer than the one that is there, or in place of the one with this number.

        False when another one stays. Raises `StoreError`.
        """

    async def finish(self, mark: str) -> None:
        """Every plan was put: readers may conclude that what is not here is gone. Raises `StoreError`."""

    async def numbers(self) -> PlanNumbers:
        """Raises `StoreError`."""

    async def fetch(self, tenants: Iterable[TenantId]) -> list[PublishedPlan]:
        """Those that are there and can be read. Raises `StoreError`."""

    def news(self) -> AsyncIterator[frozenset[TenantId] | None]:
        """The tenants whose plan changed, for ever; None to look at everything, at first and when in doubt.

        It outlives the store's outages.
        """
