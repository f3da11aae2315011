"""Vtiger: the connection test, the modules and their fields."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.records import choices_of, look_up, rows, text_at
from workers.connectors.steps import Steps
from workers.connectors.vtiger.api import Crm, answer, get

TYPES = {
    "phone": CrmFieldType.PHONE,
    "boolean": CrmFieldType.BOOLEAN,
    "integer": CrmFieldType.NUMBER,
    "double": CrmFieldType.NUMBER,
    "currency": CrmFieldType.NUMBER,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "picklist": CrmFieldType.CHOICE,
    "multipicklist": CrmFieldType.CHOICES,
    "reference": CrmFieldType.LINK,
    "owner": CrmFieldType.LINK,
}


def check(account: Crm) -> Steps[str]:
    """The shortest answer that needs a session: the modules with a field of type phone."""
    answer((yield get(account, "types", "listtypes", (("fieldTypeList", '["phone"]'),), large=True)))
    return account.settings.username


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    listed = answer((yield get(account, "modules", "listtypes", large=True)))
    told = look_up(listed, "information")[1] if isinstance(listed, dict) else None
    pairs = told.items() if isinstance(told, dict) else ()
    return tuple(CrmModule(str(name), text_at(one, "label")) for name, one in pairs if isinstance(one, dict))


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    query = (("elementType", names.module_name(module)),)
    told = answer((yield get(account, "fields", "describe", query, large=True)))
    listed = rows(told.get("fields")) if isinstance(told, dict) else []
    return tuple(_field(one) for one in listed)


def _field(one: dict[str, Any]) -> CrmField:
    name = text_at(one, "name")
    choices = choices_of(look_up(one, "type.picklistValues")[1], "value", "label")
    type_ = TYPES.get(text_at(one, "type.name"), CrmFieldType.TEXT)
    return CrmField(name, text_at(one, "label"), type_, choices, name.startswith("cf_"))
