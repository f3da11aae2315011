"""Dynamics: who calls.

Phones are free text that is compared as typed. One request a module asks each phone field for the number in
every likely spelling, and for its digits with anything between them, which finds the unlikely ones: `%` is a
wildcard in the Web API's functions. OData 2's guide does not say so, so there the last four digits are asked
for besides, which brings strangers, and more than one page of them. The numbers that come back are compared
here. All of that is one request, not the likely spellings first: two people of one number may have written it
in two ways. It reads the whole table; `matching = "exact"` asks for the likely spellings only.

An internal number is asked for exactly, for its few digits are in many others.
"""

import re
from collections.abc import Iterable, Iterator

from workers.connectors import names
from workers.connectors.dynamics import records, soap
from workers.connectors.dynamics.api import Crm, answer, get
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import odata
from workers.connectors.steps import Findings, Pairs, Question, Steps
from workers.errors import LookupRefused

PAGE = 25
"""Records; with many fields each, their answer stays below what a worker reads."""
PAGES_MOST = 4
_WHOLE = re.compile(r"[0-9]{1,9}")


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, records.FIELD)
    modules = names.modules_of(question, records.MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        phones = records.phones_of(account, module)
        where = odata.any_of(is_called_by(account, phones, phone))
        found = yield from search(account, module, where, (*fields, *phones))
        kept = [row for row in found if phone.is_one_of(map(row.get, phones))]
        if kept:
            return (yield from _findings(account, module, kept, fields))
    return Findings()


def is_called_by(account: Crm, phones: records.Names, phone: Phone) -> Iterator[str]:
    """The conditions of which one must hold."""
    is_web = account.settings.is_web
    is_loose = phone.e164 is not None and account.settings.matching == "parts"
    contains = odata.contains if is_web else odata.substring_of
    tails = phone.tails if is_loose and not is_web else ()
    for field in phones:
        # What ends in one of the tails is found by it: a server on premises may refuse a long address.
        yield from (odata.equals(field, text) for text in phone.spellings if not text.endswith(tails))
        yield from (odata.ends_with(field, text) for text in tails)
        if is_loose:
            yield contains(field, "%".join(phone.national))


def _find_by_digits(
    account: Crm, question: Question, modules: records.Names, fields: records.Names
) -> Steps[Findings]:
    name, digits = names.digits_field(question, records.NAME), question.job.key.subject
    for module in modules:
        found = yield from _with_digits(account, module, name, digits, (*fields, name))
        kept = [row for row in found if is_exactly(row.get(name), digits)]
        if kept:
            return (yield from _findings(account, module, kept, fields))
    return Findings()


def _with_digits(
    account: Crm, module: str, name: str, digits: str, fields: records.Names
) -> Steps[list[records.Row]]:
    """Asked as a text, and anew where the CRM says that the field is a number."""
    try:
        return (yield from search(account, module, odata.equals(name, digits), fields))
    except LookupRefused as refused:
        if "incompatible" not in refused.said:
            raise
    if not _WHOLE.fullmatch(digits):
        return []
    return (yield from search(account, module, odata.equals_number(name, int(digits)), fields))


def search(account: Crm, module: str, where: str, fields: records.Names) -> Steps[list[records.Row]]:
    """The active records that fit, the latest first."""
    is_web = account.settings.is_web
    query: Pairs = (
        *shape(account, (*records.own_fields(account, module), *map(records.stored, fields))),
        ("$filter", f"{where} and {'statecode' if is_web else 'StateCode/Value'} eq 0"),
        ("$orderby", f"{records.own(account, 'modifiedon')} desc"),
        ("$top", str(PAGE)),
    )
    found: list[records.Row] = []
    for page in range(1 if is_web else PAGES_MOST):
        skip = (("$skip", str(page * PAGE)),) if page else ()
        response = yield get(account, "find", records.set_of(account, module), (*query, *skip))
        listed = records.rows_of(account, answer(response))
        found += listed
        if len(listed) < PAGE:
            break
    return found


def shape(account: Crm, fields: Iterable[str]) -> Pairs:
    """The fields that are asked for; those behind a dot are another record's."""
    plain = dict.fromkeys(field for field in fields if "." not in field)
    linked: dict[str, list[str]] = {}
    for name, _, part in (field.partition(".") for field in dict.fromkeys(fields) if "." in field):
        linked.setdefault(name, []).append(part)
    if account.settings.is_web:
        expanded = [f"{name}($select={','.join(parts)})" for name, parts in linked.items()]
        selected = list(plain)
    else:
        expanded = list(linked)
        selected = [*plain, *(f"{name}/{part}" for name, parts in linked.items() for part in parts)]
    expand = (("$expand", ",".join(expanded)),) if expanded else ()
    return (("$select", ",".join(selected)), *expand)


def _findings(account: Crm, module: str, found: list[records.Row], fields: records.Names) -> Steps[Findings]:
    labels = {} if account.settings.is_web else (yield from _labels(account, module, found, fields))
    return Findings(tuple(records.record(account, module, row, fields, labels) for row in found))


def _labels(
    account: Crm, module: str, found: list[records.Row], fields: records.Names
) -> Steps[records.Labels]:
    """Of the options among the values: one request for each field that has any."""
    chosen = [name for name in fields if any(records.option_of(row.get(name)) is not None for row in found)]
    made: dict[str, dict[int, str]] = {}
    for name in chosen:
        made[name] = yield from soap.labels(account, records.own(account, module), name)
    return made
