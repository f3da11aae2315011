"""The custom source: who calls, by one request to an address that only looks up.

The settings name its parameters and its data model. The model's fields of type `id`, `name`, `phone` and
`modified` are asked for with every look-up. Numbers that a record shows are compared here, and keyed digits
always: the reference middleware matches a part of them.
"""

from typing import Any

from router.core.faults import Fault
from router.core.lookups import Record, plain_value
from workers.connectors import answers, names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.proprietary_i.api import NAME, Crm, Settings, decoded, require
from workers.connectors.records import look_up, moment_of, rows, text_at
from workers.connectors.steps import Findings, Question, Request, Response, Steps

ROLES = ("id", "name", "phone", "modified")
Names = tuple[str, ...]
Row = dict[str, Any]


def find(account: Crm, question: Question) -> Steps[Findings]:
    settings, phone = account.settings, Phone(question)
    module = _module(settings, question)
    fields = _known(settings, question.job.key.fields)
    by_number = is_by_number(question)
    target = () if by_number else _known(settings, (names.digits_field(question, NAME),))
    if by_number and not phone.is_askable:
        return Findings()
    roles = tuple(name for role in ROLES for name in _of_type(settings, role))
    wanted = tuple(dict.fromkeys((*fields, *target, *roles)))
    digits = question.job.key.subject
    found = _rows(settings, (yield _request(settings, phone, wanted, target, digits)))
    if by_number:
        found = [row for row in found if _is_of(settings, row, phone)]
    else:
        found = [row for row in found if is_exactly(look_up(row, target[0])[1], digits)]
    missing = [f"`{name}`" for name in wanted if any(not look_up(row, name)[0] for row in found)]
    problem = f"the answer has no field {', '.join(missing)}" if missing else ""
    return Findings(tuple(_record(settings, module, row, fields) for row in found), problem)


def _module(settings: Settings, question: Question) -> str:
    """What the record is called. A source has nothing to choose from, so another name is a mistake."""
    modules = names.modules_of(question, settings.object_types, NAME)
    for module in modules:
        if module not in settings.object_types:
            raise names.unknown_module(module)
    return modules[0]


def _known(settings: Settings, fields: Names) -> Names:
    for name in names.field_names(fields, NAME):
        if name not in settings.data_model:
            raise names.unknown_field(name)
    return fields


def _of_type(settings: Settings, type_: str) -> Names:
    return tuple(name for name, given in settings.data_model.items() if given == type_)


def _request(settings: Settings, phone: Phone, wanted: Names, target: Names, digits: str) -> Request:
    """The number is always sent: the source demands it, and takes the digits instead where they are there."""
    carried = {"number": _number(settings, phone), "fields": ",".join(wanted)}
    if target:
        carried |= {"input": digits, "input_field": target[0]}
    pairs = tuple((name, carried[role]) for role, name in settings.parameters if role in carried)
    sent: dict[str, Any] = {"query": pairs} if settings.method == "GET" else {"json": dict(pairs)}
    headers = tuple(settings.headers.items())
    return Request(name="find", method=settings.method, url=settings.url, headers=headers, **sent)


def _number(settings: Settings, phone: Phone) -> str:
    if not phone.is_askable:
        return "anonymous"
    if settings.number_format == "e164":
        return phone.received
    at_home = next((text for text in phone.spellings[1:2] if text.isdigit()), phone.received)
    return at_home if settings.number_format == "national" else phone.digits


def _rows(settings: Settings, response: Response) -> list[Row]:
    """The records: one, a list of them, or whatever a source says for nobody."""
    if response.status == 204 or (response.status == 404 and settings.absent_is_404):
        return []
    if response.status in (401, 403):
        raise answers.refusal(response, Fault.CREDENTIALS)
    if not answers.read_text(require(response)).strip():
        return []
    raw = decoded(response)
    found = [one for one in (raw if isinstance(raw, list) else [raw]) if one not in (None, {})]
    if not all(isinstance(one, dict) for one in found):
        raise answers.refused(Fault.ANSWER)
    return rows(found)


def _is_of(settings: Settings, row: Row, phone: Phone) -> bool:
    numbers = [look_up(row, name)[1] for name in _of_type(settings, "phone")]
    return phone.is_one_of(numbers) or not any(numbers)


def _record(settings: Settings, module: str, row: Row, fields: Names) -> Record:
    id_, name, modified = (next(iter(_of_type(settings, role)), "") for role in ("id", "name", "modified"))
    found = {field: look_up(row, field) for field in fields}
    return Record(
        {field: plain_value(raw) for field, (is_there, raw) in found.items() if is_there},
        id=text_at(row, id_),
        module=module,
        name=text_at(row, name),
        modified_at=moment_of(look_up(row, modified)[1]),
    )
