"""The contract: the connection test, the modules and their fields."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.proprietary.api import NAME, Crm, answer, get, listed
from workers.connectors.records import choices_of, field_of, text_at
from workers.connectors.steps import Steps

TYPES = {type_.value: type_ for type_ in CrmFieldType}


def check(account: Crm) -> Steps[str]:
    return text_at(answer((yield get(account, "me", "me"))), "name")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    response = yield get(account, "modules", "modules", large=True)
    return tuple(
        CrmModule(text_at(one, "name"), text_at(one, "label")) for one in listed(response, "modules")
    )


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    name = names.module_name(module, NAME)
    response = yield get(account, "fields", "modules", name, "fields", large=True)
    return tuple(_field(one) for one in listed(response, "fields"))


def _field(one: dict[str, Any]) -> CrmField:
    type_ = TYPES.get(text_at(one, "type"), CrmFieldType.OTHER)
    return field_of(one, "name", "label", type_, choices_of(one.get("values"), "value", "label"))
