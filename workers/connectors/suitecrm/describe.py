"""SuiteCRM's V8 API: the connection test, modules and fields; it tells no labels and no options of lists."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from workers.connectors import answers, names
from workers.connectors.records import look_up, text_at
from workers.connectors.steps import Response, Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.suitecrm.api import Crm, answer, get


def check(account: Crm) -> Steps[str]:
    """Proves the token, and that the client has a user: without one each call fails."""
    user = _attributes((yield get(account, "user", "current-user")))
    return text_at(user, "full_name") or text_at(user, "user_name")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    """A module that the user may not read is among them, too."""
    listed = _listed((yield get(account, "modules", "meta/modules", large=True)))
    return tuple(CrmModule(name, text_at(one, "label") or name) for name, one in listed.items())


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    """Without the links to lists of records, which have no value."""
    response = yield get(account, "fields", f"meta/fields/{names.module_name(module)}", large=True)
    listed = {name: one for name, one in _listed(response).items() if one.get("type") != "link"}
    return tuple(_field(name, one) for name, one in listed.items())


def _field(name: str, one: dict[str, Any]) -> CrmField:
    type_ = beans.TYPES.get(text_at(one, "type"), CrmFieldType.TEXT)
    return CrmField(name, beans.readable(name), type_, (), one.get("source") == "custom_fields")


def _listed(response: Response) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in _attributes(response).items() if isinstance(one, dict)}


def _attributes(response: Response) -> dict[str, Any]:
    attributes = look_up(answer(response), "data.attributes")[1]
    if not isinstance(attributes, dict):
        raise answers.refused(Fault.ANSWER)
    return beans.decoded(attributes)
