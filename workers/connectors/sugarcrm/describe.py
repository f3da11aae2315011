"""SugarCRM's API v11: the connection test, modules and fields.

The metadata of a module names labels and lists by keys, whose texts are in files for the browser: labels are
made of the fields' names here, and lists have no options.
"""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from workers.connectors import names
from workers.connectors.records import look_up, text_at
from workers.connectors.steps import Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.sugarcrm.api import Crm, answer, get


def check(account: Crm) -> Steps[str]:
    """Proves the token."""
    body = answer((yield get(account, "user", "me")))
    return text_at(body, "current_user.full_name") or text_at(body, "current_user.user_name")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    query = (("type_filter", "full_module_list"),)
    listed = answer((yield get(account, "modules", "metadata", query))).get("full_module_list")
    pairs = listed.items() if isinstance(listed, dict) else ()
    return tuple(CrmModule(str(name), str(label)) for name, label in pairs if not str(name).startswith("_"))


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    module = names.module_name(module)
    query = (("type_filter", "modules"), ("module_filter", module))
    body = answer((yield get(account, "fields", "metadata", query)))
    listed = look_up(body, f"modules.{module}.fields")[1]
    if not isinstance(listed, dict):
        raise names.unknown_module(module)
    described = {str(name): one for name, one in listed.items() if isinstance(one, dict)}
    return tuple(_field(name, one) for name, one in described.items() if one.get("type") != "link")


def _field(name: str, one: dict[str, Any]) -> CrmField:
    type_ = beans.TYPES.get(text_at(one, "type"), CrmFieldType.TEXT)
    return CrmField(name, beans.readable(name), type_, (), name.endswith("_c"))
