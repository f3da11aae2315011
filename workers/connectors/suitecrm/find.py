"""SuiteCRM: who calls.

Numbers are compared as stored text, and one condition is possible for each field and operator: so one request
a module asks all phone fields with LIKE for the national digits with anything between them, and the numbers
that come back are compared here. Values come HTML-encoded; booleans as "0" and "1", and numbers as text.
"""

from html import unescape
from typing import Any

from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.records import look_up, rows, text_at
from workers.connectors.steps import Findings, Pairs, Question, Steps
from workers.connectors.suitecrm.api import MODULES, Crm, answer, get, site

PHONES = {
    "Contacts": ("phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone"),
    "Leads": ("phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone"),
    "Accounts": ("phone_office", "phone_alternate"),
}
OTHER_PHONES = ("phone_work", "phone_mobile")
"""Of a module that is not listed above."""
PERSONS = frozenset({"Contacts", "Leads", "Prospects"})
PAGE: Pairs = (("page[size]", "20"), ("page[number]", "1"), ("sort", "-date_modified"))
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
        conditions = tuple((f"filter[{name}][like]", phone.like_pattern) for name in listed)
        found = yield from _search(
            account, module, (*fields, *listed), (("filter[operator]", "or"), *conditions)
        )
        kept = [
            item
            for item in found
            if phone.is_one_of(look_up(item, f"attributes.{name}")[1] for name in listed)
        ]
        if kept:
            return Findings(tuple(record(account, module, item, fields) for item in kept))
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        found = yield from _search(account, module, (*fields, name), ((f"filter[{name}][eq]", digits),))
        kept = [item for item in found if is_exactly(look_up(item, f"attributes.{name}")[1], digits)]
        if kept:
            return Findings(tuple(record(account, module, item, fields) for item in kept))
    return Findings()


def _search(account: Crm, module: str, fields: Names, conditions: Pairs) -> Steps[list[dict[str, Any]]]:
    own = ("first_name", "last_name") if module in PERSONS else ("name",)
    wanted = ",".join(dict.fromkeys((*own, "date_modified", *fields)))
    query = ((f"fields[{module}]", wanted), *conditions, *PAGE)
    return rows(answer((yield get(account, "find", f"module/{module}", query))).get("data"))


def record(account: Crm, module: str, item: dict[str, Any], fields: Names) -> Record:
    values, id_ = item.get("attributes") or {}, text_at(item, "id")
    name = text_at(values, "name") or f"{text_at(values, 'first_name')} {text_at(values, 'last_name')}"
    return Record(
        {field: _value(values.get(field)) for field in fields},
        id=id_,
        module=module,
        name=answers.one_line(unescape(name)),
        link=f"{site(account.settings)}/index.php?module={module}&action=DetailView&record={id_}",
        modified_at=text_at(values, "date_modified") or None,
    )


def _value(raw: Any) -> Value:
    return plain_value(unescape(raw) if isinstance(raw, str) else raw)
