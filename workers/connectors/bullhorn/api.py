"""Bullhorn's settings, its sign-in of four steps, requests and errors.

Where the account lives; a code for the user's name and password, which comes in the place of a redirect;
a token for the code; a session for the token. The session's answer names the address that is asked from
then on. A refresh token serves once; when it is dead the password brings a new code.
"""

from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.addresses import joined, parts_of
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Grant, HeaderAuth, OAuthClient, Pairs, Request, Response, Steps
from workers.errors import GrantExpired, LookupFailed, LookupRefused
from workers.secrets import Secret

MODULES = ("ClientContact", "Candidate", "Lead", "ClientCorporation")
VENDOR = ("bullhornstaffing.com",)
SESSION_MINUTES = 1440
NO_CODE = (
    "the CRM gave no code: the user name or password is wrong, or the user has not yet accepted "
    "Bullhorn's terms in a browser"
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    username: str
    password: Secret
    client_id: str
    client_secret: Secret
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]+/?$", max_length=200)] = (
        "https://rest.bullhornstaffing.com"
    )

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"


Crm = Account[Settings]


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    home = yield from _home(settings)
    oauth_url = oauth.trusted_base(text_at(home, "oauthUrl", 300), settings.url, VENDOR)
    rest_url = oauth.trusted_base(text_at(home, "restUrl", 300), settings.url, VENDOR)
    client = OAuthClient("", f"{oauth_url}/token", settings.client_id, settings.client_secret, has_pkce=False)
    if former is not None and former.refresh_token:
        try:
            refreshed = yield from oauth.refresh(client, former)
            return (yield from _session(settings, rest_url, refreshed))
        except LookupFailed:
            pass  # spent or dead: the password brings a new pair
    code = yield from _code(settings, oauth_url)
    granted = yield from oauth.exchange(client, code, "", "")
    return (yield from _session(settings, rest_url, granted))


def _home(settings: Settings) -> Steps[dict[str, Any]]:
    """A wrong data centre sends on to the right one, within the vendor's own domain."""
    url = f"{settings.url.rstrip('/')}/rest-services/loginInfo"
    request = Request(name="home", url=url, query=(("username", settings.username),))
    response = yield request
    if response.status == 307:
        place = joined(url, response.headers.get("location", ""))
        oauth.trusted_base(place.partition("?")[0], settings.url, VENDOR)
        response = yield replace(request, url=place, query=())
    return answers.read_object(response)


def _code(settings: Settings, oauth_url: str) -> Steps[str]:
    query: Pairs = (
        ("client_id", settings.client_id),
        ("response_type", "code"),
        ("action", "Login"),
        ("username", settings.username),
        ("password", settings.password.reveal()),
    )
    masked = frozenset({"username", "password"})
    response = yield Request(
        name="code",
        url=f"{oauth_url}/authorize",
        query=query,
        masked=masked,
        secrets=(settings.password,),
        writes=True,
    )
    code = parse_qs(parts_of(response.headers.get("location", "")).query).get("code", [""])[0]
    if response.status not in (302, 303) or not code:
        raise LookupRefused(NO_CODE, fault=Fault.CREDENTIALS)
    return code


def _session(settings: Settings, rest_url: str, grant: Grant) -> Steps[Grant]:
    query: Pairs = (("version", "*"), ("access_token", grant.token.reveal()), ("ttl", str(SESSION_MINUTES)))
    response = yield Request(
        name="session",
        method="POST",
        url=f"{rest_url}/login",
        query=query,
        masked=frozenset({"access_token"}),
        secrets=(grant.token,),
        writes=True,
    )
    body = answers.read_object(response)
    base = oauth.trusted_base(text_at(body, "restUrl", 300), settings.url, VENDOR)
    session = replace(
        grant, token=Secret(text_at(body, "BhRestToken")), base_url=base, lives_seconds=SESSION_MINUTES * 60.0
    )
    user = answer((yield get(Account(settings, session), "user", "settings/userId")))
    return replace(session, facts={"user": text_at(user, "userId")})


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    return Request(name=name, url=_url(account, path), query=query, auth=_auth(account), large_answer=large)


def post(account: Crm, name: str, path: str, body: dict[str, Any], query: Pairs = ()) -> Request:
    return Request(
        name=name, method="POST", url=_url(account, path), query=query, json=body, auth=_auth(account)
    )


def put(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    """PUT creates, POST updates."""
    return Request(
        name=name, method="PUT", url=_url(account, path), json=body, auth=_auth(account), writes=True
    )


def _url(account: Crm, path: str) -> str:
    return f"{account.grant.base_url}/{quote(path)}"


def _auth(account: Crm) -> HeaderAuth:
    return HeaderAuth("BhRestToken", account.grant.token)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Status 404 means an unknown entity, field or record: the words tell which."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    said = text_at(answers.error_object(response), "errorMessage", 300)
    if response.status in (401, 412):
        raise GrantExpired(said=said)
    if response.status == 404:
        raise answers.refused(Fault.FIELD if "field" in said.lower() else Fault.MODULE, said)
    raise answers.refusal(response, said=said)
