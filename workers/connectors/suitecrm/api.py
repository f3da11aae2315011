"""SuiteCRM's settings, sign-in, requests and errors.

Nearly every refusal has status 400 and tells its reason in words only. The token endpoint answers wrong
credentials with 500, and repeats a wrong password in its text: nothing of that text is ever told.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Bearer, Grant, OAuthClient, Pairs, Request, Response, Steps
from workers.errors import GrantExpired
from workers.secrets import Secret

MODULES = ("Contacts", "Leads", "Accounts")
FAULTS = (
    (re.compile(r"Module \S* ?does not exist|Not Allowed"), Fault.MODULE),
    (re.compile(r"[Ff]ield .* not found|Property .* is invalid"), Fault.FIELD),
    (re.compile(r"AccessDenied"), Fault.RIGHTS),
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    grant: Literal["client", "password"] = "client"
    client_id: str
    client_secret: Secret
    username: str = ""
    password: Secret = Secret()

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.grant == "password" and not (self.username and self.password):
            raise ValueError("grant = password needs username and password")


Crm = Account[Settings]


def sign_in(settings: Settings, _former: Grant | None) -> Steps[Grant]:
    """The password is at hand, so no refresh token is needed: they rotate, and a dead one has many names."""
    client = OAuthClient(
        authorize_url="",
        token_url=f"{site(settings)}/Api/access_token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        final_statuses=frozenset({500}),
    )
    if settings.grant == "password":
        return (yield from oauth.password(client, settings.username, settings.password))
    return (yield from oauth.client_credentials(client))


def site(settings: Settings) -> str:
    return settings.url.rstrip("/")


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    return Request(
        name=name,
        url=f"{site(account.settings)}/Api/V8/{quote(path)}",
        query=query,
        auth=Bearer(account.grant.token),
        accept="application/vnd.api+json",
        large_answer=large,
    )


def post(account: Crm, name: str, path: str, data: dict[str, Any]) -> Request:
    return Request(
        name=name,
        method="POST",
        url=f"{site(account.settings)}/Api/V8/{quote(path)}",
        json={"data": data},
        content_type="application/vnd.api+json",
        accept="application/vnd.api+json",
        auth=Bearer(account.grant.token),
        writes=True,
    )


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupFailed."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    if response.status == 401:
        raise GrantExpired
    said = refusal_of(response)
    for pattern, fault in FAULTS:
        if pattern.search(said):
            raise answers.refused(fault, said)
    raise answers.refusal(response, said=said)


def refusal_of(response: Response) -> str:
    """The reason in SuiteCRM's words; its body may go on with plain text behind the JSON."""
    return text_at(answers.error_object(response), "errors.detail", 300) or answers.error_text(response)[:300]
