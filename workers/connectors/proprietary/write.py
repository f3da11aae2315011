"""The contract: a finished call, which may be written any number of times, and a record for a new caller."""

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.proprietary.api import NAME, Crm, answer, post, put
from workers.connectors.records import link_of, text_at
from workers.connectors.steps import Steps


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """PUT below the call's id: 201 for a new entry, 200 for one that was there."""
    body = {
        "direction": "inbound",
        "ending": call.ending.value,
        "started_at": moments.iso_utc(call.started_at),
        "seconds": call.seconds,
        "talk_seconds": call.talk_seconds,
        "caller": call.caller or None,
        "caller_name": call.caller_name or None,
        "called": call.called,
        "subject": call.subject,
        "decision": call.decision,
        "record": {"module": call.module, "id": call.record_id} if call.record_id else None,
    }
    response = yield put(account, "log", "calls", call.call_id, body=body)
    return Logged(text_at(answer(response), "id"), was_there=response.status == 200)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module, NAME)
    body = {"module": module, "number": contact.number, "name": contact.name}
    made = answer((yield post(account, "create", "contacts", body=body, writes=True)))
    return Record(
        {},
        id=text_at(made, "id"),
        module=module,
        name=contact.name,
        link=link_of(text_at(made, "link", 2000)),
    )
