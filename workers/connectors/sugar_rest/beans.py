"""SugarCRM's records, which it calls beans: modules, phone fields, types, values, and the call activity.

They are the same in SugarCRM's and SuiteCRM's APIs, although each API writes them in its own way. A value is
kept as it comes: the older APIs write a number as text and a boolean as "0" and "1". An option of a list is
what the database has, for no answer carries its label.

A link to another record has two fields, such as `account_name` and `account_id`. A rule names the first, and
with `.id` behind it the second.
"""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import NAMESPACE_URL, uuid5

from router.core.call_logs import FinishedCall, NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, moments, names
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Findings, Steps
from workers.secrets import Secret

MODULES = ("Contacts", "Leads", "Accounts")
PERSONS = frozenset({"Contacts", "Leads", "Prospects"})
PERSONAL = ("phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone")
PHONES = {
    "Contacts": PERSONAL,
    "Leads": PERSONAL,
    "Prospects": PERSONAL,
    "Accounts": ("phone_office", "phone_alternate"),
}
OTHER_PHONES = ("phone_work", "phone_mobile")
"""Of a module that is not listed above."""
LINKS = {"Contacts": "contacts", "Leads": "leads"}
"""The links by which a call has participants; any other record is its parent only."""
FIELD = re.compile(rf"{names.WORD.pattern}(\.id)?")
IDS = {
    "report_to_name": "reports_to_id",
    "modified_by_name": "modified_user_id",
    "created_by_name": "created_by",
}
"""Links whose id is not called as their name is."""
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
    "dynamicenum": CrmFieldType.CHOICE,
    "radioenum": CrmFieldType.CHOICE,
    "multienum": CrmFieldType.CHOICES,
    "relate": CrmFieldType.LINK,
}
SUBJECT_MOST = 50
"""Signs of a call's name; the database may refuse more."""
_SEVERAL = re.compile(r"\^[^^]*\^(,\^[^^]*\^)*")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LINKED = re.compile(r"\w+_(name|id)")
Names = tuple[str, ...]
Bean = Mapping[str, Any]


class SugarSettings(Protocol):
    """What both connectors' settings have."""

    @property
    def api(self) -> str: ...
    @property
    def site(self) -> str:
        """Where agents open it, without a slash at the end."""

    @property
    def service(self) -> str:
        """The address of the service v4_1."""

    @property
    def username(self) -> str: ...
    @property
    def password(self) -> Secret: ...


S = TypeVar("S", bound=SugarSettings)
P = ParamSpec("P")
R = TypeVar("R")
Ability = Callable[Concatenate[Account[S], P], Steps[R]]


def by_api(**apis: Ability[S, P, R]) -> Ability[S, P, R]:
    """One of a connector's abilities, as the API that its settings name does it."""

    def ask(account: Account[S], /, *args: P.args, **kwargs: P.kwargs) -> Steps[R]:
        return apis[account.settings.api](account, *args, **kwargs)

    return ask


def phones_of(module: str) -> Names:
    return PHONES.get(module, OTHER_PHONES)


def own_name(module: str) -> Names:
    """The fields that a record is called by."""
    return ("first_name", "last_name") if module in PERSONS else ("name",)


def stored(field: str) -> str:
    """The CRM's field for a rule's: `account_id` for `account_name.id`."""
    name = field.removesuffix(".id")
    if name == field:
        return name
    return IDS.get(name) or (f"{name.removesuffix('_name')}_id" if name.endswith("_name") else name)


def selected(module: str, fields: Names) -> Names:
    """All fields that a look-up asks for: the record's name, its change, and the rule's."""
    return tuple(dict.fromkeys((*own_name(module), "date_modified", *map(stored, fields))))


def decoded(raw: Any) -> dict[str, Any]:
    """The fields of an answer that writes HTML entities in its texts."""
    pairs = raw.items() if isinstance(raw, dict) else ()
    return {str(name): unescape(value) if isinstance(value, str) else value for name, value in pairs}


def findings(page: str, module: str, beans: list[Bean], fields: Names) -> Findings:
    """The latest first; with a problem where a field is in none of them."""
    latest = sorted(beans, key=lambda bean: text_at(dict(bean), "date_modified"), reverse=True)
    missing = [field for field in fields if not any(stored(field) in bean for bean in latest)]
    there = tuple(field for field in fields if field not in missing or _LINKED.fullmatch(stored(field)))
    records = tuple(record(page, module, bean, there) for bean in latest)
    return Findings(records, "; ".join(map(_lacks, missing)))


def _lacks(field: str) -> str:
    """v4_1 leaves out a link that leads nowhere just as a field that does not exist."""
    if _LINKED.fullmatch(stored(field)):
        return f"the answer lacks the field `{field}`: it is empty, or there is no such field"
    return names.unknown_field(field).problem


def record(page: str, module: str, bean: Bean, fields: Names) -> Record:
    """`page` is the address of a record on an agent's screen, with `{module}` and `{id}` in it."""
    own = dict(bean)
    id_, changed = text_at(own, "id"), text_at(own, "date_modified")
    name = text_at(own, "name") or f"{text_at(own, 'first_name')} {text_at(own, 'last_name')}"
    return Record(
        {field: _value(bean.get(stored(field))) for field in fields},
        id=id_,
        module=module,
        name=answers.one_line(name),
        link=page.replace("{module}", module).replace("{id}", id_) if _ID.fullmatch(id_) else "",
        modified_at=_MOMENT.sub(r"\1T\2Z", changed) or None,
    )


def _value(raw: Any) -> Value:
    """Several options of a list are one text in the database: `^Gold^,^Silver^`."""
    if isinstance(raw, str) and _SEVERAL.fullmatch(raw):
        return plain_value(raw.strip("^").split("^,^"))
    return plain_value(raw)


def readable(name: str) -> str:
    """A label for a field of which the API tells none: `Phone work`."""
    return name.removesuffix("_c").replace("_", " ").strip().capitalize()


def activity(call: FinishedCall, date_start: str) -> dict[str, str | int]:
    """The finished call as a bean of the module Calls; its duration is in whole minutes.

    `date_start` is the call's moment in UTC, as the API takes it.
    """
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    whole_subject = f"{call.subject}\n" if len(call.subject) > SUBJECT_MOST else ""
    bean: dict[str, str | int] = {
        "name": call.subject[:SUBJECT_MOST],
        "date_start": date_start,
        "duration_hours": hours,
        "duration_minutes": minutes,
        "direction": "Inbound",
        "status": "Held" if call.is_answered else "Not Held",
        "description": f"{whole_subject}{moments.told(call)}",
    }
    return bean | ({"parent_type": call.module, "parent_id": call.record_id} if call.record_id else {})


def activity_id(call: FinishedCall) -> str:
    """The id under which a call is written: the same for each attempt."""
    return str(uuid5(NAMESPACE_URL, f"crmroute:{call.tenant}:{call.call_id}"))


def newcomer(contact: NewContact) -> dict[str, str]:
    """An unknown caller as a bean."""
    return {
        own_name(contact.module)[-1]: contact.name[:100],
        phones_of(contact.module)[0]: contact.number,
    }
