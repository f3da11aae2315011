"""Salesforce: who calls.

One search of all modules asks for the national digits and those with the country code; the index does not
mind punctuation. It lags behind writes, so a number that it does not know is asked once more of each module,
in the database, spelt in every likely way.
"""

from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import soql
from workers.connectors.records import look_up, rows, text_at
from workers.connectors.salesforce.api import MODULES, Crm, answer, base, get
from workers.connectors.steps import Findings, Question, Steps

PHONES = {
    "Contact": ("Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"),
    "Lead": ("Phone", "MobilePhone"),
    "Account": ("Phone",),
}
OTHER_PHONES = ("Phone", "MobilePhone")
"""Of a module that is not listed above."""
OWN = ("Id", "Name", "LastModifiedDate")
WHERE = {"Lead": "IsConverted = false"}
"""A converted lead is the contact that it became."""
Names = tuple[str, ...]


def find(account: Crm, question: Question) -> Steps[Findings]:
    modules = names.modules_of(question, MODULES)
    fields = names.field_names(question.job.key.fields, names.DOTTED)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    columns = {module: (*OWN, *_phones(module), *fields) for module in modules}
    response = yield get(account, "search", "search", q=soql.phone_search(phone, columns, WHERE))
    found = _hits(account, answer(response).get("searchRecords"), modules, phone, fields)
    for module in () if found else modules:
        where = soql.is_one_of(_phones(module), phone.spellings)
        response = yield get(account, "query", "query", q=soql.select(module, columns[module], where, WHERE))
        found = _hits(account, answer(response).get("records"), (module,), phone, fields)
        if found:
            break
    return Findings(found)


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question, names.DOTTED), question.job.key.subject
    for module in modules:
        where = soql.is_one_of((name,), (digits,))
        query = soql.select(module, (*OWN, *fields, name), where, WHERE)
        hits = rows(answer((yield get(account, "query", "query", q=query))).get("records"))
        kept = [row for row in hits if is_exactly(look_up(row, name)[1], digits)]
        if kept:
            return Findings(tuple(record(account, module, row, fields) for row in kept))
    return Findings()


def _phones(module: str) -> Names:
    return PHONES.get(module, OTHER_PHONES)


def _hits(account: Crm, raw: Any, modules: Names, phone: Phone, fields: Names) -> tuple[Record, ...]:
    """The records of the first module that knows the number."""
    for module in modules:
        of_module = [row for row in rows(raw) if text_at(row, "attributes.type") == module]
        kept = [row for row in of_module if phone.is_one_of(map(row.get, _phones(module)))]
        if kept:
            return tuple(record(account, module, row, fields) for row in kept)
    return ()


def record(account: Crm, module: str, row: dict[str, Any], fields: Names) -> Record:
    id_ = text_at(row, "Id")
    return Record(
        {name: plain_value(look_up(row, name)[1]) for name in fields},
        id=id_,
        module=module,
        name=answers.one_line(text_at(row, "Name")),
        link=f"{base(account)}/lightning/r/{module}/{id_}/view" if id_.isalnum() else "",
        modified_at=text_at(row, "LastModifiedDate") or None,
    )
