"""HubSpot's settings, sign-in, requests and errors.

A record's page needs the account's number and its region's host. They are asked for once, at the sign-in, for
a fixed token too: a look-up then costs one request. A token answer names the number but not the host, so
between a person's sign-in and the first renewal, links lead by the host of the sign-in.

An error's category says little; its message tells an unknown kind of record, and the code of a detail an
unknown property. 403 is a missing scope, 401 a token that is no longer taken.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.addresses import parts_of
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Bearer, Grant, OAuthClient, Pairs, Request, Response, Steps
from workers.errors import GrantExpired, LookupRefused, LookupUnavailable
from workers.secrets import Secret

VERSION = "2026-03"
"""Of every path. HubSpot brings out a version each March and September, and keeps it for 18 months."""
MODULES = ("contacts", "companies")
MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}|[02]-[0-9]{1,10}")
PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
BUSY = frozenset({423, 477, *range(520, 530)})
"""Locked, moving to another region, and what the network in front says of a CRM that is away."""
BUSY_SECONDS = 2.0
NO_MODULE = ("Unable to infer object type", "Invalid object or event type id")
NO_PROPERTY = re.compile(r"PROPERTY_DOESNT_EXIST|(?i:propert[^.]{1,150}(does not|doesn't) exist)")
HOST = re.compile(r"[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,3}\.hubspot\.com")
Address = Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]+/?$", max_length=200)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    auth: Literal["token", "person"] = "token"
    token: Secret = Secret()
    client_id: str = ""
    client_secret: Secret = Secret()
    scopes: str = "oauth crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read"
    phone_fields: dict[str, str] = {}
    url: Address = "https://api.hubapi.com"
    sign_in_url: Address = "https://app.hubspot.com"

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
        return oauth.plain_grant(body, former, facts={"portal": text_at(body, "hub_id")})

    return OAuthClient(
        authorize_url=f"{settings.sign_in_url.rstrip('/')}/oauth/authorize",
        token_url=f"{settings.url.rstrip('/')}/oauth/{VERSION}/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=settings.scopes,
        has_pkce=False,
        read_grant=read,
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    """A fixed token is its own grant. Where the account tells nothing of itself, links are left out."""
    grant = Grant(token=settings.token)
    if settings.auth == "person":
        grant = yield from oauth.refresh(client_of(settings), former)
    if grant.facts.get("host"):
        return grant
    try:
        details = answer((yield ask(Account(settings, grant), "account", f"account-info/{VERSION}/details")))
    except LookupRefused:
        return grant
    except LookupUnavailable:
        if settings.auth == "token":
            raise
        return grant  # a renewed token is not given up for want of a link
    facts = {"portal": text_at(details, "portalId"), "host": text_at(details, "uiDomain")}
    return replace(grant, facts=facts)


def page(account: Crm, type_id: str, id_: str) -> str:
    """A record's page; empty where the account's number is not known."""
    portal, host = account.grant.facts.get("portal", ""), account.grant.facts.get("host", "")
    if HOST.fullmatch(host) is None:
        host = parts_of(account.settings.sign_in_url).netloc
    is_known = portal.isdecimal() and id_.isdecimal() and type_id
    return f"https://{host}/contacts/{portal}/record/{type_id}/{id_}" if is_known else ""


def ask(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    url = f"{account.settings.url.rstrip('/')}/{quote(path)}"
    return Request(name=name, url=url, query=query, auth=Bearer(account.grant.token), large_answer=large)


def post(account: Crm, name: str, path: str, body: dict[str, Any], *, writes: bool = False) -> Request:
    return replace(ask(account, name, path), method="POST", json=body, writes=writes)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupFailed."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    said = text_at(answers.error_object(response), "message", 300)
    if response.status == 401:
        raise GrantExpired(said=said)
    if response.status in BUSY:
        raise LookupUnavailable(answers.status_problem(response.status), BUSY_SECONDS, said=said)
    if said.startswith(NO_MODULE):
        raise answers.refused(Fault.MODULE, said)
    if response.status == 400 and NO_PROPERTY.search(answers.error_text(response)):
        raise answers.refused(Fault.FIELD, said)
    raise answers.refusal(response, said=said)
