"""SugarCRM's API v11: a finished call as a held Call, and a record for an unknown caller.

Moments are ISO 8601 in this API.
"""

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.records import text_at
from workers.connectors.steps import Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.sugarcrm.api import Crm, answer, post
from workers.connectors.sugarcrm.find import filtered, page


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    """The entry's id of ours ends the description, where a repeat looks for it; a link may be made twice."""
    mark, id_ = beans.activity_id(call), ""
    if call.is_repeat:
        there, _ = yield from filtered(account, "Calls", [{"description": {"$contains": mark}}], ())
        id_ = text_at(dict(there[0]), "id") if there else ""
    was_there = bool(id_)
    if not was_there:
        bean = beans.activity(call, moments.iso_utc(call.started_at))
        bean["description"] = f"{bean['description']}\n{mark}"
        id_ = text_at(answer((yield post(account, "log", "Calls", bean))), "id")
    if call.record_id and call.module in beans.LINKS:
        linked = {"link_name": beans.LINKS[call.module], "ids": [call.record_id]}
        answer((yield post(account, "link", f"Calls/{id_}/link", linked)))
    return Logged(id_, was_there=was_there)


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module, bean = names.module_name(contact.module), beans.newcomer(contact)
    made = answer((yield post(account, "create", module, {**bean})))
    return beans.record(page(account), module, {**bean, "id": text_at(made, "id")}, ())
