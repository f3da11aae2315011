"""What the page of an integration shows: its form, what is wrong at the fields, and the ways to sign in."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from litestar import Response
from msgspec import Struct

from router.admin import sign_ins
from router.admin.pages import labels
from router.admin.pages.front import Blank, Visit
from router.admin.pages.outdated import Theirs, revision_of
from router.admin.pages.settings_form import texts_of
from router.admin.site import Site
from router.core.call_logs import DEFAULT_SUBJECT
from router.core.identities import TenantId
from router.core.manifest_conditions import person_signs_in
from router.core.manifests import Manifest
from router.records import integrations
from router.records.configuration import FILES
from router.records.errors import NotFound
from router.records.integrations import IntegrationRow

ROW, CONNECTOR = "row", "connector"
"""The fields of a form with the id of its integration, which a new name leaves, and with its connector."""
DEVICE = "oauth_device"
"""A manifest's word for a CRM in which a person signs in on another device."""


class Form(Struct, frozen=True):
    """As it is shown; `row` None: of an integration that is not there yet."""

    manifest: Manifest
    fields: Mapping[str, str]
    row: IntegrationRow | None
    wrong: Mapping[str, str] = {}
    theirs: Theirs | None = None
    """What somebody else saved meanwhile."""
    gone: str = ""
    """What became of the integration that the form was opened of: renamed, or removed."""


RENAMED = "It is called {name} now."
REMOVED = (
    "The integration {name} was removed meanwhile, so nothing was saved. What you typed is below; save it to "
    "make the integration anew, with its secrets typed again."
)
TEXTS = (RENAMED, REMOVED)
"""For the test that each of them is translated."""


async def row_of(site: Site, tenant: str, integration: str) -> IntegrationRow:
    async with site.database.reading() as connection:
        return await integrations.one(connection, TenantId(tenant), integration)


async def opened_row(
    site: Site, tenant: TenantId, name: str, fields: Mapping[str, str]
) -> IntegrationRow | None:
    """That of which a form was opened, whatever it is called by now; None once it was removed."""
    text = fields.get(ROW, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return await row_of(site, tenant, name)
    async with site.database.reading() as connection:
        return await integrations.with_id(connection, tenant, int(text))


def manifest_of(site: Site, connector: str) -> Manifest:
    if connector not in site.manifests:
        raise NotFound(f"connector {connector}")
    return site.manifests[connector]


async def form_page(site: Site, visit: Visit, tenant: TenantId, form: Form) -> Response[Any]:
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
    manifest, row = form.manifest, form.row
    return visit.answer(
        "integration.html",
        409 if form.theirs or form.gone else 422 if form.wrong else 200,
        row=row,
        fields=Blank(form.fields),
        revision=revision_of(form.fields, row.revision, form.theirs) if row else "",
        theirs=form.theirs,
        gone=form.gone,
        zone=ZoneInfo(owner.profile.zone),
        wrong=Blank(form.wrong),
        set_=site.secrets(tenant).shown(row.document)[1] if row else (),
        texts=texts_of(manifest, is_french=visit.reader.language.is_french),
        call_ends=labels.CALL_ENDS,
        default_subject=DEFAULT_SUBJECT,
        done=visit.query.get("done", ""),
        **ways_in(manifest, row),
        state=None,
        base=page_of(tenant, row.document.name) if row else f"/t/{tenant}/integration/new/{manifest.slug}",
        return_address=sign_ins.return_address(site),
        is_by_files=owner.managed_by == FILES,
    )


def page_of(tenant: str, integration: str) -> str:
    return f"/t/{tenant}/integration/{quote(integration, safe='')}"


def ways_in(manifest: Manifest, row: IntegrationRow | None) -> dict[str, Any]:
    return {
        "manifest": manifest,
        "signs_in": row is not None and person_signs_in(manifest, row.document.settings),
        "by_device": DEVICE in manifest.auth,
    }
