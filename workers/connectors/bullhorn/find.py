"""Bullhorn: who calls.

Numbers are free text in a Lucene index whose reading of them is not told: one search an entity asks all
phone fields for the number in every likely spelling, as digits and as people write it, and the numbers
that come back are compared here. Deleted and archived records are left out. `clientCorporation.name`
reads the company's field in the same request; of a link to another record the value is its name, and with
`.id` its id.
"""

from typing import Any

from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, names
from workers.connectors.bullhorn.api import MODULES, Crm, answer, post
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import lucene
from workers.connectors.records import look_up, moment_of, rows, text_at
from workers.connectors.steps import Findings, Question, Steps

PHONES = {
    "ClientContact": ("phone", "mobile", "phone2", "phone3"),
    "Candidate": ("phone", "mobile", "phone2", "phone3", "workPhone"),
    "Lead": ("phone", "mobile", "phone2", "phone3"),
    "ClientCorporation": ("phone", "billingPhone"),
}
LEFT_OUT = {"ClientContact": "Archive", "Candidate": "Archived", "Lead": "Converted"}
UNMARKED = frozenset({"ClientCorporation"})
"""These have no `isDeleted`."""
PAGE = "https://www.bullhornstaffing.com/BullhornStaffing/OpenWindow.cfm"
COUNT = "20"
Names = tuple[str, ...]
Rows = list[dict[str, Any]]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, names.DOTTED)
    modules = names.modules_of(question, MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        listed = PHONES.get(module, ("phone",))
        query = lucene.any_of(listed, dict.fromkeys((phone.national, phone.digits, *phone.spellings)))
        left_out, is_marked = LEFT_OUT.get(module, ""), module not in UNMARKED
        body = {"query": lucene.without(query, left_out, without_deleted=is_marked)}
        found = yield from _ask(account, "search", module, body, (*fields, *listed))
        kept = [row for row in found if phone.is_one_of(map(row.get, listed))]
        if kept:
            return Findings(tuple(_record(module, row, fields) for row in kept))
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        body = {"where": lucene.jpql_equals(name, digits, without_deleted=module not in UNMARKED)}
        found = yield from _ask(account, "query", module, body, (*fields, name))
        kept = [row for row in found if is_exactly(row.get(name), digits)]
        if kept:
            return Findings(tuple(_record(module, row, fields) for row in kept))
    return Findings()


def _ask(account: Crm, how: str, module: str, body: dict[str, Any], fields: Names) -> Steps[Rows]:
    """A hit whose row is gone carries `_error` in place of fields."""
    order = "sort" if how == "search" else "orderBy"
    query = (("fields", columns(("id", "name", "dateLastModified", *fields))), ("count", COUNT))
    request = post(account, how, f"{how}/{module}", body, (*query, (order, "-dateLastModified")))
    return [row for row in rows(answer((yield request)).get("data")) if "_error" not in row]


def columns(fields: Names) -> str:
    """`id,name,clientCorporation(name,status)`: what is asked of one record is in brackets."""
    plain: dict[str, None] = {}
    nested: dict[str, dict[str, None]] = {}
    for field in fields:
        first, _, rest = field.partition(".")
        if rest and rest != "id":
            nested.setdefault(first, {})[rest] = None
        else:
            plain[first] = None
    parts = [name for name in plain if name not in nested]
    return ",".join([*parts, *(f"{name}(id,{','.join(inner)})" for name, inner in nested.items())])


def _record(module: str, row: dict[str, Any], fields: Names) -> Record:
    id_ = text_at(row, "id")
    return Record(
        {field: _value(row, field) for field in fields},
        id=id_,
        module=module,
        name=answers.one_line(text_at(row, "name"), 200),
        link=f"{PAGE}?entity={module}&id={id_}&view=Overview",
        modified_at=moment_of(row.get("dateLastModified")),
    )


def _value(row: dict[str, Any], field: str) -> Value:
    raw = look_up(row, field)[1]
    if isinstance(raw, dict) and "data" in raw:  # to-many: its members' names
        return [text_at(one, "name") or text_at(one, "id") for one in rows(raw["data"])]
    if isinstance(raw, dict) and "id" in raw:
        name = text_at(raw, "name") or f"{text_at(raw, 'firstName')} {text_at(raw, 'lastName')}".strip()
        return name or text_at(raw, "id")
    return plain_value(raw)
