"""The check of a tenant as this installation needs it: its templates, its limits, its connectors."""

from collections.abc import Callable, Mapping

from router.core.check import CheckLimits, check_tenant
from router.core.manifests import Manifest
from router.core.problems import Problem
from router.core.tenants import Tenant
from router.settings.model import Settings
from router.settings.tenant_files import is_zone


def tenant_check(
    settings: Settings, manifests: Mapping[str, Manifest] | None = None
) -> Callable[[Tenant], list[Problem]]:
    """What `TenantFiles` takes as its `check`."""
    limits = CheckLimits(
        hold_seconds=settings.router.hold_seconds,
        lookup_seconds=settings.router.lookup_seconds,
        https_only=settings.worker.https_only,
    )

    def check(tenant: Tenant) -> list[Problem]:
        return check_tenant(tenant, settings.destinations, manifests, limits=limits, is_zone=is_zone)

    return check
