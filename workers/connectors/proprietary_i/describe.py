"""The middleware: the connection test, the object types and their fields.

Of an integration's configuration only what changes nothing is asked: a type's description and the user's
status. Its list of types is never asked for, because that makes the reference middleware forget fields: the
settings have the types. A custom source tells nothing of itself: its settings have the data model.
"""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import answers, names
from workers.connectors.proprietary_i.api import NAME, Crm, get, require, require_logged_in
from workers.connectors.records import choices_of, field_of, look_up, rows, text_at
from workers.connectors.steps import Steps

TYPES = {
    "integer": CrmFieldType.NUMBER,
    "float": CrmFieldType.NUMBER,
    "bool": CrmFieldType.BOOLEAN,
    "timestamp": CrmFieldType.MOMENT,
    "to_one": CrmFieldType.LINK,
    "to_many": CrmFieldType.LINK,
}
MODEL_TYPES = {
    "phone": CrmFieldType.PHONE,
    "modified": CrmFieldType.MOMENT,
    "number": CrmFieldType.NUMBER,
    "boolean": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "moment": CrmFieldType.MOMENT,
    "choice": CrmFieldType.CHOICE,
}


def check(account: Crm) -> Steps[str]:
    """Of an integration: a type's description, and whether the service user is logged in."""
    settings = account.settings
    if settings.kind == "custom_source":
        return ""
    yield from describe(account, settings.object_types[0])
    status = answers.read_object(require((yield get(account, "status", "auth/status"))))
    require_logged_in(account, status)
    return text_at(status, "email") or settings.client_id


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    yield from ()
    return tuple(CrmModule(name, name) for name in account.settings.object_types)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    if account.settings.kind == "custom_source":
        if module not in account.settings.object_types:
            raise names.unknown_module(module)
        model = account.settings.data_model.items()
        return tuple(CrmField(name, name, MODEL_TYPES.get(type_, CrmFieldType.TEXT)) for name, type_ in model)
    return tuple(_field(one) for one in (yield from describe(account, module)))


def describe(account: Crm, module: str) -> Steps[list[dict[str, Any]]]:
    """The type's fields as the middleware describes them; an unknown one is refused with `Fault.MODULE`."""
    name = names.module_name(module, NAME)
    response = yield get(account, "fields", "object/describe", name, large=True)
    if response.status == 404:
        raise names.unknown_module(name)
    return rows(look_up(answers.read_object(require(response)), "fields")[1])


def of_logic(described: list[dict[str, Any]], *logic_types: str) -> tuple[str, ...]:
    """The ids of the fields that have one of these meanings, those of the first meaning first."""
    return tuple(
        text_at(one, "id")
        for wanted in logic_types
        for one in described
        if text_at(one, "logic_type") == wanted
    )


def _field(one: dict[str, Any]) -> CrmField:
    """A list's `id` goes over the wire, and its `value` is what people read."""
    choices = choices_of(look_up(one, "list.items")[1], "id", "value")
    type_ = TYPES.get(text_at(one, "type"), CrmFieldType.TEXT)
    if choices:
        several = look_up(one, "list.multiselect")[1] is True
        type_ = CrmFieldType.CHOICES if several else CrmFieldType.CHOICE
    if text_at(one, "logic_type") == "phone":
        type_ = CrmFieldType.PHONE
    return field_of(one, "id", "label", type_, choices)
