"""Pipedrive: the connection test, the modules and their fields."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.pipedrive.api import MODULES, Crm, answer, ask
from workers.connectors.pipedrive.values import OF_ORGANIZATION
from workers.connectors.records import choices_of, field_of, rows, text_at
from workers.connectors.steps import Steps

LISTS = {"persons": "personFields", "organizations": "organizationFields"}
TYPES = {
    "phone": CrmFieldType.PHONE,
    "int": CrmFieldType.NUMBER,
    "double": CrmFieldType.NUMBER,
    "monetary": CrmFieldType.NUMBER,
    "boolean": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "enum": CrmFieldType.CHOICE,
    "set": CrmFieldType.CHOICES,
    **dict.fromkeys(("org", "people", "user", "deal", "lead", "json", "picture"), CrmFieldType.OTHER),
}


def check(account: Crm) -> Steps[str]:
    """A token may pass this and lack the right to read persons."""
    user = answer((yield ask(account, "user", "v1/users/me")))
    return f"{text_at(user, 'data.name')} of {text_at(user, 'data.company_name')}"


def modules(_account: Crm) -> Steps[tuple[CrmModule, ...]]:
    """Those in which a caller can be found; Pipedrive's modules are always the same."""
    yield from ()
    return (CrmModule("persons", "People"), CrmModule("organizations", "Organizations"))


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    """A person's, and those of its organisation behind them."""
    if names.module_name(module) not in MODULES:
        raise names.unknown_module(module)
    own = yield from _listed(account, module)
    behind = (yield from _listed(account, MODULES[1])) if module == MODULES[0] else []
    of_organization = [row | {"field_code": f"{OF_ORGANIZATION}{row.get('field_code')}"} for row in behind]
    return tuple(map(_field, (*own, *of_organization)))


def _listed(account: Crm, module: str) -> Steps[list[dict[str, Any]]]:
    """All of them: no company has as many as a page holds."""
    response = yield ask(account, "fields", f"api/v2/{LISTS[module]}", (("limit", "500"),), large=True)
    return rows(answer(response).get("data"))


def _field(row: dict[str, Any]) -> CrmField:
    """A rule compares with an option's label, so the label is the value."""
    type_ = TYPES.get(text_at(row, "field_type"), CrmFieldType.TEXT)
    choices = choices_of(row.get("options"), "label", "label")
    is_custom = row.get("is_custom_field") is True
    return field_of(row, "field_code", "field_name", type_, choices, is_custom=is_custom)
