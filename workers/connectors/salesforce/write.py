"""Salesforce: a finished call as a completed task, and a record for an unknown caller."""

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.queries import soql
from workers.connectors.records import rows, text_at
from workers.connectors.salesforce.api import Crm, answer, get, post
from workers.connectors.salesforce.find import record
from workers.connectors.steps import Steps


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """The task's CallObject is the call's id, by which a repeat finds it; its duration is in seconds."""
    if call.is_repeat:
        query = soql.select("Task", ("Id",), soql.is_one_of(("CallObject",), (call.call_id,)), {})
        there = rows(answer((yield get(account, "logged", "query", q=query))).get("records"))
        if there:
            return Logged(text_at(there[0], "Id"), was_there=True)
    task = {
        "Subject": call.subject[:255],
        "TaskSubtype": "Call",
        "Status": "Completed",
        "Priority": "Normal",
        "ActivityDate": moments.day_utc(call.started_at),
        "CallType": "Inbound",
        "CallDurationInSeconds": call.spoken_seconds,
        "CallDisposition": call.ending.value.capitalize(),
        "CallObject": call.call_id,
        "Description": moments.told(call),
    }
    if call.record_id:
        task["WhoId" if call.module in ("Contact", "Lead") else "WhatId"] = call.record_id
    return Logged(text_at(answer((yield post(account, "log", "sobjects/Task", task))), "id"))


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    is_account = module == "Account"
    body = {"Phone": contact.number, "Name" if is_account else "LastName": contact.name[:80]}
    if module == "Lead":
        body["Company"] = contact.name[:80]
    created = answer((yield post(account, "create", f"sobjects/{module}", body)))
    return record(account, module, {"Id": created.get("id"), "Name": contact.name}, ())
