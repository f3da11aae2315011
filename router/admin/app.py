"""The application that serves the page and the API: routes, who asks, errors, headers."""

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from msgspec import Struct

from router.admin.api.audit import AuditController, TenantAuditController
from router.admin.api.calls import CallsController, RetentionController
from router.admin.api.connections import ConnectionsController, ConnectorsController
from router.admin.api.description import Description
from router.admin.api.integrations import IntegrationsController
from router.admin.api.numbers import EntriesController, NumbersController
from router.admin.api.problems import answer_error
from router.admin.api.rules import RuleOrderController, RulesController
from router.admin.api.running import NowController, TenantNowController
from router.admin.api.tenants import TenantsController
from router.admin.api.tokens import TokensController
from router.admin.api.trials import TrialsController
from router.admin.api.users import UsersController
from router.admin.authentication import Authenticate, authentication_middleware
from router.admin.identity import Identity
from router.admin.site import Site

BODY_BYTES_MOST = 4 * 1024 * 1024
"""A list of 20,000 numbers is half of it."""
API = "/api/v1"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of the API's answers; the page has a policy of its own."""


ErrorAnswer = Callable[[Request[Any, Any, Any], Exception], Response[Any]]


class PageSide(Struct, frozen=True):
    """What is served to browsers."""

    routers: tuple[Router, ...]
    answer_error: ErrorAnswer
    """A page for an error, of a path that is nowhere, too."""


def build_app(
    provide_site: Callable[[], Site],
    authenticate: Authenticate,
    version: str = "",
    pages: PageSide | None = None,
) -> Litestar:
    """`provide_site` is asked at each request. `pages`: `router.admin.pages.routes.page_side`."""
    routers = pages.routers if pages else ()

    def answer_anywhere(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        is_api = request.url.path.startswith(f"{API}/")
        return answer_error(request, error) if is_api or pages is None else pages.answer_error(request, error)

    api = Router(
        path=API,
        route_handlers=[
            TenantsController,
            RulesController,
            TrialsController,
            RuleOrderController,
            NumbersController,
            EntriesController,
            CallsController,
            RetentionController,
            IntegrationsController,
            ConnectionsController,
            ConnectorsController,
            NowController,
            TenantNowController,
            UsersController,
            TokensController,
            AuditController,
            TenantAuditController,
        ],
        middleware=[authentication_middleware(authenticate)],
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        security=[{"token": []}],
    )
    return Litestar(
        route_handlers=[api, *routers],
        dependencies={
            "site": Provide(provide_site, sync_to_thread=False),
            "identity": Provide(_identity_of, sync_to_thread=False),
        },
        exception_handlers={HTTPException: answer_anywhere, Exception: answer_anywhere},
        request_max_body_size=BODY_BYTES_MOST,
        before_send=[_add_headers],
        openapi_config=_openapi(version),
        logging_config=None,
    )


def _identity_of(request: Request[Identity, Any, Any]) -> Identity:
    return request.user


async def _add_headers(message: Any, scope: Any) -> None:
    if message["type"] == "http.response.start":
        if scope["method"] == "OPTIONS":
            message["headers"] = _with_methods(message["headers"], scope)
        present = {name for name, _ in message["headers"]}
        message["headers"] += [
            (name.lower().encode(), value.encode())
            for name, value in HEADERS.items()
            if name.lower().encode() not in present
        ]


def _with_methods(headers: list[tuple[bytes, bytes]], scope: Any) -> list[tuple[bytes, bytes]]:
    """`Allow` with every method of the path: Litestar tells those of the function that it met first."""
    template = scope.get("path_template")
    told = (one.methods for one in scope["litestar_app"].routes if one.path_format == template)
    allowed = ", ".join(sorted(set().union(*told)))
    others = [(name, value) for name, value in headers if name.lower() != b"allow"]
    return [*others, (b"allow", allowed.encode())] if allowed else headers


def _openapi(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="crmroute",
        version=version or "0",
        description="Everything that the page does. Errors are problem details (RFC 9457).",
        path=f"{API}/schema",
        render_plugins=[Description()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "token": SecurityScheme(type="http", scheme="bearer", description="An API token.")
            }
        ),
    )
