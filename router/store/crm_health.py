"""How each integration's CRM did when asked last, on Redis: a hash for each, dated by Redis's own clock.

What was learnt with other settings than those in force is another revision's, and is not told.
"""

from router.core.crm_states import AskedFor, LastAsked
from router.core.identities import IntegrationName, TenantId
from router.store.keys import Keys
from router.store.scripts import Scripts

KEPT_SECONDS = 30 * 86_400
PROBLEM_CHARACTERS_MOST = 500


class RedisCrmHealth:
    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys

    async def note(
        self, tenant: TenantId, integration: IntegrationName, revision: str, purpose: AskedFor, problem: str
    ) -> None:
        key = self._keys.crm_health(tenant, integration)
        told = problem[:PROBLEM_CHARACTERS_MOST]
        await self._scripts.run("health_note", (key,), revision, str(purpose), told, KEPT_SECONDS)

    async def read(self, tenant: TenantId, integration: IntegrationName, revision: str) -> LastAsked | None:
        key = self._keys.crm_health(tenant, integration)
        found = await self._scripts.run("health_read", (key,), revision)
        if not found:
            return None
        purpose, problem, age_ms, since_ms = found
        named = purpose.decode(errors="replace")
        if named not in set(AskedFor):
            return None  # another version's word for what is not done here
        return LastAsked(
            purpose=AskedFor(named),
            age_seconds=age_ms / 1000,
            since_seconds=since_ms / 1000,
            problem=problem.decode(errors="replace"),
        )
