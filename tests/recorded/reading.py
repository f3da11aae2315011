"""What our connectors make of each recorded answer, in a line; `readings/` has what a person found right.

Each answer is handed to the step of the connector that asks such a request, whatever its words were. An
answer to what no connector asks goes to the reader that all of the connector's answers pass.

`python -m tests.recorded.reading` writes the tables anew, for a person to read what changed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from router.core.call_logs import NewContact
from router.core.crm_catalog import CrmField, CrmModule
from tests.crms.driving import Unanswered, driven
from tests.recorded.replaying import CRMS, FOLDER, Recording, recordings
from workers.connectors import sugarcrm, suitecrm, vtiger
from workers.connectors.steps import Account, Grant, Steps
from workers.connectors.sugar_rest import describe as v4_describe
from workers.connectors.sugar_rest import service
from workers.connectors.sugar_rest.find import entries_of
from workers.connectors.suitecrm import api as v8
from workers.connectors.suitecrm import describe as v8_describe
from workers.connectors.suitecrm import write as v8_write
from workers.connectors.suitecrm.find import beans_of
from workers.connectors.vtiger import api as vt
from workers.connectors.vtiger import describe as vt_describe
from workers.connectors.vtiger import write as vt_write
from workers.connectors.vtiger.api import sign_in
from workers.errors import LookupFailed
from workers.secrets import Secret

TOKEN, PASSWORD = "<SESSION>", "plain-password"
URL = "https://crm.example"
SUGAR = sugarcrm.CONNECTOR.settings(url=URL, username="admin", password=Secret(PASSWORD))
SUITE = suitecrm.CONNECTOR.settings(
    url=URL, client_id="client", client_secret=Secret("secret"), grant="password", username="admin",
    password=Secret(PASSWORD),
)  # fmt: skip
VTIGER = vtiger.CONNECTOR.settings(url=URL, username="admin", access_key=Secret("key"))
GRANT = Grant(token=Secret(TOKEN), facts={"user": "19x1"})
ROWS_TOLD = 4


def reading_of(crm: str, recording: Recording) -> str:
    """In a line, and the same line every time."""
    try:
        return READERS[crm](recording)
    except LookupFailed as failed:
        said = f" ({failed.said})" if failed.said else ""
        kind = type(failed).__name__
        return f"{kind} {failed.fault.value}: {failed.problem}{said}"


def _sugar_reading(recording: Recording, settings: Any = SUGAR) -> str:
    account: Account[Any] = Account(settings, GRANT)
    method = recording.given.get("method", "")
    match method:
        case "login":
            return _grant(_run(service.sign_in(settings), recording))
        case "get_user_id":
            return f"user {_run(v4_describe.check(account), recording)}"
        case "get_available_modules":
            return _modules(_run(v4_describe.modules(account), recording))
        case "get_module_fields":
            return _fields(_run(v4_describe.fields(account, "Contacts"), recording))
        case "get_entry_list" | "get_entry":
            return _rows(entries_of(_called(account, method, recording)))
    return _value(_called(account, method or "none", recording))


def _called(account: Account[Any], method: str, recording: Recording) -> Any:
    """A server that fails is asked once more by the steps: here it answers the same."""
    steps = service.call(account, "replay", method, {})
    answer = recording.answer
    try:
        return driven(steps, answer)[0]
    except Unanswered:
        return driven(service.call(account, "replay", method, {}), answer, answer)[0]


def _suite_reading(recording: Recording) -> str:
    if recording.name.startswith("v41-"):
        return _sugar_reading(recording, SUITE)
    account: Account[Any] = Account(SUITE, GRANT)
    path = recording.path.rstrip("/")
    if path.endswith("/access_token"):
        return _grant(_run(v8._granted(v8.client_of(SUITE), ()), recording))
    if path.endswith("/current-user"):
        return f"user {_run(v8_describe.check(account), recording)}"
    if path.endswith("/meta/modules"):
        return _modules(_run(v8_describe.modules(account), recording))
    if "/meta/fields/" in path:
        return _fields(_run(v8_describe.fields(account, "Contacts"), recording))
    is_list = recording.request.method == "GET" and path.count("/") == 4 and "/module/" in path
    if is_list:
        return _rows(beans_of(recording.answer))
    if recording.request.method == "POST" and path.endswith("/V8/module"):
        made = _run(v8_write.create(account, NewContact("Contacts", "+12125550199", "Nina")), recording)
        return f"made {made.id}"
    return _value(v8.answer(recording.answer))


def _vtiger_reading(recording: Recording) -> str:
    account: Account[Any] = Account(VTIGER, GRANT)
    match recording.given.get("operation", ""):
        case "getchallenge":
            return f"challenge {vt._signed(vt._body(recording.answer)).get('token')}"
        case "login":
            return _grant(_logged_in(recording))
        case "listtypes":
            return _modules(_run(vt_describe.modules(account), recording))
        case "describe":
            return _fields(_run(vt_describe.fields(account, "Contacts"), recording))
        case "query":
            listed = vt.answer(recording.answer)
            return _rows(listed if isinstance(listed, list) else [])
        case "create":
            made = _run(vt_write.create(account, NewContact("Contacts", "+12125550199", "Nina")), recording)
            return f"made {made.id}"
    return _value(vt.answer(recording.answer))


def _logged_in(recording: Recording) -> Grant:
    """After a challenge that succeeds; a second attempt of the steps meets the same answers."""
    challenge = recordings("vtiger")["01-getchallenge"].answer
    answers = (challenge, recording.answer)
    try:
        return driven(sign_in(VTIGER, None), *answers)[0]
    except Unanswered:
        return driven(sign_in(VTIGER, None), *answers, *answers)[0]


READERS: dict[str, Callable[[Recording], str]] = {
    "sugarcrm": _sugar_reading,
    "suitecrm": _suite_reading,
    "vtiger": _vtiger_reading,
}


def _run(steps: Steps[Any], recording: Recording) -> Any:
    """Each request of the steps gets the recorded answer."""
    try:
        next(steps)
        while True:
            steps.send(recording.answer)
    except StopIteration as ended:
        return ended.value


def _grant(grant: Grant) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in sorted(grant.facts.items()))
    more = ", with a refresh token" if grant.refresh_token else ""
    lives = f", for {grant.lives_seconds:g} s" if grant.lives_seconds else ""
    return f"signed in by {grant.token.reveal()}{lives}{more}" + (f" ({facts})" if facts else "")


def _modules(listed: tuple[CrmModule, ...]) -> str:
    return f"{len(listed)} modules: " + _few([f"{one.name} = {one.label}" for one in listed])


def _fields(listed: tuple[CrmField, ...]) -> str:
    told = [
        f"{one.name} {one.type.value}" + (f" of {len(one.choices)}" if one.choices else "") for one in listed
    ]
    custom = [one.name for one in listed if one.is_custom]
    return f"{len(listed)} fields: {_few(told)}" + (f"; custom: {_few(custom)}" if custom else "")


def _rows(listed: list[Any]) -> str:
    told = [", ".join(f"{name} {_shown(value)}" for name, value in sorted(row.items())) for row in listed]
    return f"{len(listed)} records" + (": " + _few(told, " | ") if told else "")


def _value(value: Any) -> str:
    return f"answer {_shown(value)}"


def _few(listed: list[str], between: str = ", ") -> str:
    more = f"{between}and {len(listed) - ROWS_TOLD} more" if len(listed) > ROWS_TOLD else ""
    return between.join(listed[:ROWS_TOLD]) + more


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 160 else f"{text[:160]}… ({len(text)} signs)"


def write_readings() -> None:
    for crm in CRMS:
        told = {name: reading_of(crm, recording) for name, recording in recordings(crm).items()}
        raw = msgspec.json.format(msgspec.json.encode(told), indent=1)
        (FOLDER / "readings" / f"{crm}.json").write_bytes(raw + b"\n")


if __name__ == "__main__":
    write_readings()
