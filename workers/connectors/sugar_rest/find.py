"""v4_1: who calls.

A query is a piece of SQL, and numbers are compared as stored text. One question a module asks every phone
field with LIKE for the national digits with anything between them: that finds each spelling, and everybody
who has the number; what comes back is compared here. Exact spellings would miss those that nobody thought of.
Only an internal number is asked for exactly, for its few digits are in many others.
"""

from typing import Any

from router.core.faults import Fault
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.queries import sugar_sql
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Account, Findings, Question, Steps
from workers.connectors.sugar_rest import beans, service
from workers.connectors.sugar_rest.beans import Bean, Names, S

RECORDS_MOST = 20


def find(account: Account[S], question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, beans.FIELD)
    modules = names.modules_of(question, beans.MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        phones = beans.phones_of(module)
        found = yield from _entries(account, module, _is_called_by(module, phones, phone), (*fields, *phones))
        kept = [bean for bean in found if phone.is_one_of(map(bean.get, phones))]
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def _is_called_by(module: str, phones: Names, phone: Phone) -> str:
    if phone.e164 is None:
        return sugar_sql.any_equal(module, phones, phone.spellings)
    return sugar_sql.any_like(module, phones, phone.like_pattern)


def _find_by_digits(
    account: Account[S], question: Question, modules: Names, fields: Names
) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        found = yield from _entries(account, module, sugar_sql.equals(module, name, digits), (*fields, name))
        kept = [bean for bean in found if is_exactly(bean.get(name), digits)]
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def _entries(account: Account[S], module: str, query: str, fields: Names) -> Steps[list[Bean]]:
    arguments = entry_list(module, query, fields)
    body = yield from service.call(account, "find", "get_entry_list", arguments)
    return entries_of(body)


def entry_list(module: str, query: str, fields: Names) -> dict[str, Any]:
    """The arguments of get_entry_list behind the session."""
    return {
        "module_name": module,
        "query": query,
        "order_by": "",
        "offset": 0,
        "select_fields": ["id", *beans.selected(module, fields)],
        "link_name_to_fields_array": [],
        "max_results": RECORDS_MOST,
        "deleted": 0,
        "favorites": False,
    }


def entries_of(body: Any) -> list[Bean]:
    """The records of an answer. One with a list in place of its fields is deleted, or never was there."""
    listed = body.get("entry_list") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise answers.refused(Fault.ANSWER)
    there = [entry for entry in rows(listed) if isinstance(entry.get("name_value_list"), dict)]
    return [{**_fields_of(entry["name_value_list"]), "id": text_at(entry, "id")} for entry in there]


def _fields_of(listed: dict[str, Any]) -> dict[str, Any]:
    return beans.decoded(
        {name: one["value"] for name, one in listed.items() if isinstance(one, dict) and "value" in one}
    )


def page(account: Account[S]) -> str:
    """The address of a record on an agent's screen; SuiteCRM 8 leads from there to its own."""
    return f"{account.settings.site}/index.php?module={{module}}&action=DetailView&record={{id}}"
