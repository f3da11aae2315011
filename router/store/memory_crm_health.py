"""How CRMs did, in one process' memory: the twin of `router.store.crm_health` for tests."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from router.core.crm_states import AskedFor, LastAsked
from router.core.identities import IntegrationName, TenantId


class _Noted(Struct, frozen=True):
    revision: str
    purpose: AskedFor
    problem: str
    at: float
    since: float


class MemoryCrmHealth:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._noted: dict[tuple[TenantId, IntegrationName], _Noted] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        self._noted.clear()

    async def note(
        self, tenant: TenantId, integration: IntegrationName, revision: str, purpose: AskedFor, problem: str
    ) -> None:
        self._check()
        was, now = self._noted.get((tenant, integration)), _now()
        is_same = was is not None and was.revision == revision and bool(was.problem) == bool(problem)
        since = was.since if was is not None and is_same else now
        self._noted[tenant, integration] = _Noted(revision, purpose, problem, now, since)

    async def read(self, tenant: TenantId, integration: IntegrationName, revision: str) -> LastAsked | None:
        self._check()
        noted, now = self._noted.get((tenant, integration)), _now()
        if noted is None or noted.revision != revision:
            return None
        return LastAsked(
            purpose=noted.purpose,
            age_seconds=now - noted.at,
            since_seconds=now - noted.since,
            problem=noted.problem,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
