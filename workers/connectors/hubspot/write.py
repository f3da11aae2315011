"""HubSpot: a finished call as a call on the record's timeline, and a record for an unknown caller.

Durations are milliseconds, the body is HTML. The call's id stands in `hs_call_external_id`, the property for
the id of a calling provider; a repeat searches for it. The search's index lags some moments, so a repeat that
follows at once may write a second entry: a limit of HubSpot's own.

An association's number is known for the standard kinds of record; with a custom object, HubSpot's default
association is made by a request of its own, which may be repeated.

Sources: HubSpot's guides to calls and associations.
"""

from typing import Any

from msgspec.structs import replace

from router.core.call_logs import CallEnd, FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.hubspot.api import MODULE, VERSION, Crm, answer, ask, post
from workers.connectors.hubspot.find import phones_of, record, titles_of
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Steps

CALLS = f"crm/objects/{VERSION}/calls"
STATUSES = {CallEnd.ANSWERED: "COMPLETED", CallEnd.ABANDONED: "CANCELED"}
DISPOSITIONS = {
    CallEnd.ANSWERED: "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    CallEnd.VOICEMAIL: "b2cf5968-551e-4856-9783-52b3da59a7d0",
}
NO_ANSWER = "73a0d17f-1163-4015-bdd5-ec830791da20"
ASSOCIATIONS = {"contacts": 194, "companies": 182, "deals": 206, "tickets": 220}


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    there = (yield from _logged_before(account, call)) if call.is_repeat else ""
    id_ = there or text_at(answer((yield post(account, "log", CALLS, _body(call), writes=True))), "id")
    if call.record_id.isdecimal() and call.module not in ASSOCIATIONS:
        module = names.module_name(call.module, MODULE)
        path = f"{CALLS}/{id_}/associations/default/{module}/{call.record_id}"
        answer((yield replace(ask(account, "link", path), method="PUT", writes=True)))
    return Logged(id_, was_there=bool(there))


def _logged_before(account: Crm, call: FinishedCall) -> Steps[str]:
    by_id = {"propertyName": "hs_call_external_id", "operator": "EQ", "value": call.call_id}
    wanted = {"filterGroups": [{"filters": [by_id]}], "limit": 1}
    found = rows(answer((yield post(account, "logged", f"{CALLS}/search", wanted))).get("results"))
    return text_at(found[0], "id") if found else ""


def _body(call: FinishedCall) -> dict[str, Any]:
    properties = {
        "hs_timestamp": moments.iso_utc(call.started_at),
        "hs_call_title": call.subject[:250],
        "hs_call_body": moments.told_html(call),
        "hs_call_direction": "INBOUND",
        "hs_call_duration": str(call.spoken_seconds * 1000),
        "hs_call_status": STATUSES.get(call.ending, "NO_ANSWER"),
        "hs_call_disposition": DISPOSITIONS.get(call.ending, NO_ANSWER),
        "hs_call_from_number": call.caller,
        "hs_call_to_number": call.called,
        "hs_call_external_id": call.call_id,
    }
    type_ = ASSOCIATIONS.get(call.module)
    if type_ is None or not call.record_id.isdecimal():
        return {"properties": properties}
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}]
    return {"properties": properties, "associations": [{"to": {"id": call.record_id}, "types": types}]}


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module, MODULE)
    name, number = titles_of(module)[-1], phones_of(account, module)[0]
    body = {"properties": {name: contact.name[:250], number: contact.number}}
    made = answer((yield post(account, "create", f"crm/objects/{VERSION}/{module}", body, writes=True)))
    return record(account, module, made, ())
