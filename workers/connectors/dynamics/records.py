"""Dynamics' records in both APIs: their names, and the values as each API writes them.

The Web API has logical names in small letters, and sets in their plural: `contact`, `contacts`. OData 2 has
schema names, whose capitals count: `Contact`, `ContactSet`. A rule names the standard modules by their
logical names for both APIs, and everything else as its API does.

A value is what people see: an option's label, a linked record's name; with `.id` behind the field's name the
stored number or id. The Web API puts the label of each value beside it, of a plain number too, and does not
tell which is which: so a number is one whose digits its label repeats. OData 2 has no labels at all, and
`find` asks for them.
"""

import re
from collections.abc import Mapping
from typing import Any

from router.core.lookups import Record, Value, plain_value
from workers.connectors import answers, moments
from workers.connectors.dynamics.api import Crm, unreadable
from workers.connectors.records import look_up, moment_of, rows, text_at

MODULES = ("contact", "lead", "account")
PERSONS = frozenset({"contact", "lead"})
PERSONAL = ("telephone1", "mobilephone", "telephone2", "telephone3")
PHONES = {"contact": PERSONAL, "lead": PERSONAL, "account": PERSONAL[:1] + PERSONAL[2:]}
TITLES = {"contact": "fullname", "lead": "fullname", "account": "name", "opportunity": "name"}
_SCHEMA = """
    Contact Lead Account Opportunity PhoneCall SystemUser Telephone1 Telephone2 Telephone3 MobilePhone
    FullName LastName Name Subject ModifiedOn ActivityId StateCode PhoneNumber DirectionCode ActualStart
    ActualEnd ActualDurationMinutes LeftVoiceMail Description
"""
SCHEMA = {name.lower(): name for name in _SCHEMA.split()}
"""The schema names of what the connector itself reads and writes."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
FIELD = re.compile(rf"{NAME.pattern}(\.{NAME.pattern})?")
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LABEL = "@OData.Community.Display.V1.FormattedValue"
_MOMENT = re.compile(r"/Date\((-?[0-9]{1,14})([+-][0-9]{4})?\)/")
_SEVERAL = re.compile(r"-?[0-9]+(,-?[0-9]+)*")
Names = tuple[str, ...]
Row = dict[str, Any]
Labels = Mapping[str, Mapping[int, str]]
"""Of the options of each field."""


def own(account: Crm, logical: str) -> str:
    """A standard name as the API has it."""
    return logical if account.settings.is_web else SCHEMA.get(logical, logical)


def set_of(account: Crm, module: str) -> str:
    """Where the records of a module are: the Web API's plural is made as Dynamics makes it."""
    if not account.settings.is_web:
        return f"{own(account, module)}Set"
    if module.endswith(("s", "x", "z", "ch", "sh")):
        return f"{module}es"
    if re.search(r"[^aeiou]y$", module):
        return f"{module[:-1]}ies"
    return f"{module}s"


def key_of(account: Crm, module: str) -> str:
    """The field of a record's id; a phone call is an activity."""
    if module == "phonecall":
        return own(account, "activityid")
    return f"{module}id" if account.settings.is_web else f"{own(account, module)}Id"


def phones_of(account: Crm, module: str) -> Names:
    return tuple(own(account, name) for name in PHONES.get(module, PERSONAL[:2]))


def own_fields(account: Crm, module: str) -> Names:
    """What a record is called by, found by again, and when it changed."""
    title = (own(account, TITLES[module]),) if module in TITLES else ()
    return (key_of(account, module), own(account, "modifiedon"), *title)


def rows_of(account: Crm, body: Row) -> list[Row]:
    """The records of an answer. Raises LookupRefused where there is no list."""
    listed = body.get("value") if account.settings.is_web else look_up(body, "d.results")[1]
    if not isinstance(listed, list):
        raise unreadable()
    return rows(listed)


def one_of(account: Crm, body: Row) -> Row:
    """The record of an answer. Raises LookupRefused where there is none."""
    one = body if account.settings.is_web else body.get("d")
    if not isinstance(one, dict):
        raise unreadable()
    return one


def reference(account: Crm, module: str, id_: str) -> str:
    """A record's own path. Raises LookupRefused for an id that is none."""
    if GUID.fullmatch(id_) is None:
        raise unreadable()
    return f"{set_of(account, module)}({literal_of(account, id_)})"


def literal_of(account: Crm, id_: str) -> str:
    """An id as a literal: OData 2 has its type in front."""
    return id_ if account.settings.is_web else f"guid'{id_}'"


def stored(field: str) -> str:
    """The CRM's field for a rule's: `new_tier` for `new_tier.id`."""
    return field.removesuffix(".id")


def record(account: Crm, module: str, row: Row, fields: Names, labels: Labels) -> Record:
    id_ = text_at(row, key_of(account, module))
    page = f"{account.settings.site}/main.aspx?etn={module.lower()}&pagetype=entityrecord&id=%7B{id_}%7D"
    title = own(account, TITLES[module]) if module in TITLES else ""
    changed = _plain(row.get(own(account, "modifiedon")))
    return Record(
        {field: value_of(row, field, labels) for field in fields},
        id=id_,
        module=module,
        name=answers.one_line(text_at(row, title)),
        link=page if GUID.fullmatch(id_) else "",
        modified_at=changed if isinstance(changed, str) else None,
    )


def value_of(row: Row, field: str, labels: Labels) -> Value:
    """A field's value; one of another record, where the field's name leads there with a dot."""
    name, _, part = field.partition(".")
    if part and part != "id":
        linked = row.get(name)
        return value_of(linked, part, labels) if isinstance(linked, dict) else None
    raw, label = row.get(name), row.get(f"{name}{LABEL}")
    if part or raw is None:
        return plain_value(raw.get("Id", raw.get("Value")) if isinstance(raw, dict) else raw)
    if isinstance(label, str):
        return plain_value(_shown(name, raw, label))
    number = option_of(raw)
    if number is not None:
        return labels.get(name, {}).get(number, number)
    return plain_value(_plain(raw))


def option_of(raw: Any) -> int | None:
    """The number of an option of OData 2."""
    match raw:
        case {"Value": int() as number} if not isinstance(number, bool):
            return number
    return None


def _shown(name: str, raw: Any, label: str) -> Any:
    """A value of the Web API, or its label where that is what people mean by it."""
    if name.startswith("_"):
        return label
    if isinstance(raw, str):
        return label.split("; ") if _SEVERAL.fullmatch(raw) and label != raw else raw
    if isinstance(raw, bool) or not isinstance(raw, int):
        return raw
    digits, own_digits = "".join(filter(str.isdecimal, label)), str(abs(raw))
    is_number = digits.startswith(own_digits) and not digits[len(own_digits) :].strip("0")
    return raw if is_number else label


def _plain(raw: Any) -> Any:
    """A value of OData 2: a linked record's name, an amount of money, a moment as ISO 8601."""
    match raw:
        case {"Name": name, "Id": _}:
            return name
        case {"Value": str() as amount}:
            return _number(amount)
        case {"Value": None} | {"Id": None}:
            return None
        case str() if moment := _MOMENT.fullmatch(raw):
            return moment_of(int(moment[1]) / 1000)
    return raw


def _number(amount: str) -> float | str:
    try:
        return float(amount)
    except ValueError:
        return amount


def written_moment(account: Crm, epoch: float) -> str:
    return moments.iso_utc(epoch) if account.settings.is_web else f"/Date({round(epoch * 1000)})/"
