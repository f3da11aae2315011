"""The audit by the API: who changed what, from where."""

from datetime import datetime
from typing import Any

from litestar import Controller, get
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.api.pages import Limit, limited
from router.admin.handed import NumberInQuery, TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission
from router.records import audit


class AuditEntry(Struct, frozen=True, kw_only=True):
    id: int
    at: datetime
    tenant: TenantId | None
    who: str
    origin: str
    action: str
    kind: str
    name: str
    before: Any
    after: Any


class AuditController(Controller):
    path = "/audit"
    tags = ("Audit",)

    @get(operation_id="listAudit")
    async def list_audit(
        self, site: TheSite, identity: Who, before: NumberInQuery = None, limit: Limit = 50
    ) -> list[AuditEntry]:
        """Of the whole installation, the newest first. The next page comes before the last id of this one."""
        identity.require(Permission.SEE_AUDIT, None)
        return await _listed(site, None, limit, before)


class TenantAuditController(Controller):
    path = "/tenants/{tenant:str}/audit"
    tags = ("Audit",)

    @get(operation_id="listTenantAudit")
    async def list_audit(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        before: NumberInQuery = None,
        limit: Limit = 50,
    ) -> list[AuditEntry]:
        """Of a tenant, the newest first. The next page comes before the last id of this one."""
        identity.require(Permission.SEE_AUDIT, TenantId(tenant))
        return await _listed(site, TenantId(tenant), limit, before)


async def _listed(site: Site, tenant: TenantId | None, limit: int, before: int | None) -> list[AuditEntry]:
    async with site.database.reading() as connection:
        entries = await audit.read(connection, tenant, limited(limit), before)
    return [_entry(one) for one in entries]


def _entry(entry: audit.Entry) -> AuditEntry:
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return AuditEntry(**{**fields, "at": moment(entry.at)})
