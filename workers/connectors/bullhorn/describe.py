"""Bullhorn: the connection test, the entities and their fields, labelled by the tenant's field map."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import answers, names
from workers.connectors.bullhorn.api import Crm, answer, get
from workers.connectors.records import choices_of, field_of, rows, text_at
from workers.connectors.steps import Steps

TYPES = {
    "Integer": CrmFieldType.NUMBER,
    "Double": CrmFieldType.NUMBER,
    "BigDecimal": CrmFieldType.NUMBER,
    "Boolean": CrmFieldType.BOOLEAN,
    "Timestamp": CrmFieldType.MOMENT,
}


def check(account: Crm) -> Steps[str]:
    answer((yield get(account, "ping", "ping")))
    return account.settings.username


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    response = yield get(account, "modules", "meta", large=True)
    if response.status != 200:
        answer(response)
    listed = rows(answers.read_json(answers.read_text(response)))
    return tuple(CrmModule(text_at(one, "entity"), text_at(one, "entity")) for one in listed)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    query = (("fields", "*"), ("meta", "full"))
    path = f"meta/{names.module_name(module)}"
    listed = rows(answer((yield get(account, "fields", path, query, large=True))).get("fields"))
    return tuple(_field(one) for one in listed)


def _field(one: dict[str, Any]) -> CrmField:
    choices = choices_of(one.get("options"), "value", "label")
    type_ = TYPES.get(text_at(one, "dataType"), CrmFieldType.TEXT)
    if text_at(one, "dataSpecialization") == "PHONE":
        type_ = CrmFieldType.PHONE
    elif choices:
        type_ = CrmFieldType.CHOICES if one.get("multiValue") is True else CrmFieldType.CHOICE
    elif text_at(one, "type") in ("TO_ONE", "TO_MANY"):
        type_ = CrmFieldType.LINK
    is_custom = text_at(one, "name").startswith("custom")
    return field_of(one, "name", "label", type_, choices, is_custom=is_custom)
