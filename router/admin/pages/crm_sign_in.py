"""Signing in at a CRM from an integration's page: the way there, the way back, and by another device.

The way there is a page with a link. A form's answer that sends the browser to another site is what the
security policy forbids (`form-action`), and whoever leaves sees where to.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar import Controller, Response, get, post
from litestar.response import Redirect
from msgspec.structs import replace

from router.admin import sign_ins
from router.admin.handed import TextInPath, TheSite
from router.admin.pages.front import TheVisit, Visit
from router.admin.pages.integration_pages import DEVICE, manifest_of, page_of, row_of
from router.admin.pages.reading import AnyRequest
from router.admin.pages.told import failure_told
from router.admin.sign_ins import SignInForeign
from router.admin.site import Site
from router.core.errands import ErrandFailed, Reply, SignInAwaited, SignInBegun, SignInDone
from router.core.identities import IntegrationName, TenantId
from router.core.manifests import Manifest
from router.core.roles import Permission

POLLED_EVERY_MOST_SECONDS = 60
REFUSALS = {
    "access_denied": "The sign-in was declined at the CRM.",
    "no_code": "The CRM sent you back without an answer.",
    "invalid_scope": "The CRM does not give this app the rights that are needed: see the app's scopes there.",
    "unauthorized_client": "The CRM does not let this app sign people in: see the app's settings there.",
    "server_error": "The CRM itself failed. Try again in a while.",
    "temporarily_unavailable": "The CRM cannot sign anybody in at this moment. Try again in a while.",
}
"""By the CRM's name for it (RFC 6749, section 4.1.2.1)."""
REFUSED = "The CRM did not sign you in."
NO_WORKER = "No worker answered, so the CRM was not asked. Sign in again."


class CrmSignInPages(Controller):
    path = "/t/{tenant:str}/integration/{integration:str}/sign-in"
    include_in_schema = False

    @get()
    async def back_to_the_form(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Redirect:
        """For a browser that comes here by itself, such as after a change of the language."""
        visit.identity.require(Permission.SEE, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        return Redirect(page_of(tenant, row.document.name), status_code=303)

    @post(status_code=200)
    async def begin(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        manifest = manifest_of(site, row.document.connector)
        on_device = DEVICE in manifest.auth and bool(visit.fields["device"])
        reply = await sign_ins.begin(
            site, visit.identity, TenantId(tenant), row.document.name, on_device=on_device
        )
        if not isinstance(reply, SignInBegun):
            return failed(site, visit, TenantId(tenant), row.document.name, manifest, reply)
        template = "crm-device.html" if on_device else "crm-sign-in.html"
        return visit.answer(
            template,
            **_named(site, visit, tenant, integration, manifest),
            begun=reply,
            host=urlsplit(reply.address).hostname,
            state=reply.state,
            every=_every(reply.every_seconds),
        )

    @post("/device", status_code=200)
    async def ask_device(
        self, site: TheSite, visit: TheVisit, request: AnyRequest, tenant: TextInPath, integration: TextInPath
    ) -> Response[Any]:
        """Asked again and again by the page, or by its button where there are no scripts."""
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        row = await row_of(site, tenant, integration)
        manifest = manifest_of(site, row.document.connector)
        name, state = row.document.name, visit.fields["state"]
        try:
            reply = await sign_ins.ask_device(site, visit.identity, TenantId(tenant), name, state)
        except SignInForeign:
            return _foreign(visit)
        is_in_place = request.headers.get("HX-Request") == "true"
        if isinstance(reply, SignInDone):
            return _go(f"{page_of(tenant, integration)}?done=signed-in", is_in_place=is_in_place)
        if reply is not None and not isinstance(reply, SignInAwaited):
            return failed(site, visit, TenantId(tenant), name, manifest, reply, is_in_place=is_in_place)
        template = "crm-device-waiting.html" if is_in_place else "crm-device.html"
        every = _every(_seconds(visit.fields["every"]))
        told = _named(site, visit, tenant, integration, manifest)
        return visit.answer(template, **told, begun=None, state=state, every=every)


class CrmReturnPages(Controller):
    include_in_schema = False

    @get(sign_ins.RETURN_PATH)
    async def come_back(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        """Where every CRM sends the browser back to."""
        try:
            returned = await sign_ins.come_back(site, visit.identity, visit.query)
        except SignInForeign:
            return _foreign(visit)
        if returned.is_signed_in:
            return Redirect(
                f"{page_of(returned.tenant, returned.integration)}?done=signed-in", status_code=303
            )
        row = await row_of(site, returned.tenant, returned.integration)
        manifest = manifest_of(site, row.document.connector)
        told = REFUSALS.get(returned.error, REFUSED) if returned.error else ""
        said = "" if returned.error in ("", "no_code") else f"{returned.error}: {returned.said}".rstrip(": ")
        visit = replace(visit, reader=replace(visit.reader, tenant=returned.tenant))
        return failed(
            site, visit, returned.tenant, returned.integration, manifest, returned.reply, told=told, said=said
        )


def failed(
    site: Site,
    visit: Visit,
    tenant: TenantId,
    integration: IntegrationName,
    manifest: Manifest,
    reply: Reply | None,
    *,
    told: str = "",
    said: str = "",
    is_in_place: bool = False,
) -> Response[Any]:
    """`told` is what the CRM's refusal means; without one the worker's reply tells."""
    if isinstance(reply, ErrandFailed):
        said = failure_told(reply, visit.reader.language)
    return visit.answer(
        "crm-sign-in-failure.html" if is_in_place else "crm-sign-in-failed.html",
        200 if is_in_place else 422,
        **_named(site, visit, tenant, integration, manifest),
        told=visit.reader.language.text(told or (REFUSED if reply is not None else NO_WORKER)),
        said=said,
    )


def _foreign(visit: Visit) -> Response[Any]:
    return visit.answer("crm-sign-in-foreign.html", 403)


def _named(site: Site, visit: Visit, tenant: str, integration: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "base": page_of(tenant, integration),
        "name": integration,
        "crm": visit.reader.language.crm_name(manifest),
        "return_address": sign_ins.return_address(site),
    }


def _go(path: str, *, is_in_place: bool) -> Response[Any]:
    """htmx follows a header; a redirect it would follow itself, and put the page into this one."""
    if is_in_place:
        return Response("", headers={"HX-Redirect": path}, media_type="text/html")
    return Redirect(path, status_code=303)


def _every(seconds: float) -> int:
    return max(1, min(round(seconds), POLLED_EVERY_MOST_SECONDS))


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 4 else 5.0
