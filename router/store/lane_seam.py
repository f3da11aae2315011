"""What may be asked of an integration's lane, beside its queue of look-ups: its breaker and its allowance."""

from typing import Protocol

from router.core.allowances import Allowance
from router.core.breakers import BreakerState
from router.core.identities import IntegrationName, TenantId


class Lanes(Protocol):
    """An integration's breaker and allowance, beside its queue of look-ups."""

    async def pause(self, tenant: TenantId, integration: IntegrationName, seconds: float) -> None:
        """The CRM has asked to be left alone: no worker begins a look-up before. Raises `StoreError`."""

    async def spend(
        self, tenant: TenantId, integration: IntegrationName, allowance: Allowance, requests: int
    ) -> float:
        """Take requests for something that no caller waits for: seconds to wait and try again, or 0.

        It gets what calls leave. Raises `StoreError`.
        """

    async def state(self, tenant: TenantId, integration: IntegrationName) -> BreakerState:
        """How its CRM fares, for a person. Raises `StoreError`."""
