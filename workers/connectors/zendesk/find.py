"""Zendesk: who calls.

A caller's national digits are searched with a wildcard in front, as Zendesk advises, which spans every way of
writing a number; what comes back is compared here. Fewer than seven digits would mean many, and are searched
as they are. A number that several users share brings them all. A user's further numbers, which are
identities, are not searched; nor is a suspended or inactive user taken for anybody. The index lags some
minutes behind the records.

An organisation has no number: it is found through its users. A rule's field is a user's own, one of its
custom fields, or with `organization.` in front one of its organisation, which costs one more request for all
of them. A drop-down's value is its tag. Keyed digits are searched in the module's own field; `external_id` is
a parameter that matches exactly.

Sources: Zendesk's page on the user id of a caller, its search reference and its Support API description.
"""

from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import zendesk_search
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Findings, Pairs, Question, Steps
from workers.connectors.zendesk.api import FIELD, KEY, MODULE, MODULES, Crm, answer, get, page

OF_ORGANIZATION = "organization."
CUSTOM = {"users": "user_fields", "organizations": "organization_fields"}
LATEST: Pairs = (("sort_by", "updated_at"), ("sort_order", "desc"), ("per_page", "100"))
Names = tuple[str, ...]
Item = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, FIELD)
    modules = names.modules_of(question, MODULES[:1], MODULE)
    for module in modules:
        if module not in MODULES:
            raise names.unknown_module(module)
    is_number = is_by_number(question)
    callers = (yield from _callers(account, Phone(question))) if is_number else []
    for module in modules:
        if not is_number:
            items = yield from _by_digits(account, module, question)
        elif module == "organizations":
            items = yield from _organizations(account, callers)
        else:
            items = callers
        if items:
            return (yield from _findings(account, module, items, fields))
    return Findings()


def _callers(account: Crm, phone: Phone) -> Steps[list[Item]]:
    if not phone.is_askable:
        return []
    found = yield from _search(account, zendesk_search.by_phone(phone.national))
    return [user for user in found if phone.is_one_of((user.get("phone"),))]


def _by_digits(account: Crm, module: str, question: Question) -> Steps[list[Item]]:
    name, digits = names.digits_field(question, KEY), question.job.key.subject
    if name == "external_id":
        response = yield get(account, "search", f"{module}/search.json", (("external_id", digits),))
        found = [item for item in rows(answer(response).get(module)) if _is_usable(item)]
    else:
        found = yield from _search(account, zendesk_search.by_field(module, name, digits))
    return [item for item in found if is_exactly(_own(module, item, name)[1], digits)]


def _search(account: Crm, query: str) -> Steps[list[Item]]:
    """The latest first."""
    found = answer((yield get(account, "search", "search.json", (("query", query), *LATEST)))).get("results")
    return [item for item in rows(found) if _is_usable(item)]


def _is_usable(item: Item) -> bool:
    return item.get("suspended") is not True and item.get("active") is not False


def _organizations(account: Crm, users: list[Item]) -> Steps[list[Item]]:
    """Of these users, all in one request."""
    ids = dict.fromkeys(id_ for user in users if (id_ := text_at(user, "organization_id")).isdecimal())
    if not ids:
        return []
    query = (("ids", ",".join(ids)),)
    response = yield get(account, "organizations", "organizations/show_many.json", query)
    return rows(answer(response).get("organizations"))


def _findings(account: Crm, module: str, items: list[Item], fields: Names) -> Steps[Findings]:
    behind: dict[str, Item] = {}
    if module == "users" and any(field.startswith(OF_ORGANIZATION) for field in fields):
        behind = {text_at(one, "id"): one for one in (yield from _organizations(account, items))}
    missing: dict[str, None] = {}
    records = []
    for item in items:
        organization = item if module == "organizations" else behind.get(text_at(item, "organization_id"))
        read = {field: _value(module, item, organization, field) for field in fields}
        missing |= dict.fromkeys(field for field, (is_there, _) in read.items() if not is_there)
        values = {field: raw for field, (is_there, raw) in read.items() if is_there}
        records.append(record(account, module, item, values))
    return Findings(tuple(records), "; ".join(names.unknown_field(field).problem for field in missing))


def _value(module: str, item: Item, organization: Item | None, field: str) -> tuple[bool, Any]:
    """Whether the field is there, and what it holds. Without an organisation, its fields are empty."""
    if not field.startswith(OF_ORGANIZATION):
        return _own(module, item, field)
    if organization is None:
        return True, None
    return _own("organizations", organization, field.removeprefix(OF_ORGANIZATION))


def _own(module: str, item: Item, name: str) -> tuple[bool, Any]:
    custom = item.get(CUSTOM[module])
    held = custom if isinstance(custom, dict) and name in custom else item
    return name in held, held.get(name)


def record(account: Crm, module: str, item: Item, values: dict[str, Any]) -> Record:
    id_ = text_at(item, "id")
    return Record(
        {field: plain_value(raw) for field, raw in values.items()},
        id=id_,
        module=module,
        name=text_at(item, "name"),
        link=page(account, module, id_),
        modified_at=text_at(item, "updated_at") or None,
    )
