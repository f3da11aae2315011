"""What a line compares with, as it is typed. Pure."""

import csv
import re
from typing import Any

from router.core.rules import RuleValue

NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?", re.ASCII)


def value_text(value: RuleValue) -> str:
    """A value as it is typed; those of a list have commas between them, and quotes where one has a comma."""
    if isinstance(value, list):
        return ", ".join(_quoted(text_of(one)) for one in value)
    return text_of(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"') else text


def text_of(value: object) -> str:
    """A scalar in a field; nothing for what is unset or false."""
    if value is None or value is False:
        return ""
    return "true" if value is True else str(value)


def typed_value(text: str, *, is_list: bool) -> Any:
    """What was typed; of a list, what stands between the commas."""
    return [_typed(one) for one in _cells(text)] if is_list else _typed(text)


def _cells(text: str) -> list[str]:
    rows = list(csv.reader([text.replace("\n", " ").replace("\r", " ")], skipinitialspace=True))
    return [cell.strip() for cell in rows[0] if cell.strip()] if rows else []


def _typed(text: str) -> Any:
    """A number as a number, where writing it anew gives the same text; the rest is text."""
    if NUMBER.fullmatch(text) is None:
        return text
    number = float(text) if "." in text else int(text)
    return number if str(number) == text else text
