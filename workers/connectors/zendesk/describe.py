"""Zendesk: the connection test, the modules and their fields."""

from typing import Any

from msgspec.structs import replace

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from workers.connectors import answers, names
from workers.connectors.records import choices_of, field_of, rows, text_at
from workers.connectors.steps import Pairs, Steps
from workers.connectors.zendesk.api import MODULE, MODULES, Crm, answer, get
from workers.connectors.zendesk.find import CUSTOM, OF_ORGANIZATION

STANDARD = {
    "users": {
        **dict.fromkeys(("name", "email", "role", "external_id", "notes", "details"), CrmFieldType.TEXT),
        "phone": CrmFieldType.PHONE,
        "tags": CrmFieldType.CHOICES,
        "organization_id": CrmFieldType.NUMBER,
    },
    "organizations": {
        **dict.fromkeys(("name", "external_id", "notes", "details"), CrmFieldType.TEXT),
        "tags": CrmFieldType.CHOICES,
    },
}
"""Those in no list of Zendesk's that a rule may want."""
TYPES = {
    "integer": CrmFieldType.NUMBER,
    "decimal": CrmFieldType.NUMBER,
    "checkbox": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "dropdown": CrmFieldType.CHOICE,
    "multiselect": CrmFieldType.CHOICES,
    "lookup": CrmFieldType.OTHER,
}
EACH_PAGE: Pairs = (("page[size]", "100"),)


def check(account: Crm) -> Steps[str]:
    """The body counts, not the status: to a stranger Zendesk answers 200, for an anonymous user."""
    user = answer((yield get(account, "user", "users/me.json"))).get("user")
    if not isinstance(user, dict) or not user.get("id"):
        raise answers.refused(Fault.CREDENTIALS)
    if user.get("role") not in ("agent", "admin") or user.get("suspended") is True:
        raise answers.refused(Fault.RIGHTS)
    return f"{text_at(user, 'name')}, {text_at(user, 'role')}"


def modules(_account: Crm) -> Steps[tuple[CrmModule, ...]]:
    """Those in which a caller can be found; they are the same everywhere."""
    yield from ()
    return (CrmModule("users", "Users"), CrmModule("organizations", "Organizations"))


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    """A user's, and those of its organisation behind them."""
    if names.module_name(module, MODULE) not in MODULES:
        raise names.unknown_module(module)
    own = yield from _listed(account, module)
    behind = (yield from _listed(account, MODULES[1])) if module == MODULES[0] else ()
    return (*own, *(_of_organization(field) for field in behind))


def _listed(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    name = CUSTOM[module]
    listed = rows(answer((yield get(account, "fields", f"{name}.json", EACH_PAGE, large=True))).get(name))
    standard = (
        CrmField(key, key.replace("_", " ").capitalize(), type_) for key, type_ in STANDARD[module].items()
    )
    return (*standard, *(_field(row) for row in listed if row.get("active", True)))


def _field(row: dict[str, Any]) -> CrmField:
    """A drop-down's value is its tag."""
    choices = choices_of(row.get("custom_field_options"), "value", "name")
    type_ = TYPES.get(text_at(row, "type"), CrmFieldType.TEXT)
    return field_of(row, "key", "title", type_, choices, is_custom=True)


def _of_organization(field: CrmField) -> CrmField:
    return replace(field, name=f"{OF_ORGANIZATION}{field.name}", label=f"Organization: {field.label}")
