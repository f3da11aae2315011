"""Zoho: who calls.

Zoho offers two ways to ask for a number. The `phone` search looks in every phone field of a module, whatever
its name, and brings the whole record in one request; how it matches what people typed is not documented, and
its index lags behind the records. COQL reads the database and lacks nothing, but compares letter by letter in
the fields that are named, refuses the query for one that an organisation has not, and has only the last name
of an owner. So the search comes first, for the national digits, which every spelling contains. Where it
knows nobody in any module, COQL looks for every likely spelling in the standard fields, and what it finds is
read by its id, so that values are the same on both ways. The numbers that come back are compared here.

Keyed digits are asked of COQL, for the search's `equals` finds whatever contains them.

Both ways leave converted leads out, which are the contacts that they became. A link to another record gives
its name, and with `.id` its id; a picklist what people see.

Sources: Zoho's pages on the search, on COQL and its limits, and its OpenAPI description v8.0.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import coql
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Findings, Question, Request, Response, Steps
from workers.connectors.zoho.api import FIELD, MODULES, Crm, answer, error_of, get, post

PHONES = {
    "Contacts": ("Phone", "Mobile", "Home_Phone", "Other_Phone", "Asst_Phone"),
    "Leads": ("Phone", "Mobile"),
    "Accounts": ("Phone",),
    "Vendors": ("Phone",),
}
TITLES = {
    "Accounts": "Account_Name",
    "Contacts": "Full_Name",
    "Deals": "Deal_Name",
    "Leads": "Full_Name",
    "Vendors": "Vendor_Name",
}
TABS = {**{module: module for module in TITLES}, "Deals": "Potentials"}
"""As pages call the modules; a custom module's name there is not known."""
RECORDS_MOST = 20
SIGNS_MOST = 60
"""Of a text that is a number; longer ones are notes."""
Names = tuple[str, ...]
Row = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, FIELD)
    modules = names.modules_of(question, MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for ask in (_in_the_index, _in_the_database):
        for module in modules:
            found = yield from ask(account, module, phone, fields)
            kept = [row for row in found if phone.is_one_of(_texts(row))]
            if kept:
                return _findings(account, module, kept, fields)
    return Findings()


def _in_the_index(account: Crm, module: str, phone: Phone, _fields: Names) -> Steps[list[Row]]:
    """With all their fields, for any may be the one that holds the number."""
    query = (("phone", phone.national), ("converted", "false"), ("per_page", str(RECORDS_MOST)))
    return rows(answer((yield get(account, "search", f"{module}/search", query))).get("data"))


def _in_the_database(account: Crm, module: str, phone: Phone, fields: Names) -> Steps[list[Row]]:
    """Nobody, where this organisation has not all of the standard fields, or has encrypted them."""
    listed = PHONES.get(module, ())
    if not listed:
        return []
    response = yield asked_ids(account, "coql", module, coql.is_one_of(listed, phone.spellings))
    is_refused = error_of(answers.error_object(response))[0] == "INVALID_QUERY"
    ids = () if is_refused else ids_of(response)
    return (yield from read(account, module, ids[:RECORDS_MOST], (*listed, *fields)))


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        response = yield asked_ids(account, "coql", module, coql.is_one_of((name,), (digits,)))
        found = yield from read(account, module, ids_of(response), (name, *fields))
        kept = [row for row in found if is_exactly(row.get(name), digits)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def asked_ids(account: Crm, name: str, module: str, where: str) -> Request:
    return post(account, name, "coql", {"select_query": coql.select_ids(module, where)})


def ids_of(response: Response) -> Names:
    return tuple(text_at(row, "id") for row in rows(answer(response).get("data")))


def read(account: Crm, module: str, ids: Names, fields: Names) -> Steps[list[Row]]:
    """Records by their ids, with these fields."""
    if not ids:
        return []
    own = (TITLES.get(module, "Name"), "Modified_Time", *(field.partition(".")[0] for field in fields))
    query = (("ids", ",".join(ids)), ("fields", ",".join(dict.fromkeys(own))))
    return rows(answer((yield get(account, "records", module, query))).get("data"))


def _texts(row: Row) -> Iterator[str]:
    return (raw for raw in row.values() if isinstance(raw, str) and len(raw) <= SIGNS_MOST)


def _findings(account: Crm, module: str, found: list[Row], fields: Names) -> Findings:
    """The latest first."""
    missing = [field for field in fields if not any(field.partition(".")[0] in row for row in found)]
    latest = sorted(found, key=lambda row: text_at(row, "Modified_Time"), reverse=True)
    problem = "; ".join(names.unknown_field(field).problem for field in missing)
    return Findings(tuple(record(account, module, row, fields) for row in latest), problem)


def record(account: Crm, module: str, row: Row, fields: Iterable[str]) -> Record:
    id_, parts = text_at(row, "id"), {field: field.partition(".") for field in fields}
    shown = {field: _shown(row[name], part) for field, (name, _, part) in parts.items() if name in row}
    return Record(
        {field: plain_value(value) for field, value in shown.items()},
        id=id_,
        module=module,
        name=text_at(row, TITLES.get(module, "Name")),
        link=_page(account, module, id_),
        modified_at=text_at(row, "Modified_Time") or None,
    )


def _shown(raw: Any, part: str) -> Any:
    match raw:
        case list():
            return [_shown(one, part) for one in raw]
        case {"id": _}:
            return raw.get(part or "name")
    return raw


def _page(account: Crm, module: str, id_: str) -> str:
    """A record's page; empty where the organisation's number is not known, or the module's tab."""
    org, tab = account.grant.facts.get("org", ""), TABS.get(module)
    is_known = org.isdecimal() and id_.isdecimal() and tab
    return f"https://crm.{account.settings.domain}/crm/org{org}/tab/{tab}/{id_}" if is_known else ""
