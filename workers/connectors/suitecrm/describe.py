"""SuiteCRM: the connection test, modules and fields; its V8 API tells neither labels nor list values."""

from typing import Any

from router.core.crm_catalog import CrmField, CrmFieldType, CrmModule
from router.core.faults import Fault
from workers.connectors import answers, names
from workers.connectors.records import look_up, text_at
from workers.connectors.steps import Steps
from workers.connectors.suitecrm.api import Crm, answer, get

TYPES = {
    "phone": CrmFieldType.PHONE,
    "bool": CrmFieldType.BOOLEAN,
    "int": CrmFieldType.NUMBER,
    "decimal": CrmFieldType.NUMBER,
    "float": CrmFieldType.NUMBER,
    "currency": CrmFieldType.NUMBER,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.MOMENT,
    "datetimecombo": CrmFieldType.MOMENT,
    "enum": CrmFieldType.CHOICE,
    "dynamicenum": CrmFieldType.CHOICE,
    "multienum": CrmFieldType.CHOICES,
    "relate": CrmFieldType.LINK,
}


def check(account: Crm) -> Steps[str]:
    """Proves the token, and that the client has a user: without one each call fails."""
    user = look_up(answer((yield get(account, "user", "current-user"))), "data.attributes")[1]
    if not isinstance(user, dict):
        raise answers.refused(Fault.RIGHTS)
    return text_at(user, "full_name") or text_at(user, "user_name")


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    listed = _attributes(answer((yield get(account, "modules", "meta/modules", large=True))))
    return tuple(CrmModule(name, text_at(one, "label") or name) for name, one in listed.items())


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    response = yield get(account, "fields", f"meta/fields/{names.module_name(module)}", large=True)
    return tuple(_field(name, one) for name, one in _attributes(answer(response)).items())


def _field(name: str, one: dict[str, Any]) -> CrmField:
    type_ = TYPES.get(text_at(one, "type"), CrmFieldType.TEXT)
    label = name.removesuffix("_c").replace("_", " ").capitalize()
    return CrmField(name, label, type_, (), text_at(one, "source") == "custom_fields")


def _attributes(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = look_up(body, "data.attributes")[1]
    pairs = listed.items() if isinstance(listed, dict) else ()
    return {str(name): one for name, one in pairs if isinstance(one, dict)}
