"""v4_1: the connection test, the modules and their fields, with labels and the options of lists."""

from html import unescape
from typing import Any

from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from workers.connectors import answers, names
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Account, Steps
from workers.connectors.sugar_rest import beans, service
from workers.connectors.sugar_rest.beans import S

WITH_OPTIONS = frozenset({CrmFieldType.CHOICE, CrmFieldType.CHOICES})
"""A boolean and a date have options, too: for the search form, and none is ever a value."""


def check(account: Account[S]) -> Steps[str]:
    """Proves the session."""
    if not (yield from service.call(account, "user", "get_user_id", {})):
        raise answers.refused(Fault.CREDENTIALS)
    return account.grant.facts.get("user", "")


def modules(account: Account[S]) -> Steps[tuple[CrmModule, ...]]:
    body = yield from service.call(account, "modules", "get_available_modules", {"filter": "default"})
    if not isinstance(body, dict):
        raise answers.refused(Fault.ANSWER)
    listed = [row for row in rows(body.get("modules")) if _may_be_listed(row)]
    return tuple(CrmModule(text_at(row, "module_key"), _label(row, "module_label")) for row in listed)


def _may_be_listed(row: dict[str, Any]) -> bool:
    return {"action": "list", "access": False} not in rows(row.get("acls"))


def fields(account: Account[S], module: str) -> Steps[tuple[CrmField, ...]]:
    arguments = {"module_name": names.module_name(module)}
    body = yield from service.call(account, "fields", "get_module_fields", arguments)
    if not isinstance(body, dict) or "module_fields" not in body:
        raise answers.refused(Fault.ANSWER)
    listed = body["module_fields"]
    return tuple(map(_field, rows(list(listed.values())))) if isinstance(listed, dict) else ()


def _field(row: dict[str, Any]) -> CrmField:
    name = text_at(row, "name")
    type_ = beans.TYPES.get(text_at(row, "type"), CrmFieldType.TEXT)
    options = row.get("options") if type_ in WITH_OPTIONS else None
    listed = rows(list(options.values())) if isinstance(options, dict) else []
    choices = [Choice(text_at(one, "name"), _label(one, "value")) for one in listed]
    label = _label(row, "label").removesuffix(":")
    shown = beans.readable(name) if not label or label.startswith("LBL_") else label
    return CrmField(name, shown, type_, tuple(one for one in choices if one.value), name.endswith("_c"))


def _label(row: dict[str, Any], key: str) -> str:
    return answers.one_line(unescape(text_at(row, key)))
