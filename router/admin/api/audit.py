"""The audit by the API: who changed what, from where."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, get
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from router.admin.api.moments import Moment, epoch, moment
from router.admin.api.pages import Limit, limited
from router.admin.handed import NumberInQuery, TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission
from router.records import audit
from router.records.audit import Wanted

Text = FromQuery[str]
Part = Annotated[str, QueryParameter(description="A part of it, whatever its case.", max_length=100)]


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
        self,
        site: TheSite,
        identity: Who,
        who: Part = "",
        what: Part = "",
        tenant: Text = "",
        since: Moment = None,
        until: Moment = None,
        before: NumberInQuery = None,
        limit: Limit = 50,
    ) -> list[AuditEntry]:
        """Of all tenants or of one, the newest first. The next page is asked for with the same
        query, and comes before the last id of this one."""
        identity.require(Permission.SEE_AUDIT, None)
        owner = TenantId(tenant) if tenant else None
        wanted = Wanted(tenant=owner, who=who, what=what, since=epoch(since), until=epoch(until))
        return await _listed(site, wanted, limit, before)


class TenantAuditController(Controller):
    path = "/tenants/{tenant:str}/audit"
    tags = ("Audit",)

    @get(operation_id="listTenantAudit")
    async def list_audit(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        who: Part = "",
        what: Part = "",
        since: Moment = None,
        until: Moment = None,
        before: NumberInQuery = None,
        limit: Limit = 50,
    ) -> list[AuditEntry]:
        """Of a tenant, the newest first. The next page is asked for with the same query, and comes before the
        last id of this one."""
        identity.require(Permission.SEE_AUDIT, TenantId(tenant))
        wanted = Wanted(tenant=TenantId(tenant), who=who, what=what, since=epoch(since), until=epoch(until))
        return await _listed(site, wanted, limit, before)


async def _listed(site: Site, wanted: Wanted, limit: int, before: int | None) -> list[AuditEntry]:
    async with site.database.reading() as connection:
        entries = await audit.read(connection, wanted, limited(limit), before)
    return [_entry(one) for one in entries]


def _entry(entry: audit.Entry) -> AuditEntry:
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return AuditEntry(**{**fields, "at": moment(entry.at)})
