"""SugarCRM's API v11: who calls.

A filter compares stored text and has no pattern: each module is asked once for the last four digits in every
usual grouping, and the numbers that come back are compared here. Where more people have such digits than one
answer holds, and nobody in it is meant, the likely spellings are asked for exactly.

Values travel inside JSON, so nothing is escaped; they keep their types.
"""

from typing import Any

from workers.connectors import names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.records import rows
from workers.connectors.steps import Findings, Question, Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.sugar_rest.beans import Bean, Names
from workers.connectors.sugarcrm.api import Crm, answer, post

RECORDS_MOST = 60
Filter = list[dict[str, Any]]


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, beans.FIELD)
    modules = names.modules_of(question, beans.MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        kept = yield from _who_is_called_by(account, module, phone, fields)
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def _who_is_called_by(account: Crm, module: str, phone: Phone, fields: Names) -> Steps[list[Bean]]:
    phones = beans.phones_of(module)
    spelt = _any_of(phones, "$equals", phone.spellings)
    loosely = _any_of(phones, "$contains", phone.tails) if phone.e164 else spelt
    for filter_ in (loosely, spelt):
        found, has_more = yield from filtered(account, module, filter_, (*fields, *phones))
        kept = [bean for bean in found if phone.is_one_of(map(bean.get, phones))]
        if kept or not has_more:
            return kept
    return []


def _any_of(fields: Names, operator: str, texts: Names) -> Filter:
    return [{"$or": [{field: {operator: text}} for field in fields for text in texts]}]


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        found, _ = yield from filtered(account, module, [{name: {"$equals": digits}}], (*fields, name))
        kept = [bean for bean in found if is_exactly(bean.get(name), digits)]
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def filtered(account: Crm, module: str, filter_: Filter, fields: Names) -> Steps[tuple[list[Bean], bool]]:
    """The records, and whether there are more."""
    body = {
        "filter": filter_,
        "fields": ",".join(beans.selected(module, fields)),
        "max_num": RECORDS_MOST,
        "order_by": "date_modified:DESC",
    }
    found = answer((yield post(account, "find", f"{module}/filter", body, writes=False)))
    next_offset = found.get("next_offset")
    return [*rows(found.get("records"))], isinstance(next_offset, int) and next_offset > 0


def page(account: Crm) -> str:
    """The address of a record on an agent's screen."""
    return f"{account.settings.site}/#{{module}}/{{id}}"
