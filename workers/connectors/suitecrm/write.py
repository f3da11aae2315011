"""SuiteCRM: a finished call as a held Call with an id of ours, and a record for an unknown caller.

Moments are written as `YYYY-MM-DD HH:MM:SS` in UTC: ISO 8601 is accepted, and stored as nothing.
"""

from uuid import NAMESPACE_URL, uuid5

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.records import text_at
from workers.connectors.steps import Steps
from workers.connectors.suitecrm.api import Crm, answer, post, refusal_of
from workers.connectors.suitecrm.find import PERSONS, PHONES, record

LINKED = {"Contacts": "Contacts", "Leads": "Leads"}
"""What a call is related to as a participant; an account is its parent."""


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """The same id again is refused as existing, so a repeat writes nothing; a link may be made twice."""
    id_ = str(uuid5(NAMESPACE_URL, f"crmroute:{call.tenant}:{call.call_id}"))
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    attributes = {
        "name": call.subject[:255],
        "date_start": moments.spaced_utc(call.started_at),
        "duration_hours": hours,
        "duration_minutes": minutes,
        "direction": "Inbound",
        "status": "Held" if call.is_answered else "Not Held",
        "description": moments.told(call),
    }
    if call.record_id:
        attributes |= {"parent_type": call.module, "parent_id": call.record_id}
    response = yield post(account, "log", "module", {"type": "Calls", "id": id_, "attributes": attributes})
    was_there = response.status == 400 and "already exist" in refusal_of(response)
    if not was_there:
        answer(response)
    if call.record_id and call.module in LINKED:
        link = {"type": call.module, "id": call.record_id}
        answer((yield post(account, "link", f"module/Calls/{id_}/relationships", link)))
    return Logged(id_, was_there=was_there)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    name = "last_name" if module in PERSONS else "name"
    attributes = {name: contact.name[:100], PHONES.get(module, ("phone_work",))[0]: contact.number}
    body = answer((yield post(account, "create", "module", {"type": module, "attributes": attributes})))
    made = body.get("data")
    id_ = text_at(made, "id") if isinstance(made, dict) else ""
    return record(account, module, {"id": id_, "attributes": {name: contact.name}}, ())
