"""Pipedrive: who calls.

The search is loose and its answer lacks a rule's fields. So a look-up is two requests: the search for the
national digits, whose answer has every number, and the persons who really have the caller's, all in one
request. Where nobody has it, one more search asks for the number as people write it: what the search makes of
signs between digits is not documented. A search costs 20 of the company's tokens for the day, reading one
person 1, several 10.

An organisation has no number: it is found through its persons, and so are the fields of a person's
organisation, `organization.` before the name. But for its name, which the search brings, they are a third
request.
"""

from collections.abc import Iterable
from typing import Any

from router.core.lookups import Record, plain_value
from workers.connectors import names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.pipedrive.api import MODULES, Crm, answer, ask, page
from workers.connectors.pipedrive.values import NAME, OF_ORGANIZATION, asked_for, value_of
from workers.connectors.records import items_of, look_up, rows, text_at
from workers.connectors.steps import Findings, Question, Steps

KINDS = {"persons": "person", "organizations": "organization"}
"""As links and searches call them."""
SEARCH_MOST = 100
READ_MOST = 20
IN_SEARCH = frozenset({"id", "name"})
"""What a search brings of a person's organisation."""
Names = tuple[str, ...]
Item = dict[str, Any]
ById = dict[str, Item]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, NAME)
    modules = names.modules_of(question, MODULES[:1])
    for module in modules:
        if module not in MODULES:
            raise names.unknown_module(module)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    hits = (yield from _callers(account, phone)) if phone.is_askable else []
    organizations = _by_id(hit.get("organization") for hit in hits)
    for module in modules:
        ids = tuple(organizations if module == "organizations" else _by_id(hits))
        items = yield from _read(account, module, ids, fields, organizations)
        if items:
            return _findings(account, module, items, fields, len(ids))
    return Findings()


def _callers(account: Crm, phone: Phone) -> Steps[list[Item]]:
    """What the search tells of the persons with the caller's number."""
    written = [spelt for spelt in phone.spellings if " " in spelt]
    for term in dict.fromkeys((phone.national, *written[:1])):
        query = (("term", term), ("fields", "phone"), ("limit", str(SEARCH_MOST)))
        body = answer((yield ask(account, "search", "api/v2/persons/search", query)))
        found = rows([row.get("item") for row in rows(look_up(body, "data.items")[1])])
        hits = [item for item in found if phone.is_one_of(items_of(item.get("phones")))]
        if hits:
            return hits
    return []


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question, NAME), question.job.key.subject
    for module in modules:
        query = (("entity_type", KINDS[module]), ("field", name), ("match", "exact"), ("term", digits))
        found = rows(answer((yield ask(account, "search", "api/v2/itemSearch/field", query))).get("data"))
        # The description has an item one level deeper than its own example has it.
        ids = tuple(_by_id(row.get("item", row) for row in found))
        items = yield from _read(account, module, ids, (*fields, name), {})
        kept = [item for item in items if is_exactly(value_of(item, name)[1], digits)]
        if kept:
            return _findings(account, module, kept, fields, len(ids))
    return Findings()


def _read(account: Crm, module: str, ids: Names, fields: Names, known: ById) -> Steps[list[Item]]:
    """The records of one module, each with its organisation in it; `known` has what the search told."""
    of_organization = tuple(
        field.removeprefix(OF_ORGANIZATION) for field in fields if OF_ORGANIZATION in field
    )
    own = tuple(field for field in fields if OF_ORGANIZATION not in field)
    if module == "organizations":
        items = yield from _get(account, module, ids, (*own, *of_organization))
        return [item | {"organization": item} for item in items]
    items = yield from _get(account, module, ids, own)
    linked = tuple(dict.fromkeys(filter(None, (text_at(item, "org_id") for item in items))))
    if of_organization and not (set(of_organization) <= IN_SEARCH and set(linked) <= set(known)):
        known = _by_id((yield from _get(account, "organizations", linked, of_organization)))
    return [item | {"organization": known.get(text_at(item, "org_id"))} for item in items]


def _get(account: Crm, module: str, ids: Names, fields: Names) -> Steps[list[Item]]:
    """One costs less by itself; several come in one answer."""
    name, query, wanted = KINDS[module], asked_for(fields), ids[:READ_MOST]
    if len(wanted) == 1:
        response = yield ask(account, name, f"api/v2/{module}/{wanted[0]}", query)
        is_gone = response.status in (404, 410)
        return [] if is_gone else rows([answer(response).get("data")])
    if wanted:
        query = (("ids", ",".join(wanted)), *query)
        return rows(answer((yield ask(account, name, f"api/v2/{module}", query))).get("data"))
    return []


def _by_id(items: Iterable[Any]) -> ById:
    return {text_at(item, "id"): item for item in rows(list(items)) if text_at(item, "id").isdecimal()}


def _findings(account: Crm, module: str, items: list[Item], fields: Names, matching: int) -> Findings:
    """The latest first."""
    missing = [field for field in fields if not all(value_of(item, field)[0] for item in items)]
    problems = [names.unknown_field(field).problem for field in missing]
    if matching > READ_MOST:
        problems.append(f"{matching} records match, and {READ_MOST} of them were read")
    latest = sorted(items, key=lambda item: text_at(item, "update_time"), reverse=True)
    return Findings(tuple(record(account, module, item, fields) for item in latest), "; ".join(problems))


def record(account: Crm, module: str, item: Item, fields: Names) -> Record:
    values, id_ = {field: value_of(item, field) for field in fields}, text_at(item, "id")
    return Record(
        {field: plain_value(raw) for field, (is_there, raw) in values.items() if is_there},
        id=id_,
        module=module,
        name=text_at(item, "name"),
        link=page(account, KINDS[module], id_),
        modified_at=text_at(item, "update_time") or None,
    )
