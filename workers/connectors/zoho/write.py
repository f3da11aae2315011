"""Zoho: a finished call in its Calls module, and a record for an unknown caller.

No field of a call takes an id of ours: it ends the description, which no query can look into. So a repeat
asks COQL for the calls that began within the same minute, for Zoho may keep no seconds, and reads theirs.

A contact is `Who_Id`; any other record, a lead too, is `What_Id` with its module.

Source: Zoho's page on the Calls API.
"""

from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.queries import coql
from workers.connectors.records import text_at
from workers.connectors.steps import Steps
from workers.connectors.zoho.api import Crm, post, written
from workers.connectors.zoho.find import TITLES, asked_ids, ids_of, read, record

DURATION = "{minutes:02d}:{seconds:02d}"
"""Zoho's texts call it hours and minutes; its samples and its pages read as minutes and seconds."""
NAMES = {"Contacts": "Last_Name", "Leads": "Last_Name"}
"""The field of a record's name that can be written, where it is not the one that is shown."""
NAME_MOST = 80


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    there = (yield from _logged_before(account, call)) if call.is_repeat else ""
    if there:
        return Logged(there, was_there=True)
    return Logged(written((yield post(account, "log", "Calls", {"data": [_body(call)]}, writes=True))))


def _logged_before(account: Crm, call: FinishedCall) -> Steps[str]:
    minute = call.started_at - call.started_at % 60
    where = coql.is_between("Call_Start_Time", _moment(minute), _moment(call.started_at))
    ids = ids_of((yield asked_ids(account, "logged", "Calls", where)))
    listed = yield from read(account, "Calls", ids, ("Description",))
    return next((text_at(row, "id") for row in listed if _marker(call) in str(row.get("Description"))), "")


def _body(call: FinishedCall) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Subject": call.subject[:255],
        "Call_Type": "Inbound" if call.is_answered else "Missed",
        "Call_Start_Time": _moment(call.started_at),
        "Description": f"{moments.told(call)}\n{_marker(call)}",
        "Caller_ID": call.caller,
        "Dialled_Number": call.called,
    }
    if call.is_answered:
        minutes, seconds = divmod(call.talk_seconds, 60)
        body["Call_Duration"] = DURATION.format(minutes=minutes, seconds=seconds)
    if not call.record_id:
        return body
    linked = {"id": call.record_id}
    is_contact = call.module == "Contacts"
    return body | ({"Who_Id": linked} if is_contact else {"What_Id": linked, "$se_module": call.module})


def _marker(call: FinishedCall) -> str:
    return f"[{call.call_id}]"


def _moment(epoch: float) -> str:
    """With an offset, which Zoho demands."""
    return moments.utc(epoch).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    shown = TITLES.get(module, "Name")
    name = contact.name[:NAME_MOST]
    body = {NAMES.get(module, shown): name, "Phone": contact.number}
    if module == "Leads":
        body["Company"] = name
    id_ = written((yield post(account, "create", module, {"data": [body]}, writes=True)))
    return record(account, module, {"id": id_, shown: name}, ())
