"""The provider's tenants, and where a visit begins."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.handed import TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.labels import DESTINATIONS
from router.admin.pages.profiles import BLANK, profile_of, wrong_fields
from router.admin.pages.told import refusal_told
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission
from router.records import tenants
from router.records.configuration import Invalid
from router.records.errors import Conflict


class TenantPages(Controller):
    include_in_schema = False

    @get("/")
    async def begin(self, visit: TheVisit) -> Response[Any]:
        own = visit.identity.tenant
        return Redirect(f"/t/{own}" if own else "/overview", status_code=303)

    @get("/tenants")
    async def tenants_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_TENANTS, None)
        return await _page(site, visit, BLANK, {})

    @post("/tenants", status_code=200)
    async def create(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_TENANTS, None)
        fields = BLANK | {name: value.strip() for name, value in visit.fields.items()}
        tenant = profile_of(fields, TenantId(fields["id"]))
        try:
            publication = await site.configuration.create_tenant(tenant, visit.identity.actor)
        except Invalid as error:
            return await _page(site, visit, fields, wrong_fields(error, visit.reader.language))
        except Conflict as error:
            return await _page(site, visit, fields, {"id": refusal_told(error, visit.reader.language)})
        await site.publisher.hand_over(publication)
        return Redirect(f"/t/{tenant.id}/routing", status_code=303)


async def _page(site: Site, visit: Visit, fields: dict[str, str], wrong: dict[str, str]) -> Response[Any]:
    async with site.database.reading() as connection:
        rows = await tenants.every(connection)
    kinds = {kind.value: label for kind, label in DESTINATIONS.items() if kind in site.settings.destinations}
    status = 422 if wrong else 200
    return visit.answer("tenants.html", status, rows=rows, fields=fields, wrong=Blank(wrong), kinds=kinds)
