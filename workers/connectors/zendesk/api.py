"""Zendesk's settings, sign-in, requests and errors.

API tokens stop on 30 April 2027, so OAuth is the way for whoever begins. A token lives as long as the request
for it says; a refresh token rotates, and the former pair dies with each use. The body of a token request is
JSON. Too many requests are answered by plain text.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import (
    Account,
    Basic,
    Bearer,
    Grant,
    OAuthClient,
    Pairs,
    Request,
    Response,
    Steps,
)
from workers.errors import GrantExpired
from workers.secrets import Secret

MODULES = ("users", "organizations")
MODULE = re.compile(r"[a-z_]{3,40}")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
FIELD = re.compile(rf"(organization\.)?{KEY.pattern}")
SCOPE = "read write"
TOKEN_SECONDS = 86_400
REFRESH_SECONDS = 89 * 86_400
"""Under 90 days, which are too many."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]+/?$", max_length=200)]
    auth: Literal["client", "person", "token"] = "client"
    client_id: str = ""
    client_secret: Secret = Secret()
    username: str = ""
    token: Secret = Secret()
    log_as: Literal["ticket", "voice"] = "ticket"

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.auth == "token" and not (self.username and self.token):
            raise ValueError("auth = token needs username (an agent's e-mail address) and token")
        if self.auth != "token" and not (self.client_id and self.client_secret):
            raise ValueError(f"auth = {self.auth} needs client_id and client_secret")

    @property
    def site(self) -> str:
        return self.url.rstrip("/")


Crm = Account[Settings]


def client_of(settings: Settings) -> OAuthClient:
    lives = (("expires_in", TOKEN_SECONDS),)
    refreshes = (("refresh_token_expires_in", REFRESH_SECONDS),) if settings.auth == "person" else ()
    return OAuthClient(
        authorize_url=f"{settings.site}/oauth/authorizations/new",
        token_url=f"{settings.site}/oauth/tokens",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=SCOPE,
        client_auth="json",
        token_extra=(("scope", SCOPE),),
        token_numbers=(*lives, *refreshes),
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    if settings.auth == "client":
        return (yield from oauth.client_credentials(client_of(settings)))
    return (yield from oauth.refresh(client_of(settings), former))


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    settings = account.settings
    by_token = Basic(f"{settings.username}/token", settings.token)
    return Request(
        name=name,
        url=f"{settings.site}/api/v2/{quote(path)}",
        query=query,
        auth=by_token if settings.auth == "token" else Bearer(account.grant.token),
        large_answer=large,
    )


def post(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    return replace(get(account, name, path), method="POST", json=body, writes=True)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupFailed."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    body = answers.error_object(response)
    said = next(
        filter(None, (text_at(body, key, 300) for key in ("description", "error.message", "error"))), None
    )
    if response.status == 401:
        raise GrantExpired("the CRM refused the user name or password, or the token", said or "")
    raise answers.refusal(response, said=said)


def page(account: Crm, module: str, id_: str) -> str:
    return f"{account.settings.site}/agent/{module}/{id_}" if id_.isdecimal() else ""
