"""SuiteCRM's V8 API: a finished call as a held Call with an id of ours, and a record for an unknown caller.

Moments are written as `YYYY-MM-DD HH:MM:SS` in UTC: ISO 8601 is accepted, and stored as nothing.
"""

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.records import text_at
from workers.connectors.steps import Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.suitecrm.api import Crm, answer, post, said_by
from workers.connectors.suitecrm.find import record


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """The same id again is refused as existing, so a repeat writes nothing; a link may be made twice."""
    id_ = beans.activity_id(call)
    attributes = beans.activity(call, moments.spaced_utc(call.started_at))
    response = yield post(account, "log", "module", {"type": "Calls", "id": id_, "attributes": attributes})
    was_there = response.status == 400 and "already exist" in said_by(response)
    if not was_there:
        answer(response)
    if call.record_id and call.module in beans.LINKS:
        link = {"type": call.module, "id": call.record_id}
        answer((yield post(account, "link", f"module/Calls/{id_}/relationships", link)))
    return Logged(id_, was_there=was_there)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module, bean = names.module_name(contact.module), beans.newcomer(contact)
    body = answer((yield post(account, "create", "module", {"type": module, "attributes": bean})))
    return record(account, module, {**bean, "id": text_at(body, "data.id")})
