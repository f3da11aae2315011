"""What the operator's settings make of a tenant, for whoever decides a call or rehearses one."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from router.core.decide import Limits
from router.core.destinations import DestinationKind
from router.core.manifests import Manifest
from router.core.plans import TenantPlan
from router.core.tenants import Tenant
from router.settings.model import Settings


def limits_of(settings: Settings, manifests: Mapping[str, Manifest] | None) -> Limits:
    """`manifests` None: they cannot be read, and integrations' own settings alone say what may be asked."""
    return Limits(
        hold_seconds=settings.router.hold_seconds,
        hold_margin_seconds=settings.router.hold_margin_seconds,
        lookup_seconds=settings.router.lookup_seconds,
        settle_seconds=settings.router.settle_seconds,
        manifests=manifests or {},
    )


def plan_of(tenant: Tenant, templates: Mapping[DestinationKind, str]) -> TenantPlan:
    return TenantPlan(tenant, templates, ZoneInfo(tenant.zone))
