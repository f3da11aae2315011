"""SugarCRM by REST v11, of Sugar 7 and later: who calls, what there is, and finished calls.

A filter compares stored text: each module is asked once for the last four digits in every usual grouping, and
the numbers that come back are compared here. Moments are ISO 8601 in this API.
"""

from typing import Any
from urllib.parse import quote

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from router.core.lookups import Record, plain_value
from workers.connectors import answers, moments, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.records import look_up, rows, text_at
from workers.connectors.steps import Findings, HeaderAuth, Pairs, Question, Request, Response, Steps
from workers.connectors.sugarcrm.api import MODULES, OTHER_PHONES, PERSONS, PHONES, TYPES, Crm, site
from workers.errors import GrantExpired

FAULTS = {
    "not_authorized": Fault.RIGHTS,
    "no_method": Fault.MODULE,
    "not_found": Fault.MODULE,
    "invalid_parameter": Fault.FIELD,
    "missing_parameter": Fault.QUERY,
    "incorrect_version": Fault.ADDRESS,
}
Names = tuple[str, ...]


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
        anyone = [{name: {"$contains": tail}} for name in listed for tail in phone.tails]
        found = yield from _filter(account, module, [{"$or": anyone}], (*fields, *listed))
        kept = [row for row in found if phone.is_one_of(map(row.get, listed))]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        found = yield from _filter(account, module, [{name: {"$equals": digits}}], (*fields, name))
        kept = [row for row in found if is_exactly(row.get(name), digits)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def _filter(account: Crm, module: str, filter_: list[Any], fields: Names) -> Steps[list[dict[str, Any]]]:
    """Values travel inside JSON: nothing is escaped."""
    own = ("first_name", "last_name") if module in PERSONS else ("name",)
    body = {
        "filter": filter_,
        "fields": ",".join(dict.fromkeys((*own, *fields))),
        "max_num": 100,
        "order_by": "date_modified:DESC",
    }
    return rows(_answer((yield _post(account, "find", f"{module}/filter", body))).get("records"))


def _findings(account: Crm, module: str, found: list[dict[str, Any]], fields: Names) -> Findings:
    missing = [field for field in fields if field not in found[0]]
    problem = f"the CRM has no field `{missing[0]}`, or hides it" if missing else ""
    return Findings(tuple(_record(account, module, row, fields) for row in found), problem)


def _record(account: Crm, module: str, row: dict[str, Any], fields: Names) -> Record:
    id_ = text_at(row, "id")
    name = text_at(row, "name") or f"{text_at(row, 'first_name')} {text_at(row, 'last_name')}"
    return Record(
        {field: plain_value(row[field]) for field in fields if field in row},
        id=id_,
        module=module,
        name=answers.one_line(name),
        link=f"{site(account.settings)}/#{module}/{id_}",
        modified_at=text_at(row, "date_modified") or None,
    )


def check(account: Crm) -> Steps[str]:
    body = _answer((yield _get(account, "user", "me")))
    return text_at(body, "current_user.full_name") or text_at(body, "current_user.user_name")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    query = (("type_filter", "full_module_list"),)
    listed = _answer((yield _get(account, "modules", "metadata", query))).get("full_module_list")
    pairs = listed.items() if isinstance(listed, dict) else ()
    return tuple(CrmModule(str(name), str(label)) for name, label in pairs if not str(name).startswith("_"))


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    module = names.module_name(module)
    query = (("type_filter", "modules"), ("module_filter", module))
    body = _answer((yield _get(account, "fields", "metadata", query)))
    listed = look_up(body, f"modules.{module}.fields")[1]
    if not isinstance(listed, dict):
        raise names.unknown_module(module)
    return tuple(_field(str(name), one) for name, one in listed.items() if isinstance(one, dict))


def _field(name: str, one: dict[str, Any]) -> CrmField:
    label = name.removesuffix("_c").replace("_", " ").capitalize()
    return CrmField(name, label, TYPES.get(text_at(one, "type"), CrmFieldType.TEXT), (), name.endswith("_c"))


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """The call's id stands at the end of the description, where a repeat looks for it."""
    if call.is_repeat:
        filter_ = [{"description": {"$contains": call.call_id}}]
        there = yield from _filter(account, "Calls", filter_, ())
        if there:
            return Logged(text_at(there[0], "id"), was_there=True)
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    body: dict[str, Any] = {
        "name": call.subject[:50],
        "date_start": moments.iso_utc(call.started_at),
        "duration_hours": hours,
        "duration_minutes": minutes,
        "direction": "Inbound",
        "status": "Held" if call.is_answered else "Not Held",
        "description": f"{call.subject}\n{moments.told(call)}\n{call.call_id}",
    }
    if call.record_id:
        body |= {"parent_type": call.module, "parent_id": call.record_id}
    id_ = text_at(_answer((yield _post(account, "log", "Calls", body, writes=True))), "id")
    link = {"Contacts": "contacts", "Leads": "leads"}.get(call.module)
    if call.record_id and link:
        linked = {"link_name": link, "ids": [call.record_id]}
        _answer((yield _post(account, "link", f"Calls/{id_}/link", linked, writes=True)))
    return Logged(id_)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    name = "last_name" if module in PERSONS else "name"
    body = {name: contact.name[:100], PHONES.get(module, OTHER_PHONES)[0]: contact.number}
    made = _answer((yield _post(account, "create", module, body, writes=True)))
    return _record(account, module, {"id": made.get("id"), name: contact.name}, ())


def _get(account: Crm, name: str, path: str, query: Pairs = ()) -> Request:
    return Request(name=name, url=_url(account, path), query=query, auth=_auth(account), large_answer=True)


def _post(account: Crm, name: str, path: str, body: dict[str, Any], *, writes: bool = False) -> Request:
    return Request(
        name=name, method="POST", url=_url(account, path), json=body, auth=_auth(account), writes=writes
    )


def _url(account: Crm, path: str) -> str:
    return f"{site(account.settings)}/rest/v11/{quote(path)}"


def _auth(account: Crm) -> HeaderAuth:
    return HeaderAuth("OAuth-Token", account.grant.token)


def _answer(response: Response) -> dict[str, Any]:
    """The object of a success. Raises LookupFailed."""
    if 200 <= response.status < 300:
        return answers.read_object(response)
    body = answers.error_object(response)
    code, said = text_at(body, "error"), text_at(body, "error_message", 300)
    if response.status == 401:
        raise GrantExpired(said=said)
    raise answers.refused(FAULTS[code], said) if code in FAULTS else answers.refusal(response, said=said)
