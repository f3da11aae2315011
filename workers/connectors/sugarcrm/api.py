"""SugarCRM's settings, and the sign-in, requests and errors of its API v11.

A sign-in ends the same user's other one on the same platform: so the platform is our own. Errors name
themselves in `error`.
"""

from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Grant, HeaderAuth, OAuthClient, Pairs, Request, Response, Steps
from workers.connectors.sugar_rest import service
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

FAULTS = {
    "not_authorized": Fault.RIGHTS,
    "no_method": Fault.MODULE,
    "not_found": Fault.MODULE,
    "invalid_parameter": Fault.FIELD,
    "missing_parameter": Fault.QUERY,
    "incorrect_version": Fault.ADDRESS,
}


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    api: Literal["v4_1", "v11"] = "v4_1"
    username: str
    password: Secret
    client_id: str = "sugar"
    client_secret: Secret = Secret()
    platform: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,127}$")] = "crmroute"

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.platform in ("base", "mobile", "portal"):
            raise ValueError("platform is one of SugarCRM's own: people would be signed out")

    @property
    def site(self) -> str:
        return self.url.rstrip("/")

    @property
    def service(self) -> str:
        return f"{self.site}/service/v4_1/rest.php"


Crm = Account[Settings]


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    """A refresh token lives for two weeks and rotates; where it is dead, the password serves."""
    if settings.api == "v4_1":
        return (yield from service.sign_in(settings))
    client = client_of(settings)
    if former is not None and former.refresh_token:
        try:
            return (yield from oauth.refresh(client, former))
        except LookupRefused:
            pass
    return (yield from oauth.password(client, settings.username, settings.password))


def client_of(settings: Settings) -> OAuthClient:
    return OAuthClient(
        authorize_url="",
        token_url=f"{settings.site}/rest/v11/oauth2/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        client_auth="json",
        token_extra=(("platform", settings.platform),),
    )


def get(account: Crm, name: str, path: str, query: Pairs = ()) -> Request:
    return Request(name=name, url=_url(account, path), query=query, auth=_auth(account), large_answer=True)


def post(account: Crm, name: str, path: str, body: dict[str, Any], *, writes: bool = True) -> Request:
    return Request(
        name=name, method="POST", url=_url(account, path), json=body, auth=_auth(account), writes=writes
    )


def _url(account: Crm, path: str) -> str:
    return f"{account.settings.site}/rest/v11/{quote(path)}"


def _auth(account: Crm) -> HeaderAuth:
    return HeaderAuth("OAuth-Token", account.grant.token)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupRefused and GrantExpired."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    body = answers.error_object(response)
    code, said = text_at(body, "error"), text_at(body, "error_message", 300)
    if response.status == 401:
        raise GrantExpired(said=said)
    raise answers.refused(FAULTS[code], said) if code in FAULTS else answers.refusal(response, said=said)
