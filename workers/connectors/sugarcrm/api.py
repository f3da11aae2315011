"""SugarCRM's settings, its sign-in in both APIs, and what both have in common."""

from hashlib import md5
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Meta, Struct

from router.core.call_logs import FinishedCall
from router.core.crm_catalog import CrmFieldType
from router.core.faults import Fault
from workers.connectors import answers, oauth
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Grant, OAuthClient, Request, Response, Steps
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

MODULES = ("Contacts", "Leads", "Accounts")
PERSONS = frozenset({"Contacts", "Leads", "Prospects"})
PHONES = {
    "Contacts": ("phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone"),
    "Leads": ("phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone"),
    "Accounts": ("phone_office", "phone_alternate"),
}
OTHER_PHONES = ("phone_work", "phone_mobile")
TYPES = {
    "phone": CrmFieldType.PHONE,
    "bool": CrmFieldType.BOOLEAN,
    "int": CrmFieldType.NUMBER,
    "decimal": CrmFieldType.NUMBER,
    "float": CrmFieldType.NUMBER,
    "currency": CrmFieldType.NUMBER,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "datetimecombo": CrmFieldType.MOMENT,
    "enum": CrmFieldType.CHOICE,
    "multienum": CrmFieldType.CHOICES,
    "relate": CrmFieldType.LINK,
}
LOGIN_REFUSED = 10
SESSION_ERRORS = frozenset({10, 11})
FAULTS = {20: Fault.MODULE, 40: Fault.RIGHTS, -1: Fault.ADDRESS}
WIZARD = "the CRM sends to another page: an administrator has to finish its setup wizard first"


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


Crm = Account[Settings]


def site(settings: Settings) -> str:
    return settings.url.rstrip("/")


def sign_in(settings: Settings, _former: Grant | None) -> Steps[Grant]:
    if settings.api == "v4_1":
        return (yield from _log_in(settings))
    client = OAuthClient(
        authorize_url="",
        token_url=f"{site(settings)}/rest/v11/oauth2/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        client_auth="json",
        token_extra=(("platform", settings.platform),),
    )
    return (yield from oauth.password(client, settings.username, settings.password))


def _log_in(settings: Settings) -> Steps[Grant]:
    """The password travels as its MD5, in hexadecimal digits: the service takes it in no other form."""
    digest = md5(settings.password.reveal().encode(), usedforsecurity=False).hexdigest()
    data = {
        "user_auth": {"user_name": settings.username, "password": digest, "version": "1"},
        "application_name": "crmroute",
        "name_value_list": [{"name": "notifyonsave", "value": "false"}],
    }
    response = yield call_service(settings, "token", "login", data, (settings.password, Secret(digest)))
    body = require_answer(response)
    if not isinstance(body, dict) or not text_at(body, "id"):
        raise answers.refused(Fault.CREDENTIALS)
    user = body.get("name_value_list")
    user_id = text_at(user, "user_id.value") if isinstance(user, dict) else ""
    return Grant(token=Secret(text_at(body, "id")), facts={"user": user_id, "name": settings.username})


def call_service(
    settings: Settings,
    name: str,
    method: str,
    data: dict[str, Any],
    secrets: tuple[Secret, ...],
    *,
    writes: bool = False,
) -> Request:
    """A call of the v4_1 service. The server takes the arguments by their order, whatever they are called."""
    return Request(
        name=name,
        method="POST",
        url=f"{site(settings)}/service/v4_1/rest.php",
        form=(
            ("method", method),
            ("input_type", "JSON"),
            ("response_type", "JSON"),
            ("rest_data", msgspec.json.encode(data).decode()),
        ),
        masked=frozenset({"rest_data"}) if method == "login" else frozenset(),
        secrets=secrets,
        large_answer=method in ("get_available_modules", "get_module_fields"),
        writes=writes,
    )


def require_answer(response: Response) -> Any:
    """What v4_1 answered. Its errors have status 200, and a number; the database's are plain text."""
    if 300 <= response.status < 400:
        raise LookupRefused(WIZARD, fault=Fault.ADDRESS)
    answers.require_success(response)
    text = answers.read_text(response)
    if text.lstrip().startswith("Database failure"):
        raise answers.refused(Fault.QUERY)
    if answers.is_web_page(response, text):
        raise LookupRefused(answers.NOT_THE_CRM, fault=Fault.ADDRESS)
    body = answers.read_json(text)
    if not isinstance(body, dict) or "number" not in body or "description" not in body:
        return body
    number, said = _number(body["number"]), text_at(body, "description", 300)
    if number in SESSION_ERRORS:
        raise GrantExpired("the CRM refused the user name or password, or the session is over", said)
    raise answers.refused(FAULTS.get(number, Fault.QUERY), said)


def _number(raw: Any) -> int:
    return int(raw) if isinstance(raw, int | str) and str(raw).lstrip("-").isdecimal() else 0


def activity_id(call: FinishedCall) -> str:
    """The id under which a call is written: the same for each attempt."""
    return str(uuid5(NAMESPACE_URL, f"crmroute:{call.tenant}:{call.call_id}"))
