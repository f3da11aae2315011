"""Integration: the tenant's CRMs with their state, the form of each, its test, and trying a number."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin import sign_ins
from router.admin.api.moments import moment
from router.admin.api.problems import ApiError
from router.admin.connecting import crm_state, integration_to_keep
from router.admin.handed import TextInPath, TheSite
from router.admin.pages import labels
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.integration_form import field_at, fields_of, integration_of
from router.admin.pages.settings_form import texts_of
from router.admin.pages.told import problem_told, refusal_told
from router.admin.site import Site
from router.core.call_logs import DEFAULT_SUBJECT
from router.core.errands import AnyErrand, CheckConnection, TryLookup
from router.core.identities import IntegrationName, TenantId
from router.core.manifest_conditions import person_signs_in
from router.core.manifests import Manifest
from router.core.roles import Permission
from router.core.tenants import Integration
from router.records import integrations
from router.records.configuration import FILES, Invalid
from router.records.errors import Conflict, NotFound, StillUsed
from router.records.integrations import IntegrationRow

TEST_SECONDS = 25.0
DEVICE = "oauth_device"
"""A manifest's word for a CRM in which a person signs in on another device."""


class IntegrationPages(Controller):
    path = "/t/{tenant:str}/integration"
    include_in_schema = False

    @get()
    async def list_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            owner = await site.require_tenant(connection, TenantId(tenant))
            rows = await integrations.every(connection, TenantId(tenant))
        return visit.answer(
            "integrations.html",
            rows=rows,
            manifests=site.manifests,
            offered=sorted(site.manifests.values(), key=lambda one: one.label.casefold()),
            is_by_files=owner.managed_by == FILES,
        )

    @get("/new/{connector:str}")
    async def new_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, connector: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        manifest = manifest_of(site, connector)
        blank = Integration(name=IntegrationName(connector), connector=connector)
        return await _form(site, visit, TenantId(tenant), manifest, fields_of(blank, manifest), None)

    @post("/new/{connector:str}", status_code=200)
    async def create(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, connector: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        return await _saved(site, visit, TenantId(tenant), manifest_of(site, connector), None)

    @get("/{integration:str}")
    async def integration_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        manifest = manifest_of(site, row.document.connector)
        fields = fields_of(site.secrets(TenantId(tenant)).shown(row.document)[0], manifest)
        return await _form(site, visit, TenantId(tenant), manifest, fields, row)

    @post("/{integration:str}", status_code=200)
    async def change(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        return await _saved(site, visit, TenantId(tenant), manifest_of(site, row.document.connector), row)

    @post("/{integration:str}/delete", status_code=200)
    async def delete(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        try:
            publication = await site.configuration.remove_integration(
                TenantId(tenant), integration, visit.identity.actor
            )
        except StillUsed as error:
            manifest = manifest_of(site, row.document.connector)
            fields = fields_of(site.secrets(TenantId(tenant)).shown(row.document)[0], manifest)
            return await _form(
                site,
                visit,
                TenantId(tenant),
                manifest,
                fields,
                row,
                {"": f"{refusal_told(error, visit.reader.language)}: {', '.join(error.users)}"},
            )
        await site.publisher.hand_over(publication)
        return Redirect(f"/t/{tenant}/integration", status_code=303)

    @get("/{integration:str}/state")
    async def state(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        told = await _told_state(site, visit, TenantId(tenant), row)
        return visit.answer("integration-state.html", **told)

    @get("/{integration:str}/connection")
    async def connection(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """The state, with the way to sign in."""
        visit.identity.require(Permission.SEE, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        manifest = manifest_of(site, row.document.connector)
        told = await _told_state(site, visit, TenantId(tenant), row)
        return visit.answer("integration-connection.html", **told, **_ways_in(manifest, row))

    @post("/{integration:str}/test", status_code=200)
    async def test(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """Step by step, with what to change where one fails."""
        errand = CheckConnection(tenant=TenantId(tenant), integration=IntegrationName(integration))
        return await _asked(site, visit, tenant, integration, errand)

    @post("/{integration:str}/try", status_code=200)
    async def try_number(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """The spellings tried, the records found, milliseconds and requests."""
        fields = tuple(one.strip() for one in visit.fields["field"].split(",") if one.strip())
        errand = TryLookup(
            tenant=TenantId(tenant),
            integration=IntegrationName(integration),
            number=visit.fields["number"].strip()[:40],
            fields=fields[:20],
        )
        return await _asked(site, visit, tenant, integration, errand)


async def _asked(site: Site, visit: Visit, tenant: str, integration: str, errand: AnyErrand) -> Response[Any]:
    visit.identity.require(Permission.TRY, TenantId(tenant))
    await row_of(site, tenant, integration)
    reply = await site.store.errands.run(errand, TEST_SECONDS)
    answer = visit.answer("integration-reply.html", reply=reply)
    answer.headers["HX-Trigger"] = "asked"  # the state beside it is another then
    return answer


async def row_of(site: Site, tenant: str, integration: str) -> IntegrationRow:
    async with site.database.reading() as connection:
        return await integrations.one(connection, TenantId(tenant), integration)


def manifest_of(site: Site, connector: str) -> Manifest:
    if connector not in site.manifests:
        raise NotFound(f"connector {connector}")
    return site.manifests[connector]


async def _saved(
    site: Site, visit: Visit, tenant: TenantId, manifest: Manifest, row: IntegrationRow | None
) -> Response[Any]:
    former = row.document if row else None
    fields, language = visit.fields, visit.reader.language
    try:
        sent = integration_of(fields, manifest.slug, manifest, former)
        document = await integration_to_keep(site, visit.identity, tenant, sent, former)
        if row is None:
            publication = await site.configuration.create_integration(tenant, document, visit.identity.actor)
        else:
            publication = await site.configuration.change_integration(
                tenant, row.document.name, document, row.revision, visit.identity.actor
            )
    except Invalid as error:
        wrong = {field_at(one.path[2:]): problem_told(one, language, [manifest]) for one in error.problems}
        return await _form(site, visit, tenant, manifest, fields, row, wrong)
    except (msgspec.ValidationError, Conflict, ApiError) as error:
        wrong = {"": f"{refusal_told(error, language)}."}
        return await _form(site, visit, tenant, manifest, fields, row, wrong)
    await site.publisher.hand_over(publication)
    return Redirect(f"/t/{tenant}/integration/{sent.name}?done=saved", status_code=303)


async def _form(
    site: Site,
    visit: Visit,
    tenant: TenantId,
    manifest: Manifest,
    fields: Mapping[str, str],
    row: IntegrationRow | None,
    wrong: Mapping[str, str] | None = None,
) -> Response[Any]:
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
    return visit.answer(
        "integration.html",
        422 if wrong else 200,
        row=row,
        fields=Blank(fields),
        wrong=Blank(wrong or {}),
        set_=site.secrets(tenant).shown(row.document)[1] if row else (),
        texts=texts_of(manifest, is_french=visit.reader.language.is_french),
        call_ends=labels.CALL_ENDS,
        default_subject=DEFAULT_SUBJECT,
        done=visit.query.get("done", ""),
        **_ways_in(manifest, row),
        state=None,
        base=page_of(tenant, row.document.name) if row else f"/t/{tenant}/integration/new/{manifest.slug}",
        return_address=sign_ins.return_address(site),
        is_by_files=owner.managed_by == FILES,
    )


def page_of(tenant: str, integration: str) -> str:
    return f"/t/{tenant}/integration/{quote(integration, safe='')}"


async def _told_state(site: Site, visit: Visit, tenant: TenantId, row: IntegrationRow) -> dict[str, Any]:
    state = await crm_state(site, tenant, row.document.name)
    language, now = visit.reader.language, moment(site.clock())
    since = now - timedelta(seconds=state.since_seconds or 0)
    asked_at = now - timedelta(seconds=state.asked.age_seconds if state.asked else 0)
    return {
        "state": state,
        "base": page_of(tenant, row.document.name),
        "conditions": labels.CONDITIONS,
        "purposes": labels.ASKED,
        "since": f"{language.moment(since, UTC)} UTC",
        "asked_ago": language.ago(asked_at, now),
    }


def _ways_in(manifest: Manifest, row: IntegrationRow | None) -> dict[str, Any]:
    return {
        "manifest": manifest,
        "signs_in": row is not None and person_signs_in(manifest, row.document.settings),
        "by_device": DEVICE in manifest.auth,
    }
