"""Dynamics: a finished call as a closed phone call, and a record for an unknown caller.

The phone call's id is made of the call's, so that a repeat finds the earlier entry by it. It is written open,
for only an update closes an activity, and left open it would stay in its owner's list of what is to be done:
a repeat closes it, too. Once closed it can be read only.

The caller's record is the sender, and what the phone call is about. The Web API's name for that link depends
on the version and the module, and is read from its description.
"""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from router.core.call_logs import CallEnd, FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.dynamics import records, soap
from workers.connectors.dynamics.api import Crm, answer, get, patch, post, require
from workers.connectors.dynamics.find import shape
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Response, Steps

CALL = "phonecall"
OPEN, COMPLETED, RECEIVED = 0, 1, 4
"""Of a phone call's states the first two; the last is the status of a completed one that came in."""
SENDER = 1
TAKEN = 412
"""The Web API has a record of this id, such as when the token ended before the entry was closed."""
_MADE = re.compile(r"\(([0-9A-Fa-f-]{36})\)/?$")
Body = dict[str, Any]


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    id_ = str(uuid5(NAMESPACE_URL, f"crmroute:{call.tenant}:{call.call_id}"))
    state = (yield from _state_of(account, id_)) if call.is_repeat else None
    if state is None:
        body = yield from _body(account, call, id_)
        response = yield post(account, "log", records.set_of(account, CALL), body)
        if response.status == TAKEN:
            state = yield from _state_of(account, id_)
        else:
            require(response)
    if state in (None, OPEN):
        yield from _close(account, id_)
    return Logged(id_, was_there=state is not None)


def _state_of(account: Crm, id_: str) -> Steps[int | None]:
    """None where there is no such phone call."""
    state = records.own(account, "statecode")
    where = f"{records.key_of(account, CALL)} eq {records.literal_of(account, id_)}"
    query = (*shape(account, (state,)), ("$filter", where))
    response = yield get(account, "logged", records.set_of(account, CALL), query)
    there = records.rows_of(account, answer(response))
    if not there:
        return None
    raw = there[0].get(state)
    return raw if isinstance(raw, int) else records.option_of(raw)


def _close(account: Crm, id_: str) -> Steps[None]:
    if account.settings.is_web:
        body = {"statecode": COMPLETED, "statuscode": RECEIVED}
        require((yield patch(account, "close", records.reference(account, CALL, id_), body)))
    else:
        soap.answered((yield soap.set_state(account, CALL, id_, COMPLETED, RECEIVED)))


def _body(account: Crm, call: FinishedCall, id_: str) -> Steps[Body]:
    told = {
        "activityid": id_,
        "subject": call.subject[:200],
        "phonenumber": call.caller[:200],
        "directioncode": False,
        "actualstart": records.written_moment(account, call.started_at),
        "actualend": records.written_moment(account, call.started_at + call.seconds),
        "actualdurationminutes": moments.whole_minutes(call.spoken_seconds),
        "leftvoicemail": call.ending is CallEnd.VOICEMAIL,
        "description": moments.told(call)[:2000],
    }
    body: Body = {records.own(account, name): value for name, value in told.items()}
    if not call.record_id:
        return body
    module = names.module_name(call.module)
    path = f"/{records.reference(account, module, call.record_id)}"
    if not account.settings.is_web:
        linked = {"Id": call.record_id, "LogicalName": module.lower()}
        party: Body = {"PartyId": linked, "ParticipationTypeMask": {"Value": SENDER}}
        body["RegardingObjectId"] = linked
    else:
        party = {f"partyid_{module}@odata.bind": path, "participationtypemask": SENDER}
        body |= {f"{link}@odata.bind": path for link in (yield from _regarding(account, module))}
    return body | ({"phonecall_activity_parties": [party]} if module in records.MODULES else {})


def _regarding(account: Crm, module: str) -> Steps[list[str]]:
    """The name of the link to a record of the module; none where it has no activities."""
    where = f"ReferencingAttribute eq 'regardingobjectid' and ReferencedEntity eq '{module}'"
    query = (("$select", "ReferencingEntityNavigationPropertyName"), ("$filter", where))
    path = f"EntityDefinitions(LogicalName='{CALL}')/ManyToOneRelationships"
    listed = rows(answer((yield get(account, "links", path, query, large=True))).get("value"))
    return [text_at(row, "ReferencingEntityNavigationPropertyName") for row in listed[:1]]


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    shown = contact.name[:50]
    title = "lastname" if module in records.PERSONS else "name"
    told = {title: shown, "telephone1": contact.number[:50]}
    if module == "lead":
        told["subject"] = shown
    body = {records.own(account, name): value for name, value in told.items()}
    response = yield post(account, "create", records.set_of(account, module), body)
    require(response)
    row = {records.key_of(account, module): _id_of(account, module, response)}
    if module in records.TITLES:
        row[records.own(account, records.TITLES[module])] = shown
    return records.record(account, module, row, (), {})


def _id_of(account: Crm, module: str, response: Response) -> str:
    """The Web API answers the address of what it made; OData 2 the record."""
    if account.settings.is_web:
        made = _MADE.search(response.headers.get("odata-entityid", ""))
        return made[1] if made else ""
    return text_at(records.one_of(account, answer(response)), records.key_of(account, module))
