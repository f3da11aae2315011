"""v4_1: a finished call as a held Call with an id of ours, and a record for an unknown caller.

Moments are written as `YYYY-MM-DD HH:MM:SS` in UTC: any other form is accepted, and stored as nothing.
"""

from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.faults import Fault
from router.core.lookups import Record
from workers.connectors import answers, moments, names
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Steps
from workers.connectors.sugar_rest import beans, service
from workers.connectors.sugar_rest.beans import S
from workers.connectors.sugar_rest.find import entries_of, page
from workers.errors import LookupRefused


def log_call(account: Account[S], call: FinishedCall) -> Steps[Logged]:
    """`new_with_id` never changes an entry that is there; a repeat finds it, and links it once more."""
    id_ = beans.activity_id(call)
    was_there = call.is_repeat and (yield from _is_there(account, id_))
    if not was_there:
        bean = beans.activity(call, moments.spaced_utc(call.started_at))
        yield from _set_entry(account, "log", "Calls", {"new_with_id": True, "id": id_, **bean})
    link = beans.LINKS.get(call.module)
    if call.record_id and link:
        yield from _set_relationship(account, id_, link, call.record_id)
    return Logged(id_, was_there=was_there)


def _is_there(account: Account[S], id_: str) -> Steps[bool]:
    arguments = {
        "module_name": "Calls",
        "id": id_,
        "select_fields": ["id"],
        "link_name_to_fields_array": [],
        "track_view": False,
    }
    return bool(entries_of((yield from service.call(account, "logged", "get_entry", arguments))))


def _set_entry(account: Account[S], name: str, module: str, bean: dict[str, Any]) -> Steps[str]:
    """The record's id."""
    listed = [{"name": key, "value": value} for key, value in bean.items()]
    arguments = {"module_name": module, "name_value_list": listed}
    body = yield from service.call(account, name, "set_entry", arguments, writes=True)
    id_ = text_at(body, "id") if isinstance(body, dict) else ""
    if not id_:
        raise answers.refused(Fault.ANSWER)
    return id_


def _set_relationship(account: Account[S], id_: str, link: str, record_id: str) -> Steps[None]:
    arguments = {
        "module_name": "Calls",
        "module_id": id_,
        "link_field_name": link,
        "related_ids": [record_id],
        "name_value_list": [],
        "delete": 0,
    }
    body = yield from service.call(account, "link", "set_relationship", arguments, writes=True)
    if not isinstance(body, dict) or body.get("failed") != 0:
        raise LookupRefused("the CRM did not link the call to the record")


def create(account: Account[S], contact: NewContact) -> Steps[Record]:
    module, bean = names.module_name(contact.module), beans.newcomer(contact)
    id_ = yield from _set_entry(account, "create", module, bean)
    return beans.record(page(account), module, {**bean, "id": id_}, ())
