"""Grants on Redis: a hash for each, a key that lives as long as the token does, and the refresher's lock.

A token's remaining life is read off a key's time to live, so that no clock but Redis's counts. The grant
itself has no end: its refresh token outlives the token. Nothing here can read a grant; the workers seal it.
"""

from router.core.identities import TenantId
from router.store.batches import Batcher
from router.store.keys import Keys
from router.store.scripts import Scripts
from router.store.seams import StoredGrant


class RedisGrantStore:
    def __init__(self, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys

    async def read(self, tenant: TenantId, name: str) -> StoredGrant | None:
        found = await self._scripts.run("grant_read", self._both(tenant, name))
        if not found:
            return None
        sealed, serial, lives_ms, left_ms, problem, problem_age_ms, problem_since_ms = found
        return StoredGrant(
            sealed=sealed,
            serial=serial,
            lives_seconds=lives_ms / 1000 if lives_ms else None,
            left_seconds=left_ms / 1000 if lives_ms else None,
            problem=problem.decode(errors="replace"),
            problem_age_seconds=problem_age_ms / 1000,
            problem_since_seconds=problem_since_ms / 1000,
        )

    async def begin(self, tenant: TenantId, name: str, holder: str, seconds: float) -> bool:
        key = self._keys.grant_lock(tenant, name)
        milliseconds = round(seconds * 1000)
        return await self._batcher.call(key, "SET", key, holder, "NX", "PX", milliseconds) is not None

    async def write(
        self, tenant: TenantId, name: str, sealed: bytes, serial: int, lives_seconds: float | None
    ) -> bool:
        lives_ms = max(round(lives_seconds * 1000), 1) if lives_seconds else 0
        written = await self._scripts.run("grant_write", self._both(tenant, name), sealed, serial, lives_ms)
        return bool(written)

    async def note_problem(self, tenant: TenantId, name: str, problem: str) -> None:
        await self._scripts.run("grant_problem", (self._keys.grant(tenant, name),), problem)

    async def end(self, tenant: TenantId, name: str, holder: str) -> None:
        await self._scripts.run("grant_end", (self._keys.grant_lock(tenant, name),), holder)

    async def forget(self, tenant: TenantId, name: str) -> None:
        grant, life = self._both(tenant, name)
        await self._batcher.call(grant, "UNLINK", grant, life)

    def _both(self, tenant: TenantId, name: str) -> tuple[str, str]:
        return self._keys.grant(tenant, name), self._keys.grant_life(tenant, name)
