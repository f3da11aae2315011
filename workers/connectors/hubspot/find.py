"""HubSpot: who calls.

A contact's numbers have calculated twins, without country code and without zeros in front; no other kind of
record has them. One search asks for the twins, for the number as people spell it, and for a word that ends
like it. Two countries share a national number, so what comes back is compared here. The index lags some
moments behind the records.

Values are texts or null whatever the property's type, as HubSpot has them: `"12"`, `"true"`, a list's stored
value and not its label; only another request would tell the type. A rule's line compares "12" and 12 by their
worth. A property that does not exist is left out in silence, and told in `Findings.problem`.

Source: HubSpot's guide to CRM search (limits, operators, calculated numbers).
"""

from typing import Any

import msgspec

from router.core.faults import Fault
from router.core.lookups import Record, plain_value
from workers.connectors import names
from workers.connectors.hubspot.api import MODULE, MODULES, PROPERTY, VERSION, Crm, answer, page, post
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.records import object_of, rows, text_at
from workers.connectors.steps import Findings, Question, Steps
from workers.errors import LookupRefused

PHONES = {"contacts": ("phone", "mobilephone"), "companies": ("phone",)}
CALCULATED = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}
TITLES = {"contacts": ("firstname", "lastname"), "deals": ("dealname",), "tickets": ("subject",)}
TYPE_IDS = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5"}
CHANGED = {"contacts": "lastmodifieddate"}
GROUPS_MOST = 5
SIGNS_MOST = 3000
RECORDS_MOST = 20
Names = tuple[str, ...]
Item = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, PROPERTY)
    modules = names.modules_of(question, MODULES, MODULE)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    for module in modules if phone.is_askable else ():
        listed = phones_of(account, module)
        found = yield from _search(account, module, _groups(phone, module, listed), (*listed, *fields))
        kept = [item for item in found if phone.is_one_of(item["properties"].get(name) for name in listed)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question, PROPERTY), question.job.key.subject
    for module in modules:
        found = yield from _search(account, module, [_group(name, "EQ", digits)], (name, *fields))
        kept = [item for item in found if is_exactly(item["properties"].get(name), digits)]
        if kept:
            return _findings(account, module, kept, fields)
    return Findings()


def phones_of(account: Crm, module: str) -> Names:
    """The properties that hold a module's numbers. Raises LookupRefused where nobody has named them."""
    given = account.settings.phone_fields.get(module, "").replace(",", " ").split()
    listed = names.field_names(given, PROPERTY) or PHONES.get(module, ())
    if not 0 < len(listed) <= GROUPS_MOST:
        problem = f"the module `{module}` needs one to five number fields named in phone_fields"
        raise LookupRefused(problem, fault=Fault.SETTINGS)
    return listed


def _groups(phone: Phone, module: str, listed: Names) -> list[Item]:
    """Any of them may hold; the surest come first, for there are five at most."""
    twins = [CALCULATED[name] for name in listed if name in CALCULATED] if module == "contacts" else []
    return [
        *(_group(name, "IN", (phone.national, phone.digits)) for name in twins),
        *(_group(name, "IN", phone.spellings) for name in listed),
        *(_group(name, "CONTAINS_TOKEN", f"*{phone.national}") for name in listed),
    ][:GROUPS_MOST]


def _group(name: str, operator: str, operand: str | Names) -> Item:
    key = "value" if isinstance(operand, str) else "values"
    return {"filters": [{"propertyName": name, "operator": operator, key: operand}]}


def _search(account: Crm, module: str, groups: list[Item], properties: Names) -> Steps[list[Item]]:
    """The latest first."""
    changed = CHANGED.get(module, "hs_lastmodifieddate")
    body = {
        "filterGroups": groups,
        "properties": list(dict.fromkeys((*titles_of(module), *properties))),
        "sorts": [{"propertyName": changed, "direction": "DESCENDING"}],
        "limit": RECORDS_MOST,
    }
    if len(msgspec.json.encode(body)) >= SIGNS_MOST:
        raise LookupRefused("the rule reads more fields than one search of HubSpot takes", fault=Fault.FIELD)
    response = yield post(account, "search", f"crm/objects/{VERSION}/{module}/search", body)
    return [row for row in rows(answer(response).get("results")) if isinstance(row.get("properties"), dict)]


def titles_of(module: str) -> Names:
    """The properties that make a record's name; a custom object may have another one, which is not known."""
    return TITLES.get(module, ("name",))


def _findings(account: Crm, module: str, found: list[Item], fields: Names) -> Findings:
    missing = [name for name in fields if not any(name in item["properties"] for item in found)]
    problem = "; ".join(names.unknown_field(name).problem for name in missing)
    return Findings(tuple(record(account, module, item, fields) for item in found), problem)


def record(account: Crm, module: str, item: Item, fields: Names) -> Record:
    properties, id_ = object_of(item.get("properties")), text_at(item, "id")
    return Record(
        {name: plain_value(properties[name]) for name in fields if name in properties},
        id=id_,
        module=module,
        name=" ".join(filter(None, (text_at(properties, part) for part in titles_of(module)))),
        link=page(account, TYPE_IDS.get(module, module if "-" in module else ""), id_),
        modified_at=text_at(item, "updatedAt") or None,
    )
