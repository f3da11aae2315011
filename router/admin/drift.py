"""Where the file of a tenant and what is in force differ: somebody edited the file and has not applied it."""

import asyncio
from pathlib import Path

from msgspec import Struct

from router.core.differences import AS_WRITTEN, Difference, Wording, differences
from router.core.identities import TenantId
from router.core.tenants import Tenant
from router.settings.documents import Unreadable, read_document
from router.settings.errors import FileProblem
from router.settings.tenant_files import parse_tenant

DIFFERENCES_MOST = 200


class FileDrift(Struct, frozen=True, kw_only=True):
    is_there: bool
    """Whether this host has the tenant's file."""
    problems: tuple[FileProblem, ...] = ()
    """Why the file cannot be used, with file and line."""
    differences: tuple[Difference, ...] = ()
    """What applying the file would change, place by place; at most `DIFFERENCES_MOST`."""

    @property
    def is_any(self) -> bool:
        return not self.is_there or bool(self.problems or self.differences)


async def drift_of(
    folder: Path, tenant: TenantId, in_force: Tenant | None, wording: Wording = AS_WRITTEN
) -> FileDrift:
    return await asyncio.to_thread(_drift_of, folder, tenant, in_force, wording)


def _drift_of(folder: Path, tenant: TenantId, in_force: Tenant | None, wording: Wording) -> FileDrift:
    try:
        document = read_document(folder / "tenants" / f"{tenant}.toml")
    except OSError:
        return FileDrift(is_there=False)
    except Unreadable as unreadable:
        return FileDrift(is_there=True, problems=(unreadable.problem,))
    written, problems = parse_tenant(document, tenant)
    if written is None:
        return FileDrift(is_there=True, problems=tuple(map(document.locate, problems)))
    found = differences(in_force, written, wording)
    return FileDrift(is_there=True, differences=tuple(found[:DIFFERENCES_MOST]))
