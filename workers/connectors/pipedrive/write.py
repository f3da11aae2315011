"""Pipedrive: a finished call as a call log or as an activity, and a person for an unknown caller.

A call log keeps the seconds, as a text, and how the call went; it needs the scope of phone integrations.
An activity keeps whole minutes. Moments are UTC without a mark, notes are HTML. Neither has a direction,
nor a place for an id of ours: the call's id ends the note, and a repeat looks for it among the latest
entries, which are as many as one request brings: 50 call logs of the token's user, or 500 activities.
"""

from typing import Any

from router.core.call_logs import CallEnd, FinishedCall, Logged, NewContact
from router.core.lookups import Record
from workers.connectors import moments, names
from workers.connectors.pipedrive.api import MODULES, Crm, answer, ask, post
from workers.connectors.pipedrive.find import record
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Pairs, Steps

PATHS = {"call_log": "v1/callLogs", "activity": "api/v2/activities"}
LATEST: dict[str, Pairs] = {
    "call_log": (("limit", "50"),),
    "activity": (("sort_by", "add_time"), ("sort_direction", "desc"), ("limit", "500")),
}
LINKS = {"persons": "person_id", "organizations": "org_id"}
OUTCOMES = {CallEnd.ANSWERED: "connected", CallEnd.VOICEMAIL: "left_voicemail"}


def log_call(account: Crm, call: FinishedCall) -> Steps[Logged]:
    log_as = account.settings.log_as
    if call.is_repeat:
        latest = rows(answer((yield ask(account, "logged", PATHS[log_as], LATEST[log_as]))).get("data"))
        there = [row for row in latest if _marker(call) in str(row.get("note"))]
        if there:
            return Logged(text_at(there[0], "id"), was_there=True)
    body = _call_log(call) if log_as == "call_log" else _activity(call)
    return Logged(text_at(answer((yield post(account, "log", PATHS[log_as], body))), "data.id"))


def _marker(call: FinishedCall) -> str:
    return f"[{call.call_id}]"


def _note(call: FinishedCall) -> str:
    return f"{moments.told_html(call)}<br>{_marker(call)}"


def _call_log(call: FinishedCall) -> dict[str, Any]:
    return {
        "subject": call.subject[:255],
        "from_phone_number": call.caller,
        "to_phone_number": call.called,
        "outcome": OUTCOMES.get(call.ending, "no_answer"),
        "start_time": moments.spaced_utc(call.started_at),
        "end_time": moments.spaced_utc(call.started_at + call.seconds),
        "duration": str(call.spoken_seconds),
        "note": _note(call),
        **_linked(call, *LINKS),
    }


def _activity(call: FinishedCall) -> dict[str, Any]:
    """Participants name the person, for a bare `person_id` is only read."""
    hours, minutes = moments.hours_and_minutes(call.spoken_seconds)
    participants = [
        {"person_id": record_id, "primary": True} for record_id in _linked(call, "persons").values()
    ]
    return {
        "subject": call.subject[:255],
        "type": "call",
        "due_date": moments.day_utc(call.started_at),
        "due_time": moments.utc(call.started_at).strftime("%H:%M"),
        "duration": f"{hours:02d}:{minutes:02d}",
        "done": True,
        "note": _note(call),
        "participants": participants,
        **_linked(call, "organizations"),
    }


def _linked(call: FinishedCall, *modules: str) -> dict[str, int]:
    is_linked = call.module in modules and call.record_id.isdecimal()
    return {LINKS[call.module]: int(call.record_id)} if is_linked else {}


def create(account: Crm, contact: NewContact) -> Steps[Record]:
    module = names.module_name(contact.module)
    if module != MODULES[0]:
        raise names.unknown_module(module)  # an organisation has no place for a number
    phones = [{"value": contact.number, "primary": True, "label": "work"}]
    body = {"name": contact.name[:255], "phones": phones}
    made = answer((yield post(account, "create", "api/v2/persons", body))).get("data")
    return record(account, module, made if isinstance(made, dict) else {}, ())
