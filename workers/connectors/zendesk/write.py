"""Zendesk: a finished call as a ticket with a private comment, and a user for an unknown caller.

Zendesk has no quieter place for a call. A new ticket runs the account's triggers, which can leave it out by
its tag `crmroute`; a private comment is no news to the customer. As `voice`, the ticket belongs to the
channel of phone calls; that channel's own kind of comment wants the address of a recording, so it is not
used. The call's id is the ticket's external id, by which tickets are listed without the index. A ticket hangs
on a user; its organisation is that of its user, and no other.

An answered call's ticket is solved, for which it needs an assignee: the user whom we ask as. Where the
account demands more of a solved ticket, it stays new, as that of any other call does, for somebody to call
back.

A user that we made is known by its external id before the index has met its number.

Sources: Zendesk's Support API description, its Talk Partner Edition reference and its native ticket rules.
"""

from typing import Any

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Steps
from workers.connectors.zendesk.api import MODULE, MODULES, Crm, answer, get, post
from workers.connectors.zendesk.find import record

TAG = "crmroute"
INBOUND_CALL = 45
PATHS = {"ticket": "tickets.json", "voice": "channels/voice/tickets.json"}
UNPROCESSABLE = 422


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    if call.is_repeat:
        query = (("external_id", call.call_id),)
        there = rows(answer((yield get(account, "logged", "tickets.json", query))).get("tickets"))
        if there:
            return Logged(text_at(there[0], "id"), was_there=True)
    ticket, path = _ticket(account, call), PATHS[account.settings.log_as]
    solved = (yield from _solved_by(account)) if call.is_answered else {}
    response = yield post(account, "log", path, {"ticket": ticket | solved})
    if solved and response.status == UNPROCESSABLE:
        response = yield post(account, "log", path, {"ticket": ticket})
    return Logged(text_at(answer(response), "ticket.id"))


def _ticket(account: Crm, call: FinishedCall) -> dict[str, Any]:
    ticket: dict[str, Any] = {
        "subject": call.subject[:150],
        "comment": {"body": moments.told(call), "public": False},
        "external_id": call.call_id,
        "tags": [TAG, f"{TAG}_{call.ending}"],
    }
    if account.settings.log_as == "voice":
        ticket["via_id"] = INBOUND_CALL
    if call.module == "users" and call.record_id.isdecimal():
        ticket["requester_id"] = int(call.record_id)
    return ticket


def _solved_by(account: Crm) -> Steps[dict[str, Any]]:
    me = text_at(answer((yield get(account, "user", "users/me.json"))), "user.id")
    return {"status": "solved", "assignee_id": int(me)} if me.isdecimal() else {}


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module, MODULE)
    if module != MODULES[0]:
        raise names.unknown_module(module)  # an organisation has no place for a number
    user = {
        "name": contact.name[:200],
        "phone": contact.number,
        "role": "end-user",
        "external_id": f"{TAG}:{contact.number}",
    }
    response = yield post(account, "create", "users.json", {"user": user})
    if response.status == UNPROCESSABLE:
        query = (("external_id", user["external_id"]),)
        known = rows(answer((yield get(account, "created", "users/search.json", query))).get("users"))
        there = [one for one in known if one.get("phone") == contact.number]
        if there:
            return record(account, module, there[0], {})
    made = answer(response).get("user")
    return record(account, module, made if isinstance(made, dict) else {}, {})
