"""Salesforce's settings, sign-in, requests and errors.

The token's answer names the instance that is asked from then on; it names no end of the token, which is used
until it is refused. An error is an array, and its code says more than the status: 403 may be the quota.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Account, Bearer, Grant, OAuthClient, Request, Response, Steps
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

MODULES = ("Contact", "Lead", "Account")
VENDOR = ("salesforce.com", "force.com", "salesforce.mil")
FAULTS = {
    "INVALID_FIELD": Fault.FIELD,
    "INVALID_TYPE": Fault.MODULE,
    "NOT_FOUND": Fault.MODULE,
    "MALFORMED_QUERY": Fault.QUERY,
    "MALFORMED_SEARCH": Fault.QUERY,
    "API_DISABLED_FOR_ORG": Fault.RIGHTS,
    "API_CURRENTLY_DISABLED": Fault.RIGHTS,
    "INSUFFICIENT_ACCESS": Fault.RIGHTS,
    "INSUFFICIENT_ACCESS_OR_READONLY": Fault.RIGHTS,
}


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]+/?$", max_length=200)]
    client_id: str
    client_secret: Secret
    sign_in: Literal["client", "person"] = "client"
    version: Annotated[str, Meta(pattern=r"^v[0-9]{2}\.0$")] = "v62.0"

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"


Crm = Account[Settings]


def client_of(settings: Settings) -> OAuthClient:
    site = settings.url.rstrip("/")

    def read(body: dict[str, Any], former: Grant | None) -> Grant:
        # The instance may move to another host with any new token.
        base = oauth.trusted_base(str(body.get("instance_url") or site), site, VENDOR)
        return oauth.plain_grant(body, former, base_url=base)

    return OAuthClient(
        authorize_url=f"{site}/services/oauth2/authorize",
        token_url=f"{site}/services/oauth2/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope="api refresh_token" if settings.sign_in == "person" else "",
        read_grant=read,
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    client = client_of(settings)
    if settings.sign_in == "client":
        return (yield from oauth.client_credentials(client))
    return (yield from oauth.refresh(client, former))


def base(account: Crm) -> str:
    return account.grant.base_url or account.settings.url.rstrip("/")


def get(account: Crm, name: str, path: str, *, q: str = "", large: bool = False) -> Request:
    return Request(
        name=name,
        url=f"{base(account)}/services/data/{account.settings.version}/{path}",
        query=(("q", q),) if q else (),
        auth=Bearer(account.grant.token),
        large_answer=large,
    )


def post(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    return Request(
        name=name,
        method="POST",
        url=f"{base(account)}/services/data/{account.settings.version}/{path}",
        json=body,
        auth=Bearer(account.grant.token),
        writes=True,
    )


def answer(response: Response) -> dict[str, Any]:
    """The object of a success."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    code, message = _error(response)
    if response.status == 401 or code == "INVALID_SESSION_ID":
        raise GrantExpired(said=message)
    if code == "REQUEST_LIMIT_EXCEEDED":
        raise answers.throttled(message)
    raise (
        answers.refused(FAULTS[code], message) if code in FAULTS else answers.refusal(response, said=message)
    )


def _error(response: Response) -> tuple[str, str]:
    try:
        listed = rows(answers.read_json(answers.error_text(response)))
    except LookupRefused:
        listed = []
    return (text_at(listed[0], "errorCode"), text_at(listed[0], "message")) if listed else ("", "")
