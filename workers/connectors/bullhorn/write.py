"""Bullhorn: a finished call as a note, and a record for an unknown caller.

A note needs a person: without one it hangs on the API's own user. Minutes are whole, and rounded up. The
call's id is the note's external id, by which a repeat finds it. Comments are HTML.
"""

from html import escape
from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.bullhorn.api import Crm, answer, post, put
from workers.connectors.queries import lucene
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Steps

PERSONS = frozenset({"ClientContact", "Candidate", "Lead"})
ACTION = "Inbound Call"


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    if call.is_repeat:
        wanted = {"where": lucene.jpql_equals("externalID", call.call_id)}
        there = rows(
            answer((yield post(account, "logged", "query/Note", wanted, (("fields", "id"),)))).get("data")
        )
        if there:
            return Logged(text_at(there[0], "id"), was_there=True)
    is_person = call.module in PERSONS and call.record_id.isdecimal()
    person: dict[str, Any] = {"id": int(account.grant.facts.get("user") or 0)}
    if is_person:
        person = {"id": int(call.record_id), "personSubtype": call.module}
    note = {
        "action": ACTION,
        "comments": f"{escape(call.subject)}<br>{moments.told_html(call)}",
        "personReference": person,
        "minutesSpent": moments.whole_minutes(call.spoken_seconds),
        "dateAdded": round(call.started_at * 1000),
        "externalID": call.call_id[:100],
    }
    return Logged(text_at(answer((yield put(account, "log", "entity/Note", note))), "changedEntityId"))


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    first, _, last = contact.name.rpartition(" ")
    body = {"name": contact.name[:100], "phone": contact.number[:20]}
    if module in PERSONS:
        body |= {"firstName": first[:50], "lastName": last[:50]}
    made = answer((yield put(account, "create", f"entity/{module}", body)))
    return Record({}, id=text_at(made, "changedEntityId"), module=module, name=contact.name)
