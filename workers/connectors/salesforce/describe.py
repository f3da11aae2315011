"""Salesforce: the connection test, the modules and their fields."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.addresses import parts_of
from workers.connectors.records import choices_of, field_of, look_up, rows, text_at
from workers.connectors.salesforce.api import Crm, answer, base, get
from workers.connectors.steps import Steps

TYPES = {
    "phone": CrmFieldType.PHONE,
    "boolean": CrmFieldType.BOOLEAN,
    "int": CrmFieldType.NUMBER,
    "double": CrmFieldType.NUMBER,
    "currency": CrmFieldType.NUMBER,
    "percent": CrmFieldType.NUMBER,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "picklist": CrmFieldType.CHOICE,
    "multipicklist": CrmFieldType.CHOICES,
    "reference": CrmFieldType.LINK,
}


def check(account: Crm) -> Steps[str]:
    """Proves the token and the right to use the API."""
    limits = answer((yield get(account, "limits", "limits")))
    left = look_up(limits, "DailyApiRequests.Remaining")[1]
    host = parts_of(base(account)).hostname or ""
    return f"{host}, {left} requests left today" if isinstance(left, int) else host


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    listed = rows(answer((yield get(account, "modules", "sobjects", large=True))).get("sobjects"))
    usable = [row for row in listed if row.get("queryable") is True and row.get("searchable") is True]
    return tuple(CrmModule(text_at(row, "name"), text_at(row, "label")) for row in usable)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    path = f"sobjects/{names.module_name(module)}/describe"
    response = yield get(account, "fields", path, large=True)
    if response.status == 404:
        raise names.unknown_module(module)
    return tuple(_field(row) for row in rows(answer(response).get("fields")))


def _field(row: dict[str, Any]) -> CrmField:
    listed = [item for item in rows(row.get("picklistValues")) if item.get("active", True)]
    choices = choices_of(listed, "value", "label")
    type_ = TYPES.get(text_at(row, "type"), CrmFieldType.TEXT)
    return field_of(row, "name", "label", type_, choices, is_custom=row.get("custom") is True)
