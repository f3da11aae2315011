"""Pipedrive's settings, sign-in, requests and errors.

A record's page stands at the company's own address. A person's sign-in names it, and is asked there from then
on; for a fixed token it is asked for once.

Whoever goes on after status 429 is answered by the network in front of Pipedrive with 403 and a web page:
that is the quota, and no missing right.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import (
    Account,
    Bearer,
    Grant,
    HeaderAuth,
    OAuthClient,
    Pairs,
    Request,
    Response,
    Steps,
)
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

MODULES = ("persons", "organizations")
VENDOR = ("pipedrive.com",)
COMPANY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
Address = Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]+/?$", max_length=200)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    auth: Literal["token", "person"] = "token"
    token: Secret = Secret()
    client_id: str = ""
    client_secret: Secret = Secret()
    log_as: Literal["call_log", "activity"] = "call_log"
    url: Address = "https://api.pipedrive.com"
    sign_in_url: Address = "https://oauth.pipedrive.com"

    def __repr__(self) -> str:
        return f"Settings({self.auth!r})"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.auth == "token" and not self.token:
            raise ValueError("auth = token needs a token")
        if self.auth == "person" and not (self.client_id and self.client_secret):
            raise ValueError("auth = person needs client_id and client_secret")


Crm = Account[Settings]


def client_of(settings: Settings) -> OAuthClient:
    def read(body: dict[str, Any], former: Grant | None) -> Grant:
        site = oauth.trusted_base(str(body.get("api_domain") or settings.url), settings.url, VENDOR)
        return oauth.plain_grant(body, former, base_url=site, facts={"site": site})

    site = settings.sign_in_url.rstrip("/")
    return OAuthClient(
        authorize_url=f"{site}/oauth/authorize",
        token_url=f"{site}/oauth/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        client_auth="basic",
        has_pkce=False,
        read_grant=read,
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    """A fixed token is its own grant."""
    if settings.auth == "person":
        return (yield from oauth.refresh(client_of(settings), former))
    grant = Grant(token=settings.token)
    try:
        user = answer((yield ask(Account(settings, grant), "user", "v1/users/me")))
    except LookupRefused:
        return grant  # look-ups go on without links
    company = text_at(user, "data.company_domain").lower()
    site = f"https://{company}.pipedrive.com" if COMPANY.fullmatch(company) else ""
    return replace(grant, facts={"site": site})


def page(account: Crm, kind: str, id_: str) -> str:
    """A record's page; empty where the company's address is not known."""
    site = account.grant.facts.get("site")
    return f"{site}/{kind}/{id_}" if site and id_.isdecimal() else ""


def ask(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    grant, is_person = account.grant, account.settings.auth == "person"
    auth = Bearer(grant.token) if is_person else HeaderAuth("x-api-token", grant.token)
    url = f"{grant.base_url or account.settings.url.rstrip('/')}/{quote(path)}"
    return Request(name=name, url=url, query=query, auth=auth, large_answer=large)


def post(account: Crm, name: str, path: str, body: dict[str, Any]) -> Request:
    return replace(ask(account, name, path), method="POST", json=body, writes=True)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success, whose `data` holds what was asked for. Raises LookupFailed."""
    if 200 <= response.status < 300:
        body = answers.read_object(response)
        if body.get("success") is not False:
            return body
        raise answers.refused(Fault.ANSWER, text_at(body, "error", 300))
    said = text_at(answers.error_object(response), "error", 300)
    if response.status == 401:
        raise GrantExpired(said=said)
    if response.status == 403 and answers.is_web_page(response, answers.read_text(response)):
        raise answers.throttled()
    is_of_field = response.status in (400, 422) and "field" in said.lower()
    raise answers.refused(Fault.FIELD, said) if is_of_field else answers.refusal(response, said=said)
