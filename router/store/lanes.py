"""An integration's breaker and allowance, on Redis, for all but look-ups: these meet them where they are
queued.
"""

from router.core.allowances import Allowance
from router.core.breakers import BreakerState
from router.core.identities import IntegrationName, TenantId
from router.store.keys import Keys
from router.store.scripts import Scripts


class RedisLanes:
    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys

    async def pause(self, tenant: TenantId, integration: IntegrationName, seconds: float) -> None:
        await self._scripts.run("lane_pause", self._queue(tenant), tenant, integration, round(seconds * 1000))

    async def spend(
        self, tenant: TenantId, integration: IntegrationName, allowance: Allowance, requests: int
    ) -> float:
        wait_ms = await self._scripts.run(
            "lane_spend",
            self._queue(tenant),
            tenant,
            integration,
            allowance.interval_seconds * 1000,
            requests,
        )
        return float(wait_ms) / 1000

    async def state(self, tenant: TenantId, integration: IntegrationName) -> BreakerState:
        failures, problem, is_open, open_ms, retry_ms, paused_ms, waiting, held = await self._scripts.run(
            "lane_state", self._queue(tenant), tenant, integration
        )
        return BreakerState(
            failures=failures,
            problem=problem.decode(errors="replace"),
            is_open=bool(is_open),
            open_seconds=open_ms / 1000,
            retry_seconds=retry_ms / 1000,
            paused_seconds=paused_ms / 1000,
            waiting=waiting,
            in_flight=held,
        )

    def _queue(self, tenant: TenantId) -> tuple[str, ...]:
        return self._keys.queue(self._keys.shard(tenant))
