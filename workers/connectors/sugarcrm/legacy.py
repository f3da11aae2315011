"""SugarCRM by REST v4_1: who calls, what there is, and finished calls.

Numbers are compared as stored text, so each module is asked once, with LIKE for the national digits with
anything between them. Values come HTML-encoded and as text; a field that does not exist is left out in
silence. Moments are written as `YYYY-MM-DD HH:MM:SS` in UTC: any other form is accepted, and stored as
nothing.
"""

from html import unescape
from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, moments, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import sugar_sql
from workers.connectors.records import look_up, rows, text_at
from workers.connectors.steps import Findings, Question, Steps
from workers.connectors.sugarcrm.api import (
    MODULES,
    OTHER_PHONES,
    PERSONS,
    PHONES,
    TYPES,
    Crm,
    activity_id,
    call_service,
    require_answer,
    site,
)

Names = tuple[str, ...]
LINKS = {"Contacts": "contacts", "Leads": "leads"}


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields)
    modules = names.modules_of(question, MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        listed = PHONES.get(module, OTHER_PHONES)
        query = sugar_sql.any_like(module, listed, phone.like_pattern)
        found = yield from _entries(account, module, query, (*fields, *listed))
        kept = [values for values in found if phone.is_one_of(values.get(name) for name in listed)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        query = sugar_sql.equals(module, name, digits)
        found = yield from _entries(account, module, query, (*fields, name))
        kept = [values for values in found if is_exactly(values.get(name), digits)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def _entries(account: Crm, module: str, query: str, fields: Names) -> Steps[list[dict[str, Any]]]:
    own = ("first_name", "last_name") if module in PERSONS else ("name",)
    data = {
        "session": account.grant.token.reveal(),
        "module_name": module,
        "query": query,
        "order_by": f"{module.lower()}.date_modified DESC",
        "offset": 0,
        "select_fields": list(dict.fromkeys(("id", *own, "date_modified", *fields))),
        "link_name_to_fields_array": [],
        "max_results": 20,
        "deleted": 0,
        "favorites": False,
    }
    body = yield from _call(account, "find", "get_entry_list", data)
    return [_values(entry) for entry in rows(look_up(body, "entry_list")[1])]


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    """The fields of an entry, without the HTML entities; a list stands where there are none."""
    listed = entry.get("name_value_list")
    pairs = listed.items() if isinstance(listed, dict) else ()
    values = {str(name): _plain(look_up(one, "value")[1]) for name, one in pairs if isinstance(one, dict)}
    return {**values, "id": text_at(entry, "id")}


def _plain(raw: Any) -> Value:
    return plain_value(unescape(raw) if isinstance(raw, str) else raw)


def _findings(account: Crm, module: str, found: list[dict[str, Any]], fields: Names) -> Findings:
    missing = [field for field in fields if field not in found[0]]
    problem = f"the CRM has no field `{missing[0]}`, or hides it" if missing else ""
    return Findings(tuple(_record(account, module, values, fields) for values in found), problem)


def _record(account: Crm, module: str, values: dict[str, Any], fields: Names) -> Record:
    id_ = text_at(values, "id")
    name = text_at(values, "name") or f"{text_at(values, 'first_name')} {text_at(values, 'last_name')}"
    return Record(
        {field: values[field] for field in fields if field in values},
        id=id_,
        module=module,
        name=answers.one_line(name),
        link=f"{site(account.settings)}/index.php?module={module}&action=DetailView&record={id_}",
        modified_at=text_at(values, "date_modified") or None,
    )


def check(account: Crm) -> Steps[str]:
    user = yield from _call(account, "user", "get_user_id", {"session": account.grant.token.reveal()})
    if not user:
        raise answers.refused(Fault.CREDENTIALS)
    return account.grant.facts.get("name", "")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    data = {"session": account.grant.token.reveal(), "filter": "default"}
    listed = rows(
        look_up((yield from _call(account, "modules", "get_available_modules", data)), "modules")[1]
    )
    return tuple(CrmModule(text_at(one, "module_key"), text_at(one, "module_label")) for one in listed)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    data = {"session": account.grant.token.reveal(), "module_name": names.module_name(module), "fields": []}
    listed = look_up((yield from _call(account, "fields", "get_module_fields", data)), "module_fields")[1]
    pairs = listed.items() if isinstance(listed, dict) else ()
    return tuple(_field(str(name), one) for name, one in pairs if isinstance(one, dict))


def _field(name: str, one: dict[str, Any]) -> CrmField:
    options = one.get("options")
    listed = options.values() if isinstance(options, dict) else ()
    choices = [
        Choice(text_at(item, "name"), text_at(item, "value")) for item in listed if isinstance(item, dict)
    ]
    label = unescape(text_at(one, "label")).rstrip(":") or name
    type_ = TYPES.get(text_at(one, "type"), CrmFieldType.TEXT)
    return CrmField(
        name, label, type_, tuple(choice for choice in choices if choice.value), name.endswith("_c")
    )


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """An id that exists is updated, one that does not is made: so a repeat writes the same again."""
    id_ = activity_id(call)
    was_there = False
    if call.is_repeat:
        query = sugar_sql.equals("Calls", "id", id_)
        was_there = bool((yield from _entries(account, "Calls", query, ())))
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    values = {
        "id": id_,
        "name": call.subject[:50],
        "date_start": moments.spaced_utc(call.started_at),
        "duration_hours": str(hours),
        "duration_minutes": str(minutes),
        "direction": "Inbound",
        "status": "Held" if call.is_answered else "Not Held",
        "description": f"{call.subject}\n{moments.told(call)}",
        "assigned_user_id": account.grant.facts.get("user", ""),
    }
    if call.record_id:
        values |= {"parent_type": call.module, "parent_id": call.record_id}
    yield from _write(account, "log", "Calls", values)
    if call.record_id and call.module in LINKS:
        yield from _link(account, id_, LINKS[call.module], call.record_id)
    return Logged(id_, was_there=was_there)


def _link(account: Crm, id_: str, link: str, record_id: str) -> Steps[None]:
    data = {
        "session": account.grant.token.reveal(),
        "module_name": "Calls",
        "module_id": id_,
        "link_field_name": link,
        "related_ids": [record_id],
        "name_value_list": [],
        "delete": 0,
    }
    yield from _call(account, "link", "set_relationship", data, writes=True)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    name = "last_name" if module in PERSONS else "name"
    values = {name: contact.name[:100], PHONES.get(module, OTHER_PHONES)[0]: contact.number}
    made = yield from _write(account, "create", module, values)
    return _record(account, module, {"id": look_up(made, "id")[1], name: contact.name}, ())


def _write(account: Crm, name: str, module: str, values: dict[str, str]) -> Steps[Any]:
    listed = [{"name": key, "value": value} for key, value in values.items()]
    data = {"session": account.grant.token.reveal(), "module_name": module, "name_value_list": listed}
    return (yield from _call(account, name, "set_entry", data, writes=True))


def _call(account: Crm, name: str, method: str, data: dict[str, Any], *, writes: bool = False) -> Steps[Any]:
    secrets = (account.grant.token,)
    body = require_answer((yield call_service(account.settings, name, method, data, secrets, writes=writes)))
    if body is None or (isinstance(body, list) and not body):
        return {}
    return body
