"""SuiteCRM's settings, sign-in, requests and errors; all but the settings is about the V8 API.

Nearly every refusal has status 400 and tells its reason in words only. The token endpoint answers wrong
credentials with 500, and repeats a wrong password in its text: nothing of that text is ever told. Behind the
JSON of any answer the server may print a text of its own.
"""

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Bearer, Grant, OAuthClient, Pairs, Request, Response, Steps
from workers.connectors.sugar_rest import service
from workers.errors import GrantExpired, LookupRefused, LookupUnavailable
from workers.secrets import Secret

FAULTS = (
    (re.compile(r"Module \S+ does not exist|Not Allowed"), Fault.MODULE),
    (re.compile(r"[Ff]ield .* is not found|field .* is not found: |Property .* is invalid"), Fault.FIELD),
    (re.compile(r"Database failure"), Fault.FIELD),
    (re.compile(r"AccessDenied"), Fault.RIGHTS),
)
NO_USER = "Module id is empty when trying to get Users"
NO_USER_TOLD = "the OAuth2 client has no assigned user in SuiteCRM, so it may do nothing"
JSON_API = "application/vnd.api+json"


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    path: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$", max_length=100)] = ""
    api: Literal["v8", "v4_1"] = "v8"
    grant: Literal["client", "password"] = "client"
    client_id: str = ""
    client_secret: Secret = Secret()
    username: str = ""
    password: Secret = Secret()

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.api == "v8" and not (self.client_id and self.client_secret):
            raise ValueError("api = v8 needs client_id and client_secret")
        if (self.api == "v4_1" or self.grant == "password") and not (self.username and self.password):
            raise ValueError("grant = password and api = v4_1 need username and password")

    @property
    def site(self) -> str:
        return self.url.rstrip("/")

    @property
    def service(self) -> str:
        return f"{self.site}{self.path}/service/v4_1/rest.php"


Crm = Account[Settings]


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    """A refresh token that is dead has many names; the password is at hand, and serves instead."""
    if settings.api == "v4_1":
        return (yield from service.sign_in(settings))
    client = client_of(settings)
    if settings.grant == "client":
        return (yield from _granted(client, (("grant_type", "client_credentials"),)))
    if former is not None and former.refresh_token:
        token = former.refresh_token
        form: Pairs = (("grant_type", "refresh_token"), ("refresh_token", token.reveal()))
        try:
            return (yield from _granted(client, form, (token,), former))
        except LookupRefused:
            pass
    form = (
        ("grant_type", "password"),
        ("username", settings.username),
        ("password", settings.password.reveal()),
    )
    return (yield from _granted(client, form, (settings.password,)))


def client_of(settings: Settings) -> OAuthClient:
    return OAuthClient(
        authorize_url="",
        token_url=f"{settings.site}{settings.path}/Api/access_token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        client_auth="json",
        final_statuses=frozenset({500}),
    )


def _granted(
    client: OAuthClient, form: Pairs, secrets: tuple[Secret, ...] = (), former: Grant | None = None
) -> Steps[Grant]:
    """A 500 without an error's name is a server that fails, such as one whose signing keys are missing."""
    response = yield oauth.token_request(client, form, secrets)
    if response.status >= 500 and not answers.error_object(response).get("error"):
        raise LookupUnavailable(answers.status_problem(response.status))
    return oauth.read_grant(client, response, former)


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    return Request(
        name=name,
        url=_url(account, path),
        query=query,
        auth=Bearer(account.grant.token),
        accept=JSON_API,
        large_answer=large,
    )


def post(account: Crm, name: str, path: str, data: dict[str, Any]) -> Request:
    return Request(
        name=name,
        method="POST",
        url=_url(account, path),
        json={"data": data},
        content_type=JSON_API,
        accept=JSON_API,
        auth=Bearer(account.grant.token),
        writes=True,
    )


def _url(account: Crm, path: str) -> str:
    return f"{account.settings.site}{account.settings.path}/Api/V8/{quote(path)}"


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupRefused and GrantExpired."""
    if response.status == 401:
        raise GrantExpired
    if not 200 <= response.status < 300:
        raise _refusal(response, said_by(response))
    return _first_object(response)


def _refusal(response: Response, said: str) -> LookupRefused:
    if NO_USER in said:
        return LookupRefused(NO_USER_TOLD, said, fault=Fault.RIGHTS)
    fault = next((fault for pattern, fault in FAULTS if pattern.search(said)), None)
    return answers.refused(fault, said) if fault else answers.refusal(response, said=said)


def said_by(response: Response) -> str:
    """The reason of a refusal, in SuiteCRM's words."""
    try:
        body = _first_object(response)
    except LookupRefused:
        return answers.one_line(answers.error_text(response), 300)
    return text_at(body, "errors.detail", 300) or text_at(body, "message", 300)


def _first_object(response: Response) -> dict[str, Any]:
    """The object with which the body begins. Raises LookupRefused."""
    text = answers.read_text(response).lstrip()
    if answers.is_web_page(response, text):
        raise LookupRefused(answers.NOT_THE_CRM, fault=Fault.ADDRESS)
    try:
        body, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise LookupRefused("the CRM's answer is not valid JSON") from error
    if not isinstance(body, dict):
        raise answers.refused(Fault.ANSWER)
    return body
