"""What an integration's CRM says by the API: the connection test, lists of fields, a look-up."""

from typing import TypeVar

from litestar import Controller, get, post
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.problems import ApiError
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.identity import Identity
from router.admin.site import Site
from router.core.errands import (
    AnyErrand,
    CheckConnection,
    Checked,
    ErrandFailed,
    Fields,
    ListFields,
    ListModules,
    Modules,
    Tried,
    TryLookup,
)
from router.core.identities import IntegrationName, TenantId
from router.core.manifests import Manifest
from router.core.roles import Permission
from router.records import integrations

ASKED_SECONDS = 25.0

R = TypeVar("R")


class LookupWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By a number, or by digits in a field."""

    number: str = ""
    digits: str = ""
    digits_field: str | None = None
    modules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class CheckWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty: the CRM's usual modules."""

    modules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class ConnectorsController(Controller):
    path = "/connectors"
    tags = ("Integrations",)

    @get(operation_id="listConnectors")
    async def list_connectors(self, site: TheSite) -> list[Manifest]:
        """The CRMs that can be connected, and what each asks for."""
        return sorted(site.manifests.values(), key=lambda one: one.slug)


class ConnectionsController(Controller):
    path = "/tenants/{tenant:str}/integrations/{integration:str}"
    tags = ("Integrations",)

    @post("/test", operation_id="testIntegration", status_code=200)
    async def test(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        integration: TextInPath,
        data: JSONBody[CheckWanted],
    ) -> Checked:
        """Step by step, with what to change where one fails."""
        named = await _named(site, identity, Permission.TRY, tenant, integration)
        errand = CheckConnection(
            tenant=named[0], integration=named[1], modules=data.modules[:20], fields=data.fields[:50]
        )
        return await _asked(site, errand, Checked)

    @post("/try", operation_id="tryLookup", status_code=200)
    async def try_lookup(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        integration: TextInPath,
        data: JSONBody[LookupWanted],
    ) -> Tried:
        """The spellings tried, the records found, milliseconds and requests."""
        named = await _named(site, identity, Permission.TRY, tenant, integration)
        errand = TryLookup(
            tenant=named[0],
            integration=named[1],
            number=data.number[:40],
            digits=data.digits[:20],
            digits_field=data.digits_field,
            modules=data.modules[:20],
            fields=data.fields[:50],
        )
        return await _asked(site, errand, Tried)

    @get("/modules", operation_id="listModules")
    async def modules(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath
    ) -> Modules:
        """The CRM's own kinds of records."""
        named = await _named(site, identity, Permission.TRY, tenant, integration)
        return await _asked(site, ListModules(tenant=named[0], integration=named[1]), Modules)

    @get("/modules/{module:str}/fields", operation_id="listFields")
    async def fields(
        self, site: TheSite, identity: Who, tenant: TextInPath, integration: TextInPath, module: TextInPath
    ) -> Fields:
        """A module's fields with their labels, types and picklist values."""
        named = await _named(site, identity, Permission.TRY, tenant, integration)
        return await _asked(site, ListFields(tenant=named[0], integration=named[1], module=module), Fields)


async def _named(
    site: Site, identity: Identity, permission: Permission, tenant: str, integration: str
) -> tuple[TenantId, IntegrationName]:
    """Raises NotFound, NotAllowed."""
    identity.require(permission, TenantId(tenant))
    async with site.database.reading() as connection:
        row = await integrations.one(connection, TenantId(tenant), integration)
    return TenantId(tenant), IntegrationName(row.document.name)


async def _asked(site: Site, errand: AnyErrand, kind: type[R]) -> R:
    """Raises ApiError, StoreError."""
    reply = await site.store.errands.run(errand, ASKED_SECONDS)
    if isinstance(reply, ErrandFailed):
        raise ApiError(502, "crm", f"{reply.problem}. {reply.mend}".strip())
    if not isinstance(reply, kind):
        raise ApiError(503, "no-worker", "no worker answered, so the CRM was not asked")
    return reply
