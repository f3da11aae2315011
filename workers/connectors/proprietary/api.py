"""The contract's settings, requests and errors.

Every path is below `/crmroute/v1` of the customer's address. With a signing secret each request carries a
signature over its moment, method, path and body. Errors are problem details (RFC 9457) of the types that the
contract lists; one of no known type is read by its status.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

from router.core.faults import Fault
from router.core.rules import Credentials
from workers.connectors import answers
from workers.connectors.records import rows, text_at
from workers.connectors.steps import (
    Account,
    Auth,
    Basic,
    Bearer,
    HeaderAuth,
    Request,
    Response,
    Signature,
    with_username_and_password,
)
from workers.errors import LookupRefused
from workers.secrets import Secret

ROOT = "/crmroute/v1"
SIGNATURE_HEADER = "Crmroute-Signature"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
"""Of a module or a field."""
TYPE = "urn:crmroute:"
PATH_SIGNS = "!$&'()*+,;=:@"
"""What a segment of a path may hold as it is (RFC 3986, 3.3): it is sent so, and signed so."""
FAULTS = {
    "unauthorized": Fault.CREDENTIALS,
    "forbidden": Fault.RIGHTS,
    "unknown-module": Fault.MODULE,
    "unknown-field": Fault.FIELD,
    "invalid-request": Fault.QUERY,
}
PROBLEMS = {
    "bad-signature": (
        Fault.CREDENTIALS,
        "the CRM refuses the signature: the signing secret is another, or a clock is wrong",
    ),
    "not-supported": (Fault.SETTINGS, "this CRM does not do that"),
}


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    auth: Literal["bearer", "basic", "header"] = "bearer"
    token: Secret = Secret()
    username: str = ""
    password: Secret = Secret()
    header_name: Annotated[str, Meta(pattern=r"^[Xx]-[A-Za-z0-9-]{1,60}$")] = "X-Api-Key"
    signing_secret: Secret = Secret()

    def __repr__(self) -> str:
        return f"Settings(auth={self.auth})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.auth == "basic" and not self.username:
            raise ValueError("auth = basic needs a username")
        if self.auth != "basic" and not self.token:
            raise ValueError(f"auth = {self.auth} needs a token")


Crm = Account[Settings]


def with_credentials(given: Mapping[str, Any], credentials: Credentials) -> dict[str, Any]:
    """A rule's own user and password make it basic authentication."""
    return with_username_and_password(given, credentials) | {"auth": "basic"}


def get(account: Crm, name: str, *path: str, large: bool = False) -> Request:
    return _request(account, name, "GET", path, large_answer=large)


def post(account: Crm, name: str, *path: str, body: dict[str, Any], writes: bool = False) -> Request:
    return _request(account, name, "POST", path, json=body, writes=writes)


def put(account: Crm, name: str, *path: str, body: dict[str, Any]) -> Request:
    """To write the same again does no harm, so a broken connection is tried again at once."""
    return _request(account, name, "PUT", path, json=body)


def _request(
    account: Crm, name: str, method: Literal["GET", "POST", "PUT"], parts: tuple[str, ...], **more: Any
) -> Request:
    settings = account.settings
    path = "/".join((ROOT, *(quote(part, safe=PATH_SIGNS) for part in parts)))
    signature = Signature(SIGNATURE_HEADER, settings.signing_secret, f"{method}\n{path}")
    return Request(
        name=name,
        method=method,
        url=settings.url.rstrip("/") + path,
        auth=_auth(settings),
        signature=signature if settings.signing_secret else None,
        **more,
    )


def _auth(settings: Settings) -> Auth:
    match settings.auth:
        case "basic":
            return Basic(settings.username, settings.password)
        case "header":
            return HeaderAuth(settings.header_name, settings.token)
    return Bearer(settings.token)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupRefused."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    body = answers.error_object(response)
    type_ = text_at(body, "type").removeprefix(TYPE)
    said = text_at(body, "detail", 300) or text_at(body, "title", 300)
    if type_ in PROBLEMS:
        fault, problem = PROBLEMS[type_]
        raise LookupRefused(problem, said, fault=fault)
    raise answers.refused(FAULTS[type_], said) if type_ in FAULTS else answers.refusal(response, said=said)


def listed(response: Response, key: str) -> list[dict[str, Any]]:
    """The objects that a success lists. Raises LookupRefused, also where there is no list."""
    found = answer(response).get(key)
    if not isinstance(found, list):
        raise answers.refused(Fault.ANSWER)
    return rows(found)
