"""Vtiger: a finished call as an event of type Call, and a record for an unknown caller.

Times carry no zone and are not converted: they are UTC. A contact stands in `contact_id`; a lead there is
refused and stands in `parent_id`, as any other record. The call's id stands at the end of the
description, where a repeat looks for it.
"""

from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.queries import vtql
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Steps
from workers.connectors.vtiger.api import Crm, answer, get, post
from workers.connectors.vtiger.find import TITLES, record


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    if call.is_repeat:
        query = vtql.select("Events", ("id",), vtql.any_like(("description",), f"%{call.call_id}"))
        there = rows(answer((yield get(account, "logged", "query", (("query", query),)))))
        if there:
            return Logged(text_at(there[0], "id"), was_there=True)
    began, ended = moments.utc(call.started_at), moments.utc(call.started_at + call.seconds)
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    event: dict[str, Any] = {
        "subject": call.subject[:200],
        "activitytype": "Call",
        "eventstatus": "Held" if call.is_answered else "Not Held",
        "date_start": began.strftime("%Y-%m-%d"),
        "time_start": began.strftime("%H:%M:%S"),
        "due_date": ended.strftime("%Y-%m-%d"),
        "time_end": ended.strftime("%H:%M:%S"),
        "duration_hours": str(hours),
        "duration_minutes": str(minutes),
        "description": f"{moments.told(call)}\n{call.call_id}",
        "assigned_user_id": (yield from _user(account)),
    }
    if call.record_id:
        event["contact_id" if call.module == "Contacts" else "parent_id"] = call.record_id
    made = answer((yield post(account, "log", "Events", event)))
    return Logged(text_at(made, "id") if isinstance(made, dict) else "")


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    name = TITLES.get(module, ("lastname",))[-1]
    element = {
        name: contact.name[:80],
        "phone": contact.number,
        "assigned_user_id": (yield from _user(account)),
    }
    if module == "Leads":
        element["company"] = contact.name[:80]
    made = answer((yield post(account, "create", module, element)))
    return record(account, module, made if isinstance(made, dict) else {}, ())


def _user(account: Crm) -> Steps[str]:
    """Whose records they become: the signed-in user's, which Cloud tells on request."""
    if account.settings.edition == "open_source":
        return account.grant.facts.get("user", "")
    me = answer((yield get(account, "user", "me")))
    return text_at(me, "id") if isinstance(me, dict) else ""
