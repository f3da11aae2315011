"""Overview: the last hour, what is held now and how the CRMs fare; the provider's is of all tenants."""

from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Controller, Response, get

from router.admin.api.moments import moment
from router.admin.handed import TextInPath, TheSite
from router.admin.overview import installation, tenant_overview
from router.admin.pages.charts import bars
from router.admin.pages.front import TheVisit
from router.core.identities import TenantId
from router.core.roles import Permission

TENANTS_SHOWN = 20


class OverviewPages(Controller):
    include_in_schema = False

    @get("/t/{tenant:str}")
    async def tenant_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            owner = await site.require_tenant(connection, TenantId(tenant))
        told = await tenant_overview(site, TenantId(tenant))
        zone = ZoneInfo(owner.profile.zone)
        return visit.answer(
            "overview.html",
            told=told,
            owner=owner,
            manifests=site.manifests,
            chart=bars(told.hour, visit.reader.language, zone),
            **_moments(zone),
        )

    @get("/overview")
    async def provider_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_TENANTS, None)
        told = await installation(site)
        return visit.answer(
            "installation.html",
            told=told,
            shown=told.tenants[:TENANTS_SHOWN],
            chart=bars(told.hour, visit.reader.language, UTC),
            **_moments(UTC),
        )


def _moments(zone: tzinfo) -> dict[str, Any]:
    return {"zone": zone, "moment": moment}
