"""HubSpot: the connection test, the modules and their properties."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.hubspot.api import MODULE, VERSION, Crm, answer, ask
from workers.connectors.records import choices_of, field_of, rows, text_at
from workers.connectors.steps import Pairs, Steps

STANDARD = tuple(CrmModule(name, name.title()) for name in ("contacts", "companies", "deals", "tickets"))
TYPES = {
    "phonenumber": CrmFieldType.PHONE,
    "phone_number": CrmFieldType.PHONE,
    "number": CrmFieldType.NUMBER,
    "bool": CrmFieldType.BOOLEAN,
    "booleancheckbox": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "enumeration": CrmFieldType.CHOICE,
    "checkbox": CrmFieldType.CHOICES,
}
BARE: Pairs = (("includePropertyDefinitions", "false"), ("includeAssociationDefinitions", "false"))


def check(account: Crm) -> Steps[str]:
    """A token may pass this and lack the right to read a module."""
    details = answer((yield ask(account, "account", f"account-info/{VERSION}/details")))
    return f"account {text_at(details, 'portalId')} at {text_at(details, 'uiDomain')}"


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    """The standard ones, and the custom objects where the token may see what there are."""
    response = yield ask(account, "schemas", f"crm-object-schemas/{VERSION}/schemas", BARE, large=True)
    listed = rows(answer(response).get("results")) if response.status != 403 else []
    own = (CrmModule(text_at(row, "objectTypeId"), text_at(row, "labels.plural")) for row in listed)
    return (*STANDARD, *own)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    path = f"crm/properties/{VERSION}/{names.module_name(module, MODULE)}"
    response = yield ask(account, "fields", path, large=True)
    if response.status == 404:
        raise names.unknown_module(module)
    return tuple(
        _field(row) for row in rows(answer(response).get("results")) if row.get("archived") is not True
    )


def _field(row: dict[str, Any]) -> CrmField:
    """A list's stored value is what a rule compares with, for answers have no labels."""
    kind, widget = text_at(row, "type"), text_at(row, "fieldType")
    type_ = TYPES.get(widget) if kind in ("string", "enumeration") else None
    choices = choices_of(
        [item for item in rows(row.get("options")) if not item.get("hidden")], "value", "label"
    )
    is_custom = row.get("hubspotDefined") is not True
    type_ = type_ or TYPES.get(kind, CrmFieldType.TEXT)
    return field_of(row, "name", "label", type_, choices, is_custom=is_custom)
