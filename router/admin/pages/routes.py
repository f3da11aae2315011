"""All pages, with who reads them and what an error looks like."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import structlog
from litestar import Response, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from router.admin.api.problems import details_of
from router.admin.app import PageSide
from router.admin.authenticator import Authenticator
from router.admin.pages.account import AccountPages
from router.admin.pages.account_tokens import TokenPages
from router.admin.pages.audit import AuditPages
from router.admin.pages.calls import CallPages
from router.admin.pages.crm_sign_in import CrmReturnPages, CrmSignInPages
from router.admin.pages.front import Front, Visit
from router.admin.pages.integrations import IntegrationPages
from router.admin.pages.live import LivePages
from router.admin.pages.numbers import NumberPages
from router.admin.pages.overview import OverviewPages
from router.admin.pages.reading import AnyRequest, SignInNeeded, back_to, stranger
from router.admin.pages.rendering import Pages
from router.admin.pages.routing import RoutingPages
from router.admin.pages.servers import ServerPages
from router.admin.pages.sessions import SessionPages, sign_in_page
from router.admin.pages.setting_fields import SettingSheets
from router.admin.pages.single_sign_on import SingleSignOnPages
from router.admin.pages.streams import Streams
from router.admin.pages.tenant_settings import TenantSettingsPages
from router.admin.pages.tenants import TenantPages
from router.admin.pages.users import UserPages

log = structlog.get_logger(__name__)


PAGES = (
    SessionPages,
    OverviewPages,
    LivePages,
    ServerPages,
    SingleSignOnPages,
    AccountPages,
    TokenPages,
    TenantPages,
    TenantSettingsPages,
    IntegrationPages,
    CrmSignInPages,
    CrmReturnPages,
    SettingSheets,
    RoutingPages,
    NumberPages,
    CallPages,
    UserPages,
    AuditPages,
)


def page_side(
    authenticator: Authenticator, streams: Streams | None = None, single: str | None = None
) -> PageSide:
    """`streams`: where whoever serves the pages ends those that are open; `single` is the identity provider's
    label, where there is one.
    """
    front = Front(Pages(), authenticator, streams or Streams(), single)

    def provide_front() -> Front:
        return front

    async def provide_visit(request: AnyRequest) -> Visit:
        return await front.visit(request)

    def answer_error(request: AnyRequest, error: Exception) -> Response[Any]:
        return _answer_error(front, request, error)

    pages = Router(
        path="/",
        route_handlers=[*PAGES],
        dependencies={
            "front": Provide(provide_front, sync_to_thread=False),
            "visit": Provide(provide_visit),
        },
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
    )
    return PageSide((pages, static_files()), answer_error)


def static_files() -> Router:
    folder = str(files("router.admin") / "static")
    return create_static_files_router(
        path="/static", directories=[folder], include_in_schema=False, send_as_attachment=False
    )


BROKEN = "crmroute failed on this. Its log says more."
TEXTS: Mapping[int, str] = {
    403: "This account may not do that.",
    404: "There is nothing here, or nothing that this account may see.",
    409: "That cannot be done now.",
    503: "The records cannot be reached at this moment. Nothing was changed.",
}


def _answer_error(front: Front, request: AnyRequest, error: Exception) -> Response[Any]:
    if isinstance(error, SignInNeeded):
        if not error.carried:
            return Redirect("/sign-in", query_params={"back": back_to(error.back)}, status_code=303)
        reader = stranger(request)
        told = reader.language.text("Your session has ended. Sign in, and what you typed comes back.")
        return sign_in_page(
            request, front, 401, back=back_to(error.back), carried=dict(error.carried), problem=told
        )
    details = details_of(error)
    if details.status == 500:
        log.exception("admin.broken", method=request.method, path=request.url.path, exc_info=error)
    reader = stranger(request)
    text = TEXTS.get(details.status, BROKEN)
    return front.pages.answer(
        "error.html",
        reader,
        details.status,
        told=reader.language.text(text),
        detail=reader.language.told(details.detail),
    )
