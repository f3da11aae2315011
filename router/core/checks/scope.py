"""What every check may look at: the tenant, the operator's templates and limits, the manifests."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from router.core.destinations import DestinationKind
from router.core.identities import IntegrationName
from router.core.manifests import Manifest
from router.core.tenants import Integration, Tenant


class CheckLimits(Struct, frozen=True):
    """The operator's settings that a tenant must fit."""

    hold_seconds: float = 6.0
    lookup_seconds: float = 2.5
    https_only: bool = True


class Scope(Struct, frozen=True):
    tenant: Tenant
    templates: Mapping[DestinationKind, str]
    manifests: Mapping[str, Manifest] | None
    """None: the connectors are not known here, and nothing is said of them."""
    limits: CheckLimits
    is_zone: Callable[[str], bool] | None
    """None: time zones cannot be looked up here."""

    @property
    def hold_seconds(self) -> float:
        return self.tenant.hold_seconds or self.limits.hold_seconds

    def integration(self, name: IntegrationName) -> Integration | None:
        return next((one for one in self.tenant.integrations if one.name == name), None)
