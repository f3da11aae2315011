"""Which connector and which settings a job is for.

Connectors are known by their slug: our own, and those that other packages bring by the entry point group
`crmroute.connectors` (docs/connectors.md). One of these that cannot be loaded is logged and left out.

A tenant's integration is read once and kept until the tenant's file changes; secrets by reference are
followed again after half a minute, so that a rotated one is taken up without a restart.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint
from typing import Any, Protocol

import structlog
from msgspec import Struct

from router.core.allowances import allowance_of
from router.core.errands import TryDraft
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.lookups import LookupJob
from router.core.manifests import Manifest
from router.core.plans import digest_of, find_integration, own_integration_name
from router.core.rules import Credentials
from router.core.tenants import Integration, Tenant
from router.settings.entry_points import added_connectors
from router.settings.errors import SecretMissing
from router.settings.sealed import Sealer
from router.settings.vault import Vault
from workers.accounts import Subject
from workers.connectors import (
    bullhorn,
    custom,
    dynamics,
    hubspot,
    pipedrive,
    proprietary,
    proprietary_i,
    salesforce,
    sugarcrm,
    suitecrm,
    vtiger,
    zendesk,
    zoho,
)
from workers.connectors.steps import Connector
from workers.errors import IntegrationUnusable
from workers.grants import GrantName
from workers.secrets import read_settings

log = structlog.get_logger(__name__)

BUILT_IN: Mapping[str, Connector[Any]] = {
    module.CONNECTOR.slug: module.CONNECTOR
    for module in (
        bullhorn,
        custom,
        dynamics,
        pipedrive,
        proprietary,
        proprietary_i,
        hubspot,
        salesforce,
        sugarcrm,
        suitecrm,
        vtiger,
        zendesk,
        zoho,
    )
}
SECRETS_KEPT_SECONDS = 30.0
KEPT_MOST = 20_000
NOT_HERE = "the worker does not have this integration's configuration"
NO_MANIFESTS: Mapping[str, Manifest] = {}


def load_connectors() -> dict[str, Connector[Any]]:
    """By slug: our own, and then those of other packages, whose code runs here for the first time."""
    added, skipped = added_connectors(BUILT_IN)
    for problem in skipped:
        log.warning("connector.skipped", problem=str(problem))
    connectors = dict(BUILT_IN)
    for slug, point in added.items():
        try:
            connectors[slug] = _load(point)
        except (Exception, SystemExit) as error:  # a stranger's module may do anything
            told = f"{type(error).__name__}: {error}"[:256]
            log.error("connector.broken", connector=slug, problem=told)
    return connectors


def _load(point: EntryPoint) -> Connector[Any]:
    loaded = point.load()
    if not isinstance(loaded, Connector) or loaded.slug != point.name:
        raise TypeError(f"{point.value} is no connector of this name")
    return loaded


class TenantSource(Protocol):
    """`router.settings.tenant_files.TenantFiles`, or a test's tenants."""

    def tenant(self, tenant_id: TenantId) -> Tenant | None: ...


class Found(Struct, frozen=True):
    """An integration, ready to be asked."""

    subject: Subject
    revision: str
    """Of the settings in hand; a job made from other settings carries another one."""


_Wanted = tuple[TenantId, IntegrationName, RuleName | None]


class _Kept(Struct, frozen=True):
    tenant: Tenant
    read_at: float
    found: Found | None
    problem: str = ""


class Catalogue:
    """`clock` gives seconds, monotonic."""

    def __init__(
        self,
        tenants: TenantSource,
        clock: Callable[[], float],
        connectors: Mapping[str, Connector[Any]] = BUILT_IN,
        environment: Mapping[str, str] = os.environ,
        vault: Vault | None = None,
        manifests: Mapping[str, Manifest] = NO_MANIFESTS,
    ) -> None:
        self._tenants = tenants
        self._clock = clock
        self._connectors = connectors
        self._environment = environment
        self._vault = vault
        self._manifests = manifests
        self._kept: dict[_Wanted, _Kept] = {}

    def find(self, job: LookupJob) -> Found:
        """Raises IntegrationUnusable."""
        return self.integration(job.key.tenant, job.key.integration, job.credentials_of)

    def integration(
        self, tenant_id: TenantId, name: IntegrationName, credentials_of: RuleName | None = None
    ) -> Found:
        """Raises IntegrationUnusable."""
        wanted = (tenant_id, name, credentials_of)
        tenant = self._tenants.tenant(tenant_id)
        kept = self._kept.get(wanted)
        # The same file is the same object: comparing every setting for every job would be slow.
        is_old = (
            kept is None or kept.tenant is not tenant or self._clock() - kept.read_at > SECRETS_KEPT_SECONDS
        )
        if kept is None or is_old:
            kept = self._read(wanted, tenant)
            if len(self._kept) >= KEPT_MOST:
                self._kept.clear()
            self._kept[wanted] = kept
        if kept.found is None:
            raise IntegrationUnusable(kept.problem)
        return kept.found

    def drafted(self, errand: TryDraft) -> Found:
        """Of settings that need not be in force, and are not kept here. Raises IntegrationUnusable."""
        tenant = self._tenants.tenant(errand.tenant)
        if tenant is None:
            raise IntegrationUnusable(NOT_HERE)
        drafted = Integration(name=errand.integration, connector=errand.connector, settings=errand.settings)
        return self._found(tenant, drafted, errand.rule, errand.credentials)

    def _read(self, wanted: _Wanted, tenant: Tenant | None) -> _Kept:
        _, name, credentials_of = wanted
        integration = find_integration(tenant, name) if tenant else None
        if tenant is None or integration is None:
            # Not kept: the file may arrive at any moment.
            raise IntegrationUnusable(NOT_HERE)
        try:
            credentials = _credentials(tenant, credentials_of)
            found = self._found(tenant, integration, credentials_of, credentials)
        except IntegrationUnusable as unusable:
            return _Kept(tenant, self._clock(), None, unusable.problem)
        return _Kept(tenant, self._clock(), found)

    def _found(
        self,
        tenant: Tenant,
        integration: Integration,
        credentials_of: RuleName | None,
        credentials: Credentials | None,
    ) -> Found:
        """`credentials`: those of that rule, in place of the integration's."""
        connector = self._connectors.get(integration.connector)
        if connector is None:
            raise IntegrationUnusable(f"the worker has no connector `{integration.connector}`")
        given: Mapping[str, Any] = integration.settings
        if credentials is not None:
            given = connector.with_credentials(given, credentials)
        what = f"the configuration of `{integration.name}`"
        unseal = self._unsealer(tenant.id, integration.name, credentials_of if credentials else None)
        settings = read_settings(given, connector.settings, self._environment, what, unseal)
        told = {key: given[key] for key in connector.identity if key in given}
        identity = digest_of(integration.connector, told)
        subject = Subject(
            connector=connector,
            settings=settings,
            country=tenant.country,
            tenant=tenant.id,
            integration=integration.name,
            grant=GrantName(tenant.id, integration.name, credentials_of, identity),
            allowance=allowance_of(integration, self._manifests.get(integration.connector)),
        )
        return Found(subject, digest_of(integration.connector, integration.settings, credentials))

    def _unsealer(
        self, tenant: TenantId, integration: IntegrationName, rule: RuleName | None
    ) -> Callable[[str], str] | None:
        """Of the integration's secrets, and where a rule has credentials of its own, of those."""
        if self._vault is None:
            return None
        owners = [*([own_integration_name(rule)] if rule else []), integration]
        sealers = [Sealer(self._vault, tenant, owner) for owner in owners]

        def unseal(text: str) -> str:
            for sealer in sealers[:-1]:
                with suppress(SecretMissing):
                    return sealer.unseal(text)
            return sealers[-1].unseal(text)

        return unseal


def _credentials(tenant: Tenant, rule_name: RuleName | None) -> Credentials | None:
    if rule_name is None:
        return None
    rule = next((rule for rule in tenant.rules if rule.name == rule_name), None)
    if rule is None or rule.source is None or rule.source.credentials is None:
        raise IntegrationUnusable(f"the worker does not have the credentials of the rule `{rule_name}`")
    return rule.source.credentials
