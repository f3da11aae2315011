"""Where a process has its tenants from: the files beside its settings, or the board of published plans."""

import gc
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from router.core.identities import TenantId
from router.core.problems import Problem
from router.core.tenants import Tenant
from router.settings.model import TenantSettings
from router.settings.tenant_files import Changes, TenantFiles
from router.store.plan_seam import PlanBoard
from router.store.tenant_feed import TenantFeed

log = structlog.get_logger(__name__)

Check = Callable[[Tenant], list[Problem]]


class TenantSource(Protocol):
    """Every tenant in force."""

    def tenant(self, tenant_id: TenantId) -> Tenant | None: ...

    def tenants(self) -> Mapping[TenantId, Tenant]: ...

    async def watch(self, on_changes: Callable[[Changes], Awaitable[None]]) -> None:
        """Follow it until cancelled; tell of every change."""


async def open_tenants(
    settings: TenantSettings, folder: Path, board: PlanBoard, check: Check | None = None
) -> TenantSource:
    """Read them all. What `check` finds wrong with a tenant of the files is logged; it is in force."""
    source = await _open(settings, folder, board, check)
    gc.freeze()  # ten thousand tenants stay: collecting garbage among them stops calls for 150 ms
    return source


async def _open(
    settings: TenantSettings, folder: Path, board: PlanBoard, check: Check | None
) -> TenantSource:
    if settings.source == "records":
        feed = TenantFeed(board)
        await feed.load()
        return feed
    files = TenantFiles(folder, check)
    for problem in files.load_all().problems:
        log.error("tenant.problem", problem=str(problem))
    return files
