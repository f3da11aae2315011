"""Pipedrive: names of fields, and what stands under them in a person or an organisation.

Own fields stand at the top of a record, some under another key than the list of fields gives them; a
company's custom fields stand apart, by their 40 hexadecimal digits. A value with parts is shown by its main
one: an option by its label, an amount by its number, an address by its one line; `.id`, `.currency`,
`.locality` behind the name give another. What has several is a list.
"""

import re
from collections.abc import Iterable
from typing import Any

from workers.connectors.steps import Pairs

NAME = re.compile(r"(organization\.)?[A-Za-z0-9_]{1,80}(\.[a-z0-9_]{1,40})?")
OF_ORGANIZATION = "organization."
CUSTOM_MOST = 15
"""Keys that a request may name; without any, a record has them all."""
_CUSTOM = re.compile(r"[0-9a-f]{40}")
_ON_DEMAND = re.compile(
    r"[a-z_]+_count|(next|last)_activity_id|last_(incoming|outgoing)_mail_time|smart_bcc_email|(marketing|doi)_status"
)
"""Own fields that a record has only where the request names them."""
_KEYS = {"phone": "phones", "email": "emails", "label_ids": "labels"}


def asked_for(fields: Iterable[str]) -> Pairs:
    """The parameters that bring these fields, with the labels of options."""
    codes = tuple(dict.fromkeys(field.partition(".")[0] for field in fields))
    custom = [code for code in codes if _CUSTOM.fullmatch(code)]
    on_demand = [code for code in codes if _ON_DEMAND.fullmatch(code)]
    query: Pairs = (("include_option_labels", "true"),)
    if 0 < len(custom) <= CUSTOM_MOST:
        query = (*query, ("custom_fields", ",".join(custom)))
    if on_demand:
        query = (*query, ("include_fields", ",".join(on_demand)))
    return (*query, ("include_labels", "true")) if "label_ids" in codes else query


def value_of(item: dict[str, Any], field: str) -> tuple[bool, Any]:
    """Whether the record has the field, and what it shows. Without an organisation, its fields are empty."""
    if field.startswith(OF_ORGANIZATION):
        organization = item.get("organization") or {}
        return value_of(organization, field.removeprefix(OF_ORGANIZATION)) if organization else (True, None)
    code, _, part = field.partition(".")
    held = item.get("custom_fields") if _CUSTOM.fullmatch(code) else item
    key = _KEYS.get(code, code)
    if not isinstance(held, dict) or (key not in held and code not in held):
        return False, None
    return True, _shown(held[key] if key in held else held[code], part)


def _shown(raw: Any, part: str) -> Any:
    match raw:
        case list():
            return [_shown(one, part) for one in raw]
        case dict() if part:
            return raw.get(part)
        case dict():
            return raw.get("label" if "id" in raw else "value")
    return raw if part in ("", "id") else None
