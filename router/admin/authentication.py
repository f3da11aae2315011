"""Every request is somebody's, or is refused: the seam between the application and the accounts."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.types import ASGIApp

from router.admin.api.problems import ApiError
from router.admin.identity import Identity

Connection = ASGIConnection[Any, Any, Any, Any]
Authenticate = Callable[[Connection], Awaitable[Identity | None]]
"""Who sent this request; None for nobody. Raises ApiError for who may not send this one."""


class _Middleware(AbstractAuthenticationMiddleware):
    def __init__(self, app: ASGIApp, authenticate: Authenticate) -> None:
        super().__init__(app)
        self._authenticate = authenticate

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        identity = await self._authenticate(connection)
        if identity is None:
            raise ApiError(401, "not-signed-in", "sign in, or send an API token as a bearer")
        return AuthenticationResult(identity, None)


def authentication_middleware(authenticate: Authenticate) -> DefineMiddleware:
    async def of_connection(connection: Connection) -> Identity | None:
        """A function and not an object: Litestar copies a router deeply, and an engine cannot be copied."""
        return await authenticate(connection)

    return DefineMiddleware(_Middleware, authenticate=of_connection)
