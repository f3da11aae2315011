"""The middleware's settings, requests and errors, and the sign-in of an integration.

A token is a JWT of an hour. Errors are one line of plain text, so the status decides. Wrong credentials are
403 where a token is asked for. Status 500 is whatever fails behind the middleware, and also that its service
user is not logged in: then the middleware is asked for that, once.
"""

import base64
import binascii
import re
from collections.abc import Generator
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers
from workers.connectors.records import look_up, text_at
from workers.connectors.steps import Account, Basic, Bearer, Grant, Pairs, Request, Response, Steps
from workers.errors import GrantExpired, LookupRefused, LookupUnavailable, SignInNeeded
from workers.secrets import Secret

AN_HOUR = 3600.0
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
LOGGED_OUT = "the service user is not logged in behind the middleware: log the service user in again there"
FAILED = frozenset({500})
OUT_OF_ORDER = frozenset({500, 502, 503, 504})
HEADER_NAME = re.compile(
    r"(?i)(?!(host|content-.*|transfer-.*|connection|te|trailer|upgrade|expect)$)[a-z0-9_-]+"
)
HEADER_VALUE = re.compile(r"[\x20-\x7e]+")
Parameter = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
Id = Annotated[str, Meta(pattern=r"^[!-~]{0,100}$")]
ModelType = Literal[
    "id", "name", "phone", "modified", "text", "number", "boolean", "date", "moment", "choice"
]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#][^\s#]*$", max_length=2000)]
    kind: Literal["integration", "custom_source"] = "integration"
    object_types: tuple[str, ...] = ("Contact",)
    client_id: str = ""
    api_key: Secret = Secret()
    integration_id: Id = "crmroute"
    user_id: Id = ""
    username: str = ""
    password: Secret = Secret()
    repeats_logs: bool = False
    data_model: dict[str, ModelType] = {}
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, Secret] = {}
    number_format: Literal["e164", "national", "digits"] = "e164"
    number_parameter: Parameter = "number"
    fields_parameter: Parameter = "api_fields"
    input_parameter: Parameter = "caller_input"
    input_field_parameter: Parameter = "input_target_field"
    absent_is_404: bool = True

    def __repr__(self) -> str:
        return f"Settings(kind={self.kind})"

    def __post_init__(self) -> None:
        """Raises ValueError; no message holds a secret."""
        if not self.object_types:
            raise ValueError("object_types needs at least one")
        if self.kind == "integration":
            if not (self.client_id and self.api_key):
                raise ValueError("kind = integration needs client_id and api_key")
            if "?" in self.url:
                raise ValueError("the address of an integration has no query")
            return
        if not self.data_model:
            raise ValueError("kind = custom_source needs data_model: its fields, and their types")
        if len({name for _, name in self.parameters}) < len(self.parameters):
            raise ValueError("two parameters of the custom source have the same name")
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value.reveal()):
                raise ValueError(f"the header `{name[:40]!r}` cannot be sent")

    @property
    def parameters(self) -> Pairs:
        """What each parameter of a custom source carries, and its name there."""
        return (
            ("number", self.number_parameter),
            ("fields", self.fields_parameter),
            ("input", self.input_parameter),
            ("input_field", self.input_field_parameter),
        )


Crm = Account[Settings]
Asked = Generator[Request, Response, Response]


def sign_in(settings: Settings, _former: Grant | None) -> Steps[Grant]:
    response = yield Request(
        name="token",
        url=_url(settings, "token"),
        auth=Basic(settings.client_id, settings.api_key),
        headers=(("X-Integration-ID", Secret(settings.integration_id)),),
    )
    if response.status == 403:
        raise answers.refused(Fault.CREDENTIALS)
    token = text_at(answers.read_object(response), "token", 5000)
    if not token:
        raise answers.refused(Fault.ANSWER)
    grant = Grant(token=Secret(token), lives_seconds=lifetime(token))
    if settings.username:
        yield from _log_in(Account(settings, grant))
    return grant


def _log_in(account: Crm) -> Steps[None]:
    """The service user, where the middleware takes a user's name and password; 404 where it does not."""
    settings = account.settings
    body = {"username": settings.username, "password": settings.password.reveal()}
    request = post(account, "user", "auth/login", body=body)
    response = yield replace(request, secrets=(settings.password,))
    if response.status in (400, 401):
        raise LookupRefused("the middleware refused the service user's password", fault=Fault.CREDENTIALS)
    if response.status != 404:
        require(response)


def lifetime(token: str) -> float:
    """Seconds from the JWT's own moments, without verifying it; an hour where it has none."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        seconds = float(claims["exp"]) - float(claims["iat"])
    except (binascii.Error, ValueError, KeyError, TypeError, msgspec.MsgspecError):
        return AN_HOUR
    return seconds if 0 < seconds < 1e7 else AN_HOUR


def get(account: Crm, name: str, *path: str, query: Pairs = (), large: bool = False) -> Request:
    url = _url(account.settings, *path)
    return Request(name=name, url=url, query=query, large_answer=large, **_shown(account))


def post(account: Crm, name: str, *path: str, body: dict[str, Any]) -> Request:
    url = _url(account.settings, *path)
    return Request(name=name, method="POST", url=url, json=body, writes=True, **_shown(account))


def _url(settings: Settings, *path: str) -> str:
    """`auth/login` is two parts of a path; an id of the CRM's is one, whatever it holds."""
    first, *rest = path
    return "/".join((settings.url.rstrip("/"), "api/v1", first, *(quote(part, safe="") for part in rest)))


def _shown(account: Crm) -> dict[str, Any]:
    user = account.settings.user_id
    return {"auth": Bearer(account.grant.token), "headers": (("user_id", Secret(user)),) if user else ()}


def asked(account: Crm, request: Request, bad: Fault = Fault.QUERY) -> Asked:
    """The answer, when it is a success. `bad` is what a 400 means here. Raises LookupFailed.

    After a 500 a request that only reads is sent again, and then tried as any other.
    """
    response = yield replace(request, final_statuses=FAILED)
    if response.status == 500:
        status = yield replace(get(account, "status", "auth/status"), final_statuses=OUT_OF_ORDER)
        require_logged_in(account, answers.error_object(status))
        if request.writes:
            raise LookupUnavailable(answers.status_problem(500), said=answers.error_text(response))
        response = yield request
    return require(response, bad)


def require_logged_in(account: Crm, status: dict[str, Any]) -> None:
    """Raises GrantExpired where signing in anew logs the service user in, else SignInNeeded."""
    if look_up(status, "authorized")[1] is not False:
        return
    if account.settings.username:
        raise GrantExpired("the service user of the token is logged out")
    raise SignInNeeded(LOGGED_OUT)


def require(response: Response, bad: Fault = Fault.QUERY) -> Response:
    """The answer, when it is a success. Raises LookupFailed."""
    if 200 <= response.status < 300:
        return response
    said = answers.error_text(response)[:300]
    if response.status == 401:
        raise GrantExpired(said=said)
    if response.status == 400:
        raise answers.refused(Fault.MODULE if "object type" in said.lower() else bad, said)
    raise answers.refusal(response, said=said)


def decoded(response: Response) -> Any:
    """The JSON of a success."""
    text = answers.read_text(response)
    if answers.is_web_page(response, text):
        raise LookupRefused(answers.NOT_THE_CRM, fault=Fault.ADDRESS)
    return answers.read_json(text)
