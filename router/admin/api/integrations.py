"""Integrations by the API. Secrets go in and never come back: an answer names those that are set."""

from datetime import datetime

from litestar import Controller, Response, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin import sign_ins
from router.admin.api.moments import moment
from router.admin.api.problems import ApiError
from router.admin.api.revisions import IfMatch, revision_in, tag_of
from router.admin.connecting import crm_state, integration_to_keep
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.crm_states import CrmState
from router.core.errands import ErrandFailed, SignInBegun
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.roles import Permission
from router.core.tenants import Integration
from router.records import integrations
from router.records.integrations import IntegrationRow


class IntegrationDetails(Struct, frozen=True, kw_only=True):
    document: Integration
    """Without its secrets."""
    secrets: tuple[str, ...]
    """The secrets that are set."""
    revision: int
    used_by: tuple[RuleName, ...]
    changed_at: datetime
    changed_by: str


class SignInAtCrm(Struct, frozen=True):
    """The way to a CRM's sign-in, and back."""

    address: str
    """To be opened in a browser; it leads there once."""
    return_address: str
    """Registered with the CRM, as the redirect address of its app."""
    lives_seconds: float


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
            return [
                _details(site, TenantId(tenant), row)
                for row in await integrations.every(connection, TenantId(tenant))
            ]

    @post(operation_id="createIntegration")
    async def create_integration(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[Integration]
    ) -> Response[IntegrationDetails]:
        """In force at once."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        document = await integration_to_keep(site, identity, TenantId(tenant), data, None)
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
        document = await integration_to_keep(site, identity, TenantId(tenant), data, row.document)
        publication = await site.configuration.change_integration(
            TenantId(tenant), integration, document, row.revision, identity.actor
        )
        await site.publisher.hand_over(publication)
        return await _answered(site, TenantId(tenant), data.name)

    @get("/{integration:str}/state", operation_id="readIntegrationState")
    async def read_state(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath
    ) -> CrmState:
        """How its CRM is doing, as a worker tells it."""
        identity.require(Permission.SEE, TenantId(tenant))
        name = await _named(site, TenantId(tenant), integration)
        return await crm_state(site, TenantId(tenant), name)

    @post("/{integration:str}/sign-in", operation_id="beginSignIn", status_code=200)
    async def begin_sign_in(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath
    ) -> SignInAtCrm:
        """For a CRM in which a person signs in. The browser in which the address is opened comes back to the
        page, where the user who asks here (of a token: who made it) has to be signed in."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        name = await _named(site, TenantId(tenant), integration)
        reply = await sign_ins.begin(site, identity, TenantId(tenant), name)
        if isinstance(reply, SignInBegun):
            return SignInAtCrm(reply.address, sign_ins.return_address(site), reply.lives_seconds)
        if isinstance(reply, ErrandFailed):
            raise ApiError(409, "not-begun", f"{reply.problem}. {reply.mend}".strip())
        raise ApiError(503, "no-worker", "no worker answered, so the CRM was not asked")

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


def _details(site: Site, tenant: TenantId, row: IntegrationRow) -> IntegrationDetails:
    document, secrets = site.secrets(tenant).shown(row.document)
    return IntegrationDetails(
        document=document,
        secrets=secrets,
        revision=row.revision,
        used_by=row.used_by,
        changed_at=moment(row.changed_at),
        changed_by=row.changed_by,
    )


async def _named(site: Site, tenant: TenantId, name: str) -> IntegrationName:
    """Raises NotFound."""
    async with site.database.reading() as connection:
        return (await integrations.one(connection, tenant, name)).document.name


async def _answered(site: Site, tenant: TenantId, name: str) -> Response[IntegrationDetails]:
    async with site.database.reading() as connection:
        row = await integrations.one(connection, tenant, name)
    return Response(_details(site, tenant, row), headers=tag_of(row.revision))
