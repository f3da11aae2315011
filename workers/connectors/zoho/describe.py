"""Zoho: the connection test, the modules and their fields."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.records import choices_of, field_of, rows, text_at
from workers.connectors.steps import Steps
from workers.connectors.zoho.api import Crm, answer, get

TYPES = {
    "phone": CrmFieldType.PHONE,
    **dict.fromkeys(("integer", "bigint", "double", "currency", "percent"), CrmFieldType.NUMBER),
    "boolean": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "picklist": CrmFieldType.CHOICE,
    "multiselectpicklist": CrmFieldType.CHOICES,
    **dict.fromkeys(("lookup", "ownerlookup", "userlookup"), CrmFieldType.LINK),
    **dict.fromkeys(("multiselectlookup", "subform", "fileupload", "imageupload"), CrmFieldType.OTHER),
}


def check(account: Crm) -> Steps[str]:
    """The organisation, which proves the token; whether it may search, only a search tells."""
    listed = rows(answer((yield get(account, "org", "org"))).get("org"))
    return text_at(listed[0], "company_name") if listed else ""


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    listed = rows(answer((yield get(account, "modules", "settings/modules", large=True))).get("modules"))
    usable = [row for row in listed if row.get("api_supported") is True and row.get("viewable") is True]
    return tuple(CrmModule(text_at(row, "api_name"), text_at(row, "plural_label")) for row in usable)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    query = (("module", names.module_name(module)),)
    listed = rows(answer((yield get(account, "fields", "settings/fields", query, large=True))).get("fields"))
    return tuple(map(_field, listed))


def _field(row: dict[str, Any]) -> CrmField:
    """A record has a picklist's shown value, so that is what a rule compares with."""
    type_ = TYPES.get(text_at(row, "data_type"), CrmFieldType.TEXT)
    choices = choices_of(row.get("pick_list_values"), "display_value", "display_value")
    return field_of(row, "api_name", "field_label", type_, choices, is_custom=row.get("custom_field") is True)
