"""Dynamics' settings, requests and errors, for both of its APIs.

Without a valid token many paths answer a redirect to a sign-in page, or that page itself with status 200:
both say that the sign-in is over.
"""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Auth, Bearer, Ntlm, Pairs, Request, Response
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

SIGNED_OUT = "the CRM answered its sign-in page, or another web page, in place of data"
ODATA_4 = (
    ("OData-MaxVersion", Secret("4.0")),
    ("OData-Version", Secret("4.0")),
    ("Prefer", Secret('odata.include-annotations="OData.Community.Display.V1.FormattedValue"')),
)
EXISTING = (("If-Match", Secret("*")),)
"""An update of a record that is not there must not make one."""
FAULTS = (
    (re.compile(r"resource not found for the segment|find an entity with", re.IGNORECASE), Fault.MODULE),
    (re.compile(r"property named '|no property '", re.IGNORECASE), Fault.FIELD),
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    api: Literal["web", "2015"] = "web"
    version: Annotated[str, Meta(pattern=r"^v[89]\.[0-9]$")] = "v9.2"
    sign_in: Literal["client", "ntlm", "adfs"] = "client"
    directory: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{0,100}$")] = ""
    client_id: str = ""
    client_secret: Secret = Secret()
    authority: Annotated[str, Meta(pattern=r"^((?i:https?)://[^\s/?#]+/?)?$", max_length=200)] = ""
    username: str = ""
    password: Secret = Secret()
    matching: Literal["parts", "exact"] = "parts"

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.sign_in == "client" and not (self.directory and self.client_id and self.client_secret):
            raise ValueError("sign_in = client needs directory, client_id and client_secret")
        if self.sign_in == "client" and self.api == "2015":
            raise ValueError("api = 2015 needs sign_in = ntlm or adfs")
        if self.sign_in == "adfs" and not (self.authority and self.client_id):
            raise ValueError("sign_in = adfs needs authority and client_id")
        if self.sign_in == "ntlm" and not (self.username and self.password):
            raise ValueError("sign_in = ntlm needs username and password")

    @property
    def site(self) -> str:
        """The organisation's address, without a slash at its end."""
        return self.url.rstrip("/")

    @property
    def is_web(self) -> bool:
        return self.api == "web"


Crm = Account[Settings]


def auth_of(account: Crm) -> Auth:
    settings = account.settings
    is_ntlm = settings.sign_in == "ntlm"
    return Ntlm(settings.username, settings.password) if is_ntlm else Bearer(account.grant.token)


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    return _request(account, name, path, query=query, large_answer=large)


def post(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    return _request(account, name, path, method="POST", json=body, writes=True)


def patch(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    """The Web API's update."""
    headers = (*ODATA_4, *EXISTING)
    return _request(account, name, path, method="PATCH", json=body, headers=headers, writes=True)


def _request(account: Crm, name: str, path: str, **more: Any) -> Request:
    settings = account.settings
    service = f"api/data/{settings.version}" if settings.is_web else "XRMServices/2011/OrganizationData.svc"
    given = {
        "url": f"{settings.site}/{service}/{path}",
        "headers": ODATA_4 if settings.is_web else (),
        "auth": auth_of(account),
        "accept": "application/json",
    }
    return Request(name=name, **(given | more))


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupRefused and GrantExpired."""
    require(response)
    return answers.json_object(response)


def require(response: Response) -> None:
    """Raises LookupRefused and GrantExpired for anything but a success of the CRM's own."""
    require_signed_in(response)
    if 200 <= response.status < 300:
        return
    said = said_by(response)
    fault = next((fault for pattern, fault in FAULTS if pattern.search(said)), None)
    raise answers.refused(fault, said) if fault else answers.refusal(response, said=said)


def require_signed_in(response: Response, *, is_xml: bool = False) -> None:
    """Raises GrantExpired for a refused token or password, and for a sign-in page."""
    if response.status == 401:
        raise GrantExpired(answers.status_problem(401))
    is_due = is_xml and response.content_type.endswith("xml")
    is_page = response.status == 200 and answers.is_web_page(response, answers.read_text(response))
    if 300 <= response.status < 400 or (is_page and not is_due):
        raise GrantExpired(SIGNED_OUT)


def said_by(response: Response) -> str:
    """The reason of a refusal: OData 2 has it with its language."""
    body = answers.error_object(response)
    said = text_at(body, "error.message.value", 300) or text_at(body, "error.message", 300)
    return said or answers.one_line(answers.error_text(response), 300)


def unreadable() -> LookupRefused:
    return answers.refused(Fault.ANSWER)
