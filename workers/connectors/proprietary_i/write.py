"""The middleware: a finished call as a task, and a record for an unknown caller.

A task hangs on a record, so a call without one is left out. The middleware does not tell two entries of one
call apart: after an attempt whose end nobody knows, a call is written again only where the settings allow it.
"""

from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.faults import Fault
from router.core.lookups import Record
from workers.connectors import answers, moments, names
from workers.connectors.proprietary_i.api import NAME, Crm, asked, decoded, post
from workers.connectors.proprietary_i.describe import describe, of_logic
from workers.connectors.records import look_up, text_at
from workers.connectors.steps import Steps
from workers.errors import LookupRefused

TWICE = "an earlier attempt may have written it, and this CRM cannot tell (repeats_logs)"
NO_WRITING = "a custom source only looks up: it takes no calls and makes no records"


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """Only status 201 is a success; numbers are whole, and `answered` is 0 or 1."""
    _require_integration(account)
    if not call.record_id:
        return Logged("")
    if call.is_repeat and not account.settings.repeats_logs:
        raise LookupRefused(TWICE, fault=Fault.SETTINGS)
    task = {
        "name": "Inbound call",
        "conversation_id": call.call_id,
        "tenant_code": call.tenant,
        "ext": "",
        "customer_id": call.caller,
        "answered": int(call.is_answered),
        "duration": call.spoken_seconds,
        "subject": call.subject,
        "description": moments.told(call),
        "channel": "voice",
        "conversation_finished": True,
        "conversation_start_time": round(call.started_at),
        "object_type": call.module,
        "object_id": call.record_id,
    }
    response = yield from asked(account, post(account, "log", "create-task", body=task))
    if response.status != 201:
        raise LookupRefused(f"the CRM did not take the call ({response.status})", fault=Fault.QUERY)
    return Logged("")


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    """The type's description tells which fields hold the name and the number, and may be set."""
    _require_integration(account)
    module = names.module_name(contact.module, NAME)
    described = yield from describe(account, module)
    settable = [one for one in described if look_up(one, "visibility.create")[1] is not False]
    name, phone = of_logic(settable, "last_name", "first_name")[:1], of_logic(settable, "phone")[:1]
    if not (name and phone):
        raise LookupRefused(f"{module} has no field for the name or for the number", fault=Fault.FIELD)
    body: dict[str, Any] = {name[0]: contact.name, phone[0]: contact.number}
    made = decoded(
        (yield from asked(account, post(account, "create", "object", module, body=body), Fault.FIELD))
    )
    if not isinstance(made, dict):
        raise answers.refused(Fault.ANSWER)
    return Record({}, id=text_at(made, "id"), module=module, name=contact.name)


def _require_integration(account: Crm) -> None:
    if account.settings.kind == "custom_source":
        raise LookupRefused(NO_WRITING, fault=Fault.SETTINGS)
