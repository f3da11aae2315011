"""Integrations by the API. Secrets go in and never come back: an answer names those that are set."""

from datetime import datetime

from litestar import Controller, Response, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.api.problems import ApiError
from router.admin.api.revisions import IfMatch, revision_in, tag_of
from router.admin.api.write_only import require_no_new_reference, sealed, shown
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.identity import Identity
from router.admin.site import Site
from router.core.identities import RuleName, TenantId
from router.core.roles import Permission
from router.core.tenants import Integration
from router.records import integrations
from router.records.integrations import IntegrationRow
from router.settings.sealed import Sealer


class IntegrationDetails(Struct, frozen=True, kw_only=True):
    document: Integration
    """Without its secrets."""
    secrets: tuple[str, ...]
    """The secrets that are set."""
    revision: int
    used_by: tuple[RuleName, ...]
    changed_at: datetime
    changed_by: str


class IntegrationsController(Controller):
    path = "/tenants/{tenant:str}/integrations"
    tags = ("Integrations",)

    @get(operation_id="listIntegrations")
    async def list_integrations(
        self, site: TheSite, identity: Who, tenant: TextInPath
    ) -> list[IntegrationDetails]:
        """In the tenant's order, without their secrets."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            return [_details(site, row) for row in await integrations.every(connection, TenantId(tenant))]

    @post(operation_id="createIntegration")
    async def create_integration(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[Integration]
    ) -> Response[IntegrationDetails]:
        """In force at once."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        document = _kept(site, identity, TenantId(tenant), data, None)
        publication = await site.configuration.create_integration(TenantId(tenant), document, identity.actor)
        await site.publisher.hand_over(publication)
        return await _answered(site, TenantId(tenant), data.name)

    @get("/{integration:str}", operation_id="readIntegration")
    async def read_integration(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath
    ) -> Response[IntegrationDetails]:
        """Without its secrets."""
        identity.require(Permission.SEE, TenantId(tenant))
        return await _answered(site, TenantId(tenant), integration)

    @put("/{integration:str}", operation_id="changeIntegration")
    async def change_integration(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        integration: TextInPath,
        data: JSONBody[Integration],
        if_match: IfMatch = None,
    ) -> Response[IntegrationDetails]:
        """In force at once. A secret that is left out stays; null removes it."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        revision = revision_in(if_match)
        async with site.database.reading() as connection:
            row = await integrations.one(connection, TenantId(tenant), integration)
        integrations.require_latest(row, revision)
        document = _kept(site, identity, TenantId(tenant), data, row.document)
        publication = await site.configuration.change_integration(
            TenantId(tenant), integration, document, row.revision, identity.actor
        )
        await site.publisher.hand_over(publication)
        return await _answered(site, TenantId(tenant), data.name)

    @delete("/{integration:str}", operation_id="removeIntegration", status_code=204)
    async def remove_integration(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath
    ) -> None:
        """Refused while a rule uses it."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        publication = await site.configuration.remove_integration(
            TenantId(tenant), integration, identity.actor
        )
        await site.publisher.hand_over(publication)


def _kept(
    site: Site, identity: Identity, tenant: TenantId, sent: Integration, former: Integration | None
) -> Integration:
    """As it is kept: what was sent, sealed, and the secrets that were left out. Raises ApiError."""
    manifest = site.manifests.get(sent.connector)
    if manifest is None:
        raise ApiError(422, "invalid", f"there is no connector {sent.connector}")
    require_no_new_reference(identity, sent.settings, former.settings if former else {})
    old = Sealer(site.vault, tenant, former.name if former else sent.name)
    return sealed(sent, former, manifest, Sealer(site.vault, tenant, sent.name), old)


def _details(site: Site, row: IntegrationRow) -> IntegrationDetails:
    told = shown(row.document, site.manifests.get(row.document.connector))
    return IntegrationDetails(
        document=told.document,
        secrets=told.secrets,
        revision=row.revision,
        used_by=row.used_by,
        changed_at=moment(row.changed_at),
        changed_by=row.changed_by,
    )


async def _answered(site: Site, tenant: TenantId, name: str) -> Response[IntegrationDetails]:
    async with site.database.reading() as connection:
        row = await integrations.one(connection, tenant, name)
    return Response(_details(site, row), headers=tag_of(row.revision))
