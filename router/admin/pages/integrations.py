"""Integration: the tenant's CRMs with their state, the form of each, its test, and trying a number."""

from datetime import UTC, timedelta
from math import ceil
from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.response import Redirect
from msgspec.structs import replace

from router.admin.api.moments import moment
from router.admin.api.problems import ApiError
from router.admin.connecting import crm_state, integration_to_keep
from router.admin.handed import TextInPath, TheSite
from router.admin.pages import labels
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.integration_form import field_at, fields_of, integration_of
from router.admin.pages.integration_pages import (
    CONNECTOR,
    REMOVED,
    RENAMED,
    Form,
    form_page,
    manifest_of,
    opened_row,
    page_of,
    row_of,
    ways_in,
)
from router.admin.pages.outdated import is_outdated, theirs
from router.admin.pages.reading import AnyRequest
from router.admin.pages.told import problem_told, refusal_told
from router.admin.site import Site
from router.core.errands import AnyErrand, CheckConnection, TryLookup
from router.core.identities import IntegrationName, TenantId
from router.core.manifests import Manifest
from router.core.roles import Permission
from router.core.tenants import Integration
from router.records import integrations
from router.records.configuration import FILES, Invalid
from router.records.errors import Conflict, NotFound, Outdated, StillUsed
from router.records.integrations import IntegrationRow
from router.records.publications import Publication

TEST_SECONDS = 25.0


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
        form = Form(manifest, fields_of(blank, manifest), None)
        return await form_page(site, visit, TenantId(tenant), form)

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
        return await form_page(site, visit, TenantId(tenant), Form(manifest, fields, row))

    @post("/{integration:str}", status_code=200)
    async def change(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        row = await opened_row(site, TenantId(tenant), integration, visit.fields)
        if row is None:
            return await _without_it(site, visit, TenantId(tenant), integration)
        manifest = manifest_of(site, row.document.connector)
        return await _saved(site, visit, TenantId(tenant), manifest, row, opened_as=integration)

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
            told = refusal_told(error, visit.reader.language)
            wrong = {"": f"{told}: {', '.join(error.users)}"}
            return await form_page(site, visit, TenantId(tenant), Form(manifest, fields, row, wrong))
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
        return visit.answer("integration-connection.html", **told, **ways_in(manifest, row))

    @post("/{integration:str}/test", status_code=200)
    async def test(
        self, site: TheSite, visit: TheVisit, request: AnyRequest, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """Step by step, with what to change where one fails."""
        errand = CheckConnection(tenant=TenantId(tenant), integration=IntegrationName(integration))
        return await _asked(site, visit, request, tenant, integration, errand)

    @post("/{integration:str}/try", status_code=200)
    async def try_number(
        self, site: TheSite, visit: TheVisit, request: AnyRequest, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """The spellings tried, the records found, milliseconds and requests."""
        fields = tuple(one.strip() for one in visit.fields["field"].split(",") if one.strip())
        errand = TryLookup(
            tenant=TenantId(tenant),
            integration=IntegrationName(integration),
            number=visit.fields["number"].strip()[:40],
            fields=fields[:20],
        )
        return await _asked(site, visit, request, tenant, integration, errand)


async def _asked(
    site: Site, visit: Visit, request: AnyRequest, tenant: str, integration: str, errand: AnyErrand
) -> Response[Any]:
    visit.identity.require(Permission.TRY, TenantId(tenant))
    await row_of(site, tenant, integration)
    reply = await site.store.errands.run(errand, TEST_SECONDS)
    if request.headers.get("HX-Request") != "true":
        base = page_of(tenant, integration)
        return visit.answer("integration-asked.html", reply=reply, base=base, name=integration)
    answer = visit.answer("integration-reply.html", reply=reply)
    answer.headers["HX-Trigger"] = "asked"  # the state beside it is another then
    return answer


async def _saved(
    site: Site,
    visit: Visit,
    tenant: TenantId,
    manifest: Manifest,
    row: IntegrationRow | None,
    opened_as: str = "",
) -> Response[Any]:
    """`row` None: a new one. `opened_as` is what it was called when its form was opened."""
    form = Form(manifest, visit.fields, row)
    language = visit.reader.language
    try:
        sent = integration_of(visit.fields, manifest.slug, manifest, row.document if row else None)
        publication = await _keep(site, visit, tenant, sent, row)
    except (Outdated, NotFound):
        if row is None:
            raise
        return await _beside_theirs(site, visit, tenant, sent, row, opened_as)
    except Invalid as error:
        wrong = {field_at(one.path[2:]): problem_told(one, language, [manifest]) for one in error.problems}
        return await form_page(site, visit, tenant, replace(form, wrong=wrong))
    except (msgspec.ValidationError, Conflict, ApiError) as error:
        wrong = {"": f"{refusal_told(error, language)}."}
        return await form_page(site, visit, tenant, replace(form, wrong=wrong))
    await site.publisher.hand_over(publication)
    return Redirect(f"{page_of(tenant, sent.name)}?done=saved", status_code=303)


async def _beside_theirs(
    site: Site, visit: Visit, tenant: TenantId, sent: Integration, opened: IntegrationRow, opened_as: str
) -> Response[Any]:
    """What was typed, and how it differs from what somebody else saved meanwhile.

    A name that was left alone is the new one, where the other gave it one: saving does not take that back.
    """
    async with site.database.reading() as connection:
        latest = await integrations.with_id(connection, tenant, opened.id)
    if latest is None:
        return await _without_it(site, visit, tenant, opened_as)
    name, language, fields, gone = latest.document.name, visit.reader.language, visit.fields, ""
    if name != opened_as:
        gone = language.filled(RENAMED, name=name)
        if sent.name == opened_as:
            sent, fields = replace(sent, name=name), Blank(fields | {"name": str(name)})
    manifest, secrets = manifest_of(site, latest.document.connector), site.secrets(tenant)
    yours, saved = secrets.shown(sent)[0], secrets.shown(latest.document)[0]
    other = theirs(yours, saved, latest.changed_by, latest.changed_at, language)
    return await form_page(site, visit, tenant, Form(manifest, fields, latest, theirs=other, gone=gone))


async def _without_it(site: Site, visit: Visit, tenant: TenantId, name: str) -> Response[Any]:
    """What was typed, as of a new one: somebody removed it meanwhile. Raises NotFound."""
    manifest = manifest_of(site, visit.fields[CONNECTOR])
    gone = visit.reader.language.filled(REMOVED, name=name)
    return await form_page(site, visit, tenant, Form(manifest, visit.fields, None, gone=gone))


async def _keep(
    site: Site, visit: Visit, tenant: TenantId, sent: Integration, row: IntegrationRow | None
) -> Publication | None:
    """Raises Outdated, Conflict, Invalid, ApiError."""
    if row is not None and is_outdated(visit.fields, row.revision):
        raise Outdated(f"{row.changed_by} changed the integration {row.document.name} meanwhile")
    document = await integration_to_keep(site, visit.identity, tenant, sent, row.document if row else None)
    actor = visit.identity.actor
    if row is None:
        return await site.configuration.create_integration(tenant, document, actor)
    return await site.configuration.change_integration(
        tenant, row.document.name, document, row.revision, actor
    )


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
        "retry_seconds": ceil(state.retry_seconds or 0),
        "paused_seconds": ceil(state.paused_seconds),
    }
