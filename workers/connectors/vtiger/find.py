"""Vtiger: who calls.

Numbers are compared as stored text, so each module is asked once, with LIKE for the national digits with
anything between them. Every value is a text, and not encoded; a link to another record is its id.
"""

from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import vtql
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Findings, Question, Steps
from workers.connectors.vtiger.api import MODULES, Crm, answer, get, site

PHONES = {
    "Contacts": ("phone", "mobile", "homephone", "otherphone", "assistantphone"),
    "Leads": ("phone", "mobile"),
    "Accounts": ("phone", "otherphone"),
}
OTHER_PHONES = ("phone",)
TITLES = {
    "Contacts": ("firstname", "lastname"),
    "Leads": ("firstname", "lastname"),
    "Accounts": ("accountname",),
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
        where = vtql.any_like(listed, phone.like_pattern)
        found = yield from _query(account, module, (*fields, *listed), where)
        kept = [row for row in found if phone.is_one_of(map(row.get, listed))]
        if kept:
            return Findings(tuple(record(account, module, row, fields) for row in kept))
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    if not digits.strip("\0"):
        return Findings()
    for module in modules:
        found = yield from _query(account, module, (*fields, name), vtql.equals(name, digits))
        kept = [row for row in found if is_exactly(row.get(name), digits)]
        if kept:
            return Findings(tuple(record(account, module, row, fields) for row in kept))
    return Findings()


def _query(account: Crm, module: str, fields: Names, where: str) -> Steps[list[dict[str, Any]]]:
    columns = ("id", *TITLES.get(module, ()), "modifiedtime", *fields)
    query = (("query", vtql.select(module, columns, where)),)
    return rows(answer((yield get(account, "find", "query", query))))


def record(account: Crm, module: str, row: dict[str, Any], fields: Names) -> Record:
    id_ = text_at(row, "id")
    number = id_.rpartition("x")[2]
    return Record(
        {field: plain_value(row.get(field)) for field in fields},
        id=id_,
        module=module,
        name=answers.one_line(
            " ".join(filter(None, (text_at(row, part) for part in TITLES.get(module, ()))))
        ),
        link=f"{site(account.settings)}/index.php?module={module}&view=Detail&record={number}",
        modified_at=text_at(row, "modifiedtime") or None,
    )
