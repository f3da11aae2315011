"""What every request of the page and the API works with, built once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.admin.crm_fields import CrmFields
from router.admin.issuer import Issuer
from router.admin.live import LiveBoard
from router.admin.publisher import Publisher
from router.admin.secrets import Secrets
from router.core.checks.sources import CUSTOM_CONNECTOR
from router.core.identities import TenantId
from router.core.manifests import Manifest
from router.core.problems import Problem
from router.core.tenants import Tenant
from router.records import tenants
from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.database import Database
from router.records.tenants import TenantRow
from router.settings.model import Settings
from router.settings.vault import Vault
from router.store.seams import Store


class Site(Struct, frozen=True, kw_only=True):
    settings: Settings
    folder: Path
    """Of the configuration."""
    database: Database
    configuration: Configuration
    publisher: Publisher
    accounts: Accounts
    vault: Vault
    store: Store
    crm_fields: CrmFields
    live: LiveBoard
    manifests: Mapping[str, Manifest]
    check: Callable[[Tenant], Sequence[Problem]]
    clock: Callable[[], float]
    """The time of day, in seconds since the epoch."""
    issuer: Issuer | None = None
    """Where people sign in with their organisation's account; None where the settings name none."""

    @property
    def custom_url(self) -> Manifest:
        """What a rule with an address of its own may set."""
        return self.manifests[CUSTOM_CONNECTOR]

    def secrets(self, tenant: TenantId) -> Secrets:
        return Secrets(self.manifests, self.vault, tenant)

    async def require_tenant(self, connection: AsyncConnection, tenant: TenantId) -> TenantRow:
        """Raises NotFound."""
        return await tenants.one(connection, tenant)
