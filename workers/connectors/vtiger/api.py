"""Vtiger's settings, sign-in, requests and errors.

Nearly every answer has status 200 and says in `success` whether it is one. ACCESS_DENIED means an unknown
module, an unknown field, a missing record or a missing right; its words tell which.
"""

import re
from hashlib import md5
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from router.core.faults import Fault
from workers.connectors import answers
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Basic, Grant, Pairs, Request, Response, Steps
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

MODULES = ("Contacts", "Leads", "Accounts")
SESSION_ERRORS = frozenset(
    {"INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE", "AUTHENTICATION_REQUIRED"}
)
SIGN_IN_ERRORS = frozenset({"INVALID_USER_CREDENTIALS", "INVALID_AUTH_TOKEN"})
_FIELD = re.compile(r"Permission to access .* attribute denied")
_MODULE = re.compile(r"denied for name")


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s?#]+$", max_length=300)]
    edition: Literal["open_source", "cloud"] = "open_source"
    username: str
    access_key: Secret

    def __repr__(self) -> str:
        return f"Settings({self.url!r})"


Crm = Account[Settings]


def site(settings: Settings) -> str:
    return settings.url.rstrip("/")


def sign_in(settings: Settings, _former: Grant | None) -> Steps[Grant]:
    """Another worker's challenge for the same user undoes ours: so once more with a new one."""
    try:
        return (yield from _log_in(settings))
    except LookupRefused as refused:
        if refused.said not in SIGN_IN_ERRORS:
            raise
    return (yield from _log_in(settings))


def _log_in(settings: Settings) -> Steps[Grant]:
    """The secret is the user's access key, never the password; it is hashed with the challenge."""
    url = f"{site(settings)}/webservice.php"
    query = (("operation", "getchallenge"), ("username", settings.username))
    challenge = text_at(_signed(_body((yield Request(name="challenge", url=url, query=query)))), "token")
    key = md5(f"{challenge}{settings.access_key.reveal()}".encode(), usedforsecurity=False).hexdigest()
    form = (("operation", "login"), ("username", settings.username), ("accessKey", key))
    request = Request(
        name="token",
        method="POST",
        url=url,
        form=form,
        secrets=(Secret(key), settings.access_key),
        writes=True,
    )
    result = _signed(_body((yield request)))
    session = text_at(result, "sessionName")
    if not session:
        raise answers.refused(Fault.CREDENTIALS)
    return Grant(token=Secret(session), facts={"user": text_at(result, "userId"), "name": settings.username})


def _signed(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("success") is True and isinstance(body.get("result"), dict):
        result: dict[str, Any] = body["result"]
        return result
    raise answers.refused(Fault.CREDENTIALS, text_at(body, "error.code"))


def get(account: Crm, name: str, operation: str, query: Pairs = (), *, large: bool = False) -> Request:
    url, auth, session = _way(account, operation)
    return Request(
        name=name,
        url=url,
        query=(*session, *query),
        auth=auth,
        secrets=(account.grant.token,),
        large_answer=large,
    )


def post(account: Crm, name: str, module: str, element: dict[str, Any]) -> Request:
    url, auth, session = _way(account, "create")
    form = (*session, ("elementType", module), ("element", msgspec.json.encode(element).decode()))
    return Request(
        name=name, method="POST", url=url, form=form, auth=auth, secrets=(account.grant.token,), writes=True
    )


def _way(account: Crm, operation: str) -> tuple[str, Basic | None, Pairs]:
    settings = account.settings
    if settings.edition == "cloud":
        url = f"{site(settings)}/restapi/v1/vtiger/default/{operation}"
        return url, Basic(settings.username, settings.access_key), ()
    session = (("operation", operation), ("sessionName", account.grant.token.reveal()))
    return f"{site(settings)}/webservice.php", None, session


def answer(response: Response) -> Any:
    """The result of a success. Raises LookupFailed."""
    if response.status == 401:
        raise GrantExpired("the CRM refused the user name or the access key")
    body = _body(response)
    if body.get("success") is True:
        return body.get("result")
    code, said = text_at(body, "error.code"), text_at(body, "error.message", 300)
    if code in SESSION_ERRORS:
        raise GrantExpired(said=said)
    raise answers.refused(_fault(code, said), said)


def _fault(code: str, said: str) -> Fault:
    if code == "ACCESS_DENIED" and _FIELD.search(said):
        return Fault.FIELD
    if code == "ACCESS_DENIED" and _MODULE.search(said):
        return Fault.MODULE
    return Fault.RIGHTS if code == "ACCESS_DENIED" else Fault.QUERY


def _body(response: Response) -> dict[str, Any]:
    """What is not JSON is an error: the database's come as a page with status 200."""
    return answers.read_object(response)
