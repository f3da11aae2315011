"""Zoho's settings, sign-in, requests and errors.

A client, its tokens and the organisation live in one data centre. The token's answer names the host to ask,
unless the settings name another one, as for a sandbox. The token endpoint tells its errors with status 200,
and gives ten tokens in ten minutes to a refresh token, no more.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import rows, text_at
from workers.connectors.steps import (
    Account,
    Grant,
    HeaderAuth,
    OAuthClient,
    Pairs,
    Request,
    Response,
    Steps,
)
from workers.errors import GrantExpired, LookupFailed, LookupRefused, SignInNeeded
from workers.secrets import Secret

MODULES = ("Contacts", "Leads", "Accounts")
FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}(\.id)?")
SCOPE = (
    "ZohoCRM.modules.ALL,ZohoSearch.securesearch.READ,ZohoCRM.coql.READ,ZohoCRM.settings.modules.READ,"
    "ZohoCRM.settings.fields.READ,ZohoCRM.org.READ"
)
ENDINGS = {
    "us": "com",
    "au": "com.au",
    "cn": "com.cn",
    **{own: own for own in ("eu", "in", "jp", "sa", "ca")},
}
VENDOR = tuple(f"zohoapis.{ending}" for ending in ENDINGS.values())
TOO_MANY_TOKENS = "access denied"
FAULTS = {
    "OAUTH_SCOPE_MISMATCH": Fault.RIGHTS,
    "NO_PERMISSION": Fault.RIGHTS,
    "AUTHORIZATION_FAILED": Fault.RIGHTS,
    "INVALID_MODULE": Fault.MODULE,
    "NOT_SUPPORTED": Fault.MODULE,
    "INVALID_QUERY": Fault.FIELD,
    "INVALID_DATA": Fault.FIELD,
    "MANDATORY_NOT_FOUND": Fault.FIELD,
    "INVALID_URL_PATTERN": Fault.ADDRESS,
}
EXPIRED = frozenset({"INVALID_TOKEN", "AUTHENTICATION_FAILURE"})
Address = Annotated[str, Meta(pattern=r"^((?i:https?)://[^\s/?#]+/?)?$", max_length=200)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    data_centre: Literal["us", "eu", "in", "jp", "sa", "au", "cn", "ca"] = "us"
    client_id: str
    client_secret: Secret
    refresh_token: Secret = Secret()
    accounts_url: Address = ""
    url: Address = ""

    def __repr__(self) -> str:
        return f"Settings({self.data_centre!r})"

    @property
    def domain(self) -> str:
        """Of the sign-in and of the pages that people see."""
        return "zohocloud.ca" if self.data_centre == "ca" else f"zoho.{ENDINGS[self.data_centre]}"


Crm = Account[Settings]


def client_of(settings: Settings) -> OAuthClient:
    site = settings.accounts_url.rstrip("/") or f"https://accounts.{settings.domain}"
    own = settings.url.rstrip("/")
    usual = f"https://www.zohoapis.{ENDINGS[settings.data_centre]}"

    def read(body: dict[str, Any], former: Grant | None) -> Grant:
        named = str(body.get("api_domain") or usual)
        return oauth.plain_grant(body, former, base_url=own or oauth.trusted_base(named, usual, VENDOR))

    return OAuthClient(
        authorize_url=f"{site}/oauth/v2/auth",
        token_url=f"{site}/oauth/v2/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=SCOPE,
        authorize_extra=(("access_type", "offline"), ("prompt", "consent")),
        has_pkce=False,
        read_grant=read,
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    """By the refresh token of the settings, else by the one that a person's sign-in brought.

    The organisation's number, which links need, is asked for once.
    """
    token = settings.refresh_token or (former.refresh_token if former else Secret())
    if not token:
        raise SignInNeeded("nobody has signed in to the CRM yet")
    client = client_of(settings)
    form: Pairs = (("grant_type", "refresh_token"), ("refresh_token", token.reveal()))
    response = yield oauth.token_request(client, form, secrets=(token,))
    if text_at(answers.error_object(response), "error").lower() == TOO_MANY_TOKENS:
        raise LookupRefused("the CRM gives no more tokens for some minutes", fault=Fault.THROTTLED)
    # A token of the settings is theirs: only they can replace it, and no person's sign-in.
    grant = oauth.read_grant(client, response, None if settings.refresh_token else former)
    facts = former.facts if former else {}
    if not facts.get("org"):
        facts = yield from _organisation(Account(settings, grant))
    return replace(grant, facts=facts)


def _organisation(account: Crm) -> Steps[dict[str, str]]:
    """A token is not given up for want of links."""
    try:
        listed = rows(answer((yield get(account, "org", "org"))).get("org"))
    except LookupFailed:
        return {}
    return {"org": text_at(listed[0], "zgid")} if listed else {}


def get(account: Crm, name: str, path: str, query: Pairs = (), *, large: bool = False) -> Request:
    token = account.grant.token
    return Request(
        name=name,
        url=f"{account.grant.base_url}/crm/v8/{quote(path)}",
        query=query,
        auth=HeaderAuth("Authorization", Secret(f"Zoho-oauthtoken {token.reveal()}")),
        secrets=(token,),
        large_answer=large,
    )


def post(account: Crm, name: str, path: str, body: dict[str, Any], *, writes: bool = False) -> Request:
    return replace(get(account, name, path), method="POST", json=body, writes=writes)


def answer(response: Response) -> dict[str, Any]:
    """The object of a success; nothing found is status 204 without a body. Raises LookupFailed."""
    if response.status in (204, 304):
        return {}
    if 200 <= response.status < 300:
        return answers.read_object(response)
    code, said = error_of(answers.error_object(response))
    if code in EXPIRED or (response.status == 401 and code not in FAULTS):
        raise GrantExpired(said=said)
    raise answers.refused(FAULTS[code], said) if code in FAULTS else answers.refusal(response, said=said)


def written(response: Response) -> str:
    """The id of a record that was written; an error may stand inside a success. Raises LookupFailed."""
    body = answer(response)
    id_ = next(
        (text_at(row, "details.id") for row in rows(body.get("data")) if row.get("code") == "SUCCESS"), ""
    )
    if id_:
        return id_
    code, said = error_of(body)
    raise answers.refused(FAULTS.get(code, Fault.QUERY), said)


def error_of(body: dict[str, Any]) -> tuple[str, str]:
    """An error's code, and Zoho's words with the name of what they are about."""
    listed = rows(body.get("data"))
    error = listed[0] if listed else body
    said = text_at(error, "message", 300)
    about = text_at(error, "details.api_name") or text_at(error, "details.column_name")
    return text_at(error, "code"), f"{said} ({about})" if about else said
