"""Grants in one process' memory: the twin of `router.store.grant_store` for tests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from router.core.identities import TenantId
from router.store.seams import StoredGrant

_Name = tuple[TenantId, str]


@dataclass
class _Kept:
    sealed: bytes = b""
    serial: int = 0
    lives_seconds: float | None = None
    written_at: float = 0.0
    problem: str = ""
    problem_at: float = 0.0
    problem_since: float = 0.0


class MemoryGrantStore:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._kept: dict[_Name, _Kept] = {}
        self._locks: dict[_Name, tuple[str, float]] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        self._kept.clear()
        self._locks.clear()

    async def read(self, tenant: TenantId, name: str) -> StoredGrant | None:
        self._check()
        kept = self._kept.get((tenant, name))
        if kept is None or not (kept.sealed or kept.problem):
            return None
        lives, now = kept.lives_seconds, _now()
        return StoredGrant(
            sealed=kept.sealed,
            serial=kept.serial,
            lives_seconds=lives,
            left_seconds=None if lives is None else max(kept.written_at + lives - now, 0.0),
            problem=kept.problem,
            problem_age_seconds=now - kept.problem_at if kept.problem else 0.0,
            problem_since_seconds=now - kept.problem_since if kept.problem else 0.0,
        )

    async def begin(self, tenant: TenantId, name: str, holder: str, seconds: float) -> bool:
        self._check()
        _, until = self._locks.get((tenant, name), ("", 0.0))
        if _now() < until:
            return False
        self._locks[tenant, name] = (holder, _now() + seconds)
        return True

    async def write(
        self, tenant: TenantId, name: str, sealed: bytes, serial: int, lives_seconds: float | None
    ) -> bool:
        self._check()
        kept = self._kept.setdefault((tenant, name), _Kept())
        if serial <= kept.serial:
            return False
        self._kept[tenant, name] = _Kept(sealed, serial, lives_seconds or None, _now())
        return True

    async def note_problem(self, tenant: TenantId, name: str, problem: str) -> None:
        self._check()
        kept, now = self._kept.setdefault((tenant, name), _Kept()), _now()
        if kept.problem.partition("|")[0] != problem.partition("|")[0] or not kept.problem:
            kept.problem_since = now
        kept.problem, kept.problem_at = problem, now

    async def end(self, tenant: TenantId, name: str, holder: str) -> None:
        self._check()
        if self._locks.get((tenant, name), ("", 0.0))[0] == holder:
            del self._locks[tenant, name]

    async def forget(self, tenant: TenantId, name: str) -> None:
        self._check()
        self._kept.pop((tenant, name), None)


def _now() -> float:
    return asyncio.get_running_loop().time()
