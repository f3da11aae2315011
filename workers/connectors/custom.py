"""The custom URL connector: a customer's own address that answers with the value of a field.

    GET {URL}?field_name={CRM_FIELD_NAME}&dtmf={DTMF}

`dtmf` is sent only for a rule on an IVR with a greeting. Several fields are one `field_name`, separated by
commas. What an admin adds is under `parameters`. The answer is the bare value as text, a JSON scalar, a JSON
record or a list of records; docs/custom-url.md is the contract in full, for the customer's developer.

What a request carries follows from the look-up's key alone, because calls with the same key share the answer:
a question asked by the digits keyed never carries the caller's number.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from router.core.lookups import AskedBy, Record, Value, plain_value
from router.core.numbers import spellings
from router.core.rules import Credentials
from workers.connectors.answers import (
    WEB_PAGE,
    is_json_type,
    is_web_page,
    one_line,
    read_json,
    read_text,
    require_success,
)
from workers.connectors.records import at_path, keys_told, link_of, look_up, moment_of, text_at
from workers.connectors.steps import (
    Account,
    Auth,
    Basic,
    Bearer,
    Connector,
    Findings,
    HeaderAuth,
    Pairs,
    Question,
    Request,
    Response,
    Steps,
)
from workers.errors import LookupRefused
from workers.secrets import Secret

LITERAL = "text:"
RECORDS_MOST = 100
_NO_HEADER_OF_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
# An opening that no plain value has: text that begins so is JSON, or is meant to be.
_JSON_OPENING = re.compile(r"\{|\[\s*[\[{\"]")
_SNIFFED_JSON = re.compile(r"[{\[\"]|null\s*\Z")


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^(?i:https?)://[^\s/?#]", max_length=2000)]
    method: Literal["GET", "POST"] = "GET"
    body: Literal["form", "json"] = "form"
    parameters: dict[str, str] = {}
    headers: dict[str, Secret] = {}
    auth: Literal["none", "basic", "bearer", "header"] = "none"
    username: str = ""
    password: Secret = Secret()
    token: Secret = Secret()
    header_name: str = ""
    header_value: Secret = Secret()
    answer: Literal["auto", "text", "json"] = "auto"
    record_path: str = ""
    field_paths: dict[str, str] = {}
    id_field: str = ""
    name_field: str = ""
    link_field: str = ""
    modified_field: str = ""
    not_found_statuses: tuple[Annotated[int, Meta(ge=400, le=599)], ...] = (404,)

    def __repr__(self) -> str:
        """Without the address and the literals: they may hold secrets."""
        return f"Settings({self.method}, auth={self.auth})"

    def __post_init__(self) -> None:
        """Raises ValueError for what the types alone cannot say; no message holds a secret."""
        for name, carried in self.parameters.items():
            if name in ("", "field_name", "dtmf"):
                raise ValueError(f"the parameter `{name}` cannot be set: it is part of the contract itself")
            if carried not in CARRIED and not carried.startswith(LITERAL):
                known = ", ".join(CARRIED)
                raise ValueError(
                    f"the parameter `{name}` cannot carry `{carried[:40]}`; known are {known}, text:…"
                )
        for name, value in self.headers.items():
            _require_header(name, value)
        self._require_auth()

    def _require_auth(self) -> None:
        if self.auth == "basic" and not self.username:
            raise ValueError("auth = basic needs a username")
        if self.auth == "bearer" and not self.token:
            raise ValueError("auth = bearer needs a token")
        if self.auth == "bearer":
            _require_header("Authorization", self.token)
        if self.auth == "header":
            if not self.header_value:
                raise ValueError("auth = header needs header_name and header_value")
            _require_header(self.header_name, self.header_value)


def find(account: Account[Settings], question: Question) -> Steps[Findings]:
    """One request, whatever the answer."""
    response = yield _request(account.settings, question)
    return _findings(account.settings, question, response)


def with_credentials(given: Mapping[str, Any], credentials: Credentials) -> dict[str, Any]:
    """A rule's own user and password; an integration without any authentication then uses basic."""
    merged = dict(given)
    if credentials.username is not None:
        merged["username"] = credentials.username
    if credentials.password is not None:
        merged["password"] = credentials.password
    if merged.get("auth", "none") == "none":
        merged["auth"] = "basic"
    return merged


CONNECTOR = Connector(slug="custom", settings=Settings, find=find, with_credentials=with_credentials)


# What is asked


def _request(settings: Settings, question: Question) -> Request:
    pairs = _pairs(settings, question)
    sent: dict[str, Any] = {"query": pairs}
    if settings.method == "POST":
        sent = {"form": pairs} if settings.body == "form" else {"json": dict(pairs)}
    literals = (name for name, carried in settings.parameters.items() if carried.startswith(LITERAL))
    return Request(
        name="find",
        method=settings.method,
        url=settings.url,
        headers=tuple(settings.headers.items()),
        auth=_auth(settings),
        follows_redirects=True,
        masked=frozenset(literals),
        final_statuses=frozenset(settings.not_found_statuses),
        **sent,
    )


def _pairs(settings: Settings, question: Question) -> Pairs:
    """The contract's own parameters, then the admin's. One that has nothing to carry is left out."""
    job = question.job
    pairs = [("field_name", ",".join(job.key.fields))]
    if job.sends_digits and job.digits:
        pairs.append(("dtmf", job.digits))
    for name, carried in settings.parameters.items():
        value = carried.removeprefix(LITERAL) if carried.startswith(LITERAL) else CARRIED[carried](question)
        if value or carried == LITERAL:
            pairs.append((name, value))
    return tuple(pairs)


def _caller(question: Question) -> str:
    if question.job.key.by is AskedBy.DIGITS:
        return ""
    return question.job.caller.e164 or question.job.caller.received


def _caller_national(question: Question) -> str:
    """As it is dialled inside the tenant's country, without spaces; any other number stays as it is."""
    caller, number = _caller(question), question.job.caller.e164
    if not caller or number is None:
        return caller
    second = spellings(number, question.country)[1:2]
    return second[0] if second and second[0].isdigit() else number


def _caller_digits(question: Question) -> str:
    return "".join(sign for sign in _caller(question) if sign in "0123456789")


CARRIED: dict[str, Callable[[Question], str]] = {
    "caller": _caller,
    "caller_national": _caller_national,
    "caller_digits": _caller_digits,
    "called": lambda question: question.job.called,
    "tenant": lambda question: question.job.key.tenant,
    "call_id": lambda question: question.job.call_id,
    "digits": lambda question: question.job.digits,
    "digits_field": lambda question: question.job.key.digits_field or "",
    "field": lambda question: ",".join(question.job.key.fields),
}
"""What a parameter may carry. `router.core.plans` puts `called` and `call_id` into the look-up's key."""


def _auth(settings: Settings) -> Auth | None:
    match settings.auth:
        case "basic":
            return Basic(settings.username, settings.password)
        case "bearer":
            return Bearer(settings.token)
        case "header":
            return HeaderAuth(settings.header_name, settings.header_value)
        case _:
            return None


def _require_header(name: str, value: Secret) -> None:
    if _HEADER_NAME.fullmatch(name) is None:
        raise ValueError(f"`{name[:40]!r}` cannot be a header's name")
    if name.lower() in _NO_HEADER_OF_OURS:
        raise ValueError(f"the header `{name}` cannot be set: the connection needs it itself")
    if _HEADER_VALUE.fullmatch(value.reveal()) is None:
        raise ValueError(f"the header `{name}` holds a line break or a sign that headers cannot carry")


# What was answered


def _findings(settings: Settings, question: Question, response: Response) -> Findings:
    if response.status == 204 or response.status in settings.not_found_statuses:
        return Findings()
    require_success(response)
    text = read_text(response).strip()
    if not text:
        return Findings()
    if is_web_page(response, text):
        raise LookupRefused(WEB_PAGE)
    is_json, raw = _decoded(settings, response, text)
    if settings.record_path and not is_json:
        raise LookupRefused(f"the answer is text, so there is no `{settings.record_path}` in it")
    found = at_path(raw, settings.record_path) if settings.record_path else raw
    return _records(settings, question, found)


def _decoded(settings: Settings, response: Response, text: str) -> tuple[bool, Any]:
    """Whether the answer is JSON, and what it holds.

    With `auto` the content type decides; where it says nothing, JSON that looks like JSON. So a bare `42` or
    `true` in a text answer stays text, and keeps its leading zeros.
    """
    if settings.answer == "text":
        return False, text
    if settings.answer == "json" or is_json_type(response):
        return True, read_json(text)
    if _SNIFFED_JSON.match(text) is None:
        return False, text
    try:
        return True, read_json(text)
    except LookupRefused:
        if _JSON_OPENING.match(text):
            raise
        return False, text


def _records(settings: Settings, question: Question, found: Any) -> Findings:
    if isinstance(found, list):
        items = [item for item in found if item not in (None, {}, [])]
        if items and all(isinstance(item, dict) for item in items):
            return _from_objects(settings, question, items)
        if any(isinstance(item, dict | list) for item in items):
            raise LookupRefused("the answer is a list of neither records nor plain values")
        # A list of plain values is one field with several values.
        return _from_value(question, items) if items else Findings()
    if isinstance(found, dict):
        return _from_objects(settings, question, [found]) if found else Findings()
    if found is None or (isinstance(found, str) and not found.strip()):
        return Findings()
    return _from_value(question, found)


def _from_value(question: Question, raw: Any) -> Findings:
    """A bare value is the value of the rule's field."""
    fields = question.job.key.fields
    field = fields[0] if fields else "value"
    problem = ""
    if len(fields) > 1:
        problem = f"one value came for {len(fields)} fields; it was taken for `{one_line(field, 60)}`"
    value = plain_value(raw)
    return Findings((Record({field: value.strip() if isinstance(value, str) else value}),), problem)


def _from_objects(settings: Settings, question: Question, items: list[dict[str, Any]]) -> Findings:
    kept = [item for item in items[:RECORDS_MOST] if _has_digits(settings, question, item)]
    missing: dict[str, str] = {}
    records = tuple(_record(settings, question.job.key.fields, item, missing) for item in kept)
    problems = list(missing.values())
    if len(items) > RECORDS_MOST:
        problems.append(f"{len(items)} records came, and the first {RECORDS_MOST} were read")
    if len(kept) < len(items[:RECORDS_MOST]):
        field = one_line(question.job.key.digits_field or "", 60)
        problems.append(f"records whose `{field}` is not exactly the digits keyed were left out")
    return Findings(records, "; ".join(problems))


def _has_digits(settings: Settings, question: Question, item: dict[str, Any]) -> bool:
    """Whether the record is the one the digits name, where that shows: some CRMs match a part of them."""
    key = question.job.key
    if key.by is not AskedBy.DIGITS or not key.digits_field:
        return True
    is_there, raw = look_up(item, settings.field_paths.get(key.digits_field, key.digits_field))
    if not is_there or raw is None:
        return True
    if isinstance(raw, int):  # it has lost its leading zeros
        return str(raw) == (key.subject.lstrip("0") or "0")
    return "".join(str(raw).split()) == key.subject


def _record(
    settings: Settings, fields: tuple[str, ...], item: dict[str, Any], missing: dict[str, str]
) -> Record:
    """The fields asked for, as they are; null is an empty value. A missing one is told once, and left out."""
    values: dict[str, Value] = {}
    for field in fields:
        path = settings.field_paths.get(field, field)
        is_there, raw = look_up(item, path)
        if is_there:
            values[field] = plain_value(raw)
        else:
            missing.setdefault(
                field, f"the record has no field `{one_line(path, 60)}`{keys_told(item, path)}"
            )
    return Record(
        values,
        id=text_at(item, settings.id_field),
        name=text_at(item, settings.name_field),
        link=link_of(text_at(item, settings.link_field, 2000)),
        modified_at=moment_of(look_up(item, settings.modified_field)[1]) if settings.modified_field else None,
    )
