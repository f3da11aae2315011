"""The contract: who calls. One request for all modules.

A record that shows its numbers (`phones`) is compared here, so the customer's side may search for a part of
them; one that does not is believed. Keyed digits are always compared.
"""

from collections.abc import Callable
from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.proprietary.api import NAME, Crm, listed, post
from workers.connectors.records import link_of, moment_of, text_at
from workers.connectors.steps import Findings, Question, Steps

Names = tuple[str, ...]
Row = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, NAME)
    modules = names.modules_of(question, (), NAME)
    if is_by_number(question):
        phone = Phone(question)
        if not phone.is_askable:
            return Findings()
        asked = {"number": phone.received, "national": phone.national, "spellings": phone.spellings}
        return (yield from _ask(account, asked, modules, fields, fields, lambda row: _is_of(row, phone)))
    name, digits = names.digits_field(question, NAME), question.job.key.subject
    wanted = tuple(dict.fromkeys((*fields, name)))
    asked = {"digits": digits, "digits_field": name}
    return (
        yield from _ask(
            account, asked, modules, fields, wanted, lambda row: is_exactly(_values(row).get(name), digits)
        )
    )


def _ask(
    account: Crm,
    asked: dict[str, Any],
    modules: Names,
    fields: Names,
    wanted: Names,
    is_meant: Callable[[Row], bool],
) -> Steps[Findings]:
    """`wanted` are the fields that the answer must hold, `fields` those that the rule reads."""
    body = {**asked, "modules": modules, "fields": wanted}
    found = listed((yield post(account, "find", "lookup", body=body)), "records")
    missing = [f"`{name}`" for name in wanted if any(name not in _values(row) for row in found)]
    problem = f"the answer has no field {', '.join(missing)}" if missing else ""
    kept = _of_first_module([row for row in found if is_meant(row)], modules)
    return Findings(tuple(_record(row, fields) for row in kept), problem)


def _is_of(row: Row, phone: Phone) -> bool:
    phones = row.get("phones")
    return phone.is_one_of(phones) if isinstance(phones, list) and phones else True


def _of_first_module(found: list[Row], modules: Names) -> list[Row]:
    """Those of the first module, in the rule's order, that has any; all of them where it names none."""
    for module in modules:
        of_module = [row for row in found if text_at(row, "module") == module]
        if of_module:
            return of_module
    return [] if modules else found


def _values(row: Row) -> Row:
    values = row.get("fields")
    return values if isinstance(values, dict) else {}


def _record(row: Row, fields: Names) -> Record:
    values = _values(row)
    return Record(
        {field: plain_value(values[field]) for field in fields if field in values},
        id=text_at(row, "id"),
        module=text_at(row, "module"),
        name=answers.one_line(text_at(row, "name"), 200),
        link=link_of(text_at(row, "link", 2000)),
        modified_at=moment_of(row.get("modified_at")),
    )
