"""Who sent a request: an API token in a header, or a session in a cookie.

A session's request that changes something must bring the session's own CSRF token in a header, which no other
site's page can send. A token in a header needs none, for no browser adds it by itself.
"""

from router.admin.api.problems import ApiError
from router.admin.authentication import Connection
from router.admin.identity import Identity
from router.records.accounts import Accounts, Session
from router.records.keys import csrf_of, is_csrf

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"
BEARER = "Bearer "


class Authenticator:
    """`is_encrypted`: whether browsers reach us by https."""

    def __init__(self, accounts: Accounts, *, is_encrypted: bool) -> None:
        self._accounts = accounts
        self.cookie = "__Host-crmroute" if is_encrypted else "crmroute"

    async def __call__(self, connection: Connection) -> Identity | None:
        """Raises ApiError for a request of a session that its own page did not send."""
        shown = connection.headers.get("Authorization", "")
        if shown:
            return await self._by_token(shown, connection)
        session = await self.session(connection)
        if session is None:
            return None
        method = connection.scope.get("method", "GET")
        if method not in SAFE and not is_csrf(self.key(connection), connection.headers.get(CSRF_HEADER, "")):
            raise ApiError(403, "csrf", "this page is too old: load it anew, and try again")
        return Identity(
            who=session.user.name,
            role=session.user.role,
            tenant=session.user.tenant,
            origin=origin_of(connection),
            user=session.user.id,
            session=session.digest,
            maker=session.user.id,
        )

    @staticmethod
    def csrf_of(key: str) -> str:
        """What the pages of this session send along."""
        return csrf_of(key)

    def key(self, connection: Connection) -> str:
        return str(connection.cookies.get(self.cookie, ""))

    async def session(self, connection: Connection) -> Session | None:
        key = self.key(connection)
        return await self._accounts.session(key) if key else None

    async def watching_session(self, connection: Connection) -> Session | None:
        """Without counting as use: for a stream that a page keeps open."""
        key = self.key(connection)
        return await self._accounts.watching_session(key) if key else None

    async def _by_token(self, shown: str, connection: Connection) -> Identity | None:
        if not shown.startswith(BEARER):
            return None
        token = await self._accounts.token(shown.removeprefix(BEARER).strip())
        if token is None:
            return None
        who = f"token {token.name} of {token.made_by}"
        return Identity(
            who=who, role=token.role, tenant=token.tenant, origin=origin_of(connection), maker=token.maker
        )


def origin_of(connection: Connection) -> str:
    """The address that it came from; uvicorn has followed the trusted proxies already."""
    return connection.client.host if connection.client else ""
