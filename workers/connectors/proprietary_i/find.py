"""The middleware: who calls, by an integration's search.

A search by number carries the other spellings too, of which the reference middleware reads the first only: so
it is repeated with another spelling while nobody is found. A hit shows its numbers, which are compared here,
and is then read for the fields; where it shows none, the fields that hold numbers are read and compared. A
search by field matches a part of a text: each hit is read, and its field compared.

A search brings ten hits of a type at the most, so ten are told: there may be more.
"""

from collections.abc import Callable
from typing import Any

from router.core.faults import Fault
from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.proprietary_i import source
from workers.connectors.proprietary_i.api import NAME, Crm, asked, decoded, get
from workers.connectors.proprietary_i.describe import describe, of_logic
from workers.connectors.records import look_up, moment_of, rows, text_at
from workers.connectors.steps import Findings, Pairs, Question, Steps
from workers.errors import LookupRefused

MOST = 10
NO_ID = "the middleware gives what it found no id: its owner has to activate this client first"
"""The reference middleware learns which field is a type's id when a client is activated."""
Names = tuple[str, ...]
Row = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    if account.settings.kind == "custom_source":
        return (yield from source.find(account, question))
    fields = names.field_names(question.job.key.fields, NAME)
    modules = names.modules_of(question, account.settings.object_types, NAME)
    if not is_by_number(question):
        return (yield from _by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    return (yield from _by_number(account, phone, modules, fields))


def _by_number(account: Crm, phone: Phone, modules: Names, fields: Names) -> Steps[Findings]:
    problem = ""
    for term in _terms(phone):
        others: Pairs = tuple(("phones", text) for text in phone.spellings if text != term)
        hits = yield from _search(account, term, "phone", modules, others, Fault.MODULE)
        for module in modules:
            of_module = [hit for hit in hits if hit.get("type") == module]
            problem = problem or _told_cut(module, of_module)
            found = yield from _callers(account, phone, module, of_module, fields)
            if found.records:
                return _with_problem(found, problem)
    return Findings(problem=problem)


def _terms(phone: Phone) -> Names:
    """E.164, as dialled at home or else all digits, and without the country code."""
    at_home = next((text for text in phone.spellings[1:2] if text.isdigit()), phone.digits)
    return tuple(dict.fromkeys((phone.received, at_home, phone.national)))


def _by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question, NAME), question.job.key.subject

    def is_meant(_: Row, row: Row) -> bool:
        return is_exactly(_looked_up(row, name)[1], digits)

    problem = ""
    for module in modules:
        hits = yield from _search(account, digits, "field", (module,), (("field", name),), Fault.FIELD)
        problem = problem or _told_cut(module, hits)
        found = yield from _read(account, module, hits, fields, (name,), is_meant)
        if found.records:
            return _with_problem(found, problem)
    return Findings(problem=problem)


def _search(account: Crm, q: str, by: str, modules: Names, more: Pairs, bad: Fault) -> Steps[list[Row]]:
    types: Pairs = tuple(("object_types", module) for module in modules)
    query: Pairs = (("q", q), ("search_by", by), *types, ("limit", str(MOST)), *more)
    response = yield from asked(account, get(account, "search", "search", query=query), bad)
    found = decoded(response)
    if not isinstance(found, list):
        raise answers.refused(Fault.ANSWER)
    return rows(found)


def _callers(account: Crm, phone: Phone, module: str, hits: list[Row], fields: Names) -> Steps[Findings]:
    """Of these hits of one type those that have the number, with their fields."""
    likely = [hit for hit in hits if not _phones(hit) or phone.is_one_of(_phones(hit))]
    is_bare = any(not _phones(hit) for hit in likely)
    numbers = of_logic((yield from describe(account, module)), "phone") if is_bare else ()

    def is_meant(hit: Row, row: Row) -> bool:
        return bool(_phones(hit)) or phone.is_one_of(map(row.get, numbers))

    return (yield from _read(account, module, likely, fields, numbers, is_meant))


def _phones(hit: Row) -> list[Any]:
    phones = hit.get("phones")
    return phones if isinstance(phones, list) else []


def _read(
    account: Crm,
    module: str,
    hits: list[Row],
    fields: Names,
    extra: Names,
    is_meant: Callable[[Row, Row], bool],
) -> Steps[Findings]:
    """The records of these hits that are meant. The fields that are asked for are a hint: more may come."""
    wanted = tuple(dict.fromkeys(name.removesuffix(".id") for name in (*fields, *extra)))
    made: list[Record] = []
    missing: dict[str, None] = {}
    for hit in hits[:MOST]:
        row = yield from _one(account, module, text_at(hit, "id"), wanted)
        if is_meant(hit, row):
            made.append(_record(module, hit, row, fields))
            missing |= dict.fromkeys(f"`{name}`" for name in fields if not _looked_up(row, name)[0])
    told = f"the CRM has no field {', '.join(missing)}, or it is empty" if missing else ""
    return Findings(tuple(made), told)


def _one(account: Crm, module: str, id_: str, wanted: Names) -> Steps[Row]:
    if not id_:
        raise LookupRefused(NO_ID, fault=Fault.SETTINGS)
    if not wanted:
        return {}
    request = get(account, "record", "object", module, id_, query=(("fields", ",".join(wanted)),))
    row = decoded((yield from asked(account, request, Fault.FIELD)))
    if not isinstance(row, dict):
        raise answers.refused(Fault.ANSWER)
    return row


def _told_cut(module: str, hits: list[Row]) -> str:
    if len(hits) < MOST:
        return ""
    return f"{module}: {len(hits)} records came, and a search brings no more, so there may be others"


def _with_problem(found: Findings, problem: str) -> Findings:
    return Findings(found.records, "; ".join(filter(None, (found.problem, problem))))


def _record(module: str, hit: Row, row: Row, fields: Names) -> Record:
    found = {name: _looked_up(row, name) for name in fields}
    return Record(
        {name: raw for name, (is_there, raw) in found.items() if is_there},
        id=text_at(hit, "id"),
        module=module,
        name=answers.one_line(text_at(hit, "title"), 200),
        modified_at=moment_of(hit.get("last_modified_timestamp")),
    )


def _looked_up(row: Row, name: str) -> tuple[bool, Value]:
    """Whether the record has the field, and its value; `.id` behind the name is a linked record's id."""
    is_there, raw = look_up(row, name)
    key = "Name"
    if not is_there and name.endswith(".id"):
        key = "Id"
        is_there, raw = look_up(row, name.removesuffix(".id"))
    values = raw if isinstance(raw, list) else [raw]
    shown = [one[key] if isinstance(one, dict) and {"Id", "Name"} <= set(one) else one for one in values]
    return is_there, plain_value(shown if isinstance(raw, list) else shown[0])
