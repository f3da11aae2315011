"""Names of modules and fields that stand in a query or a path: checked, for no CRM can bind them.

A tenant writes these names. One that does not fit is refused before anything is sent, with the step of a
connection test that it belongs to.
"""

import re
from collections.abc import Iterable

from router.core.faults import Fault
from workers.connectors.answers import one_line
from workers.connectors.steps import Question
from workers.errors import LookupRefused

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}(\.[A-Za-z][A-Za-z0-9_]{0,79}){0,3}")


def field_name(name: str, pattern: re.Pattern[str] = WORD) -> str:
    """The name, when it can be one of a field. Raises LookupRefused."""
    if pattern.fullmatch(name) is None:
        raise LookupRefused(f"`{one_line(name, 60)}` cannot be the name of a field", fault=Fault.FIELD)
    return name


def module_name(name: str, pattern: re.Pattern[str] = WORD) -> str:
    """The name, when it can be one of a module. Raises LookupRefused."""
    if pattern.fullmatch(name) is None:
        raise LookupRefused(f"`{one_line(name, 60)}` cannot be the name of a module", fault=Fault.MODULE)
    return name


def field_names(names: Iterable[str], pattern: re.Pattern[str] = WORD) -> tuple[str, ...]:
    return tuple(field_name(name, pattern) for name in names)


def digits_field(question: Question, pattern: re.Pattern[str] = WORD) -> str:
    """The field that must equal the digits keyed. Raises LookupRefused where the rule names none."""
    name = question.job.key.digits_field
    if not name:
        raise LookupRefused(
            "the rule's greeting names no field for the digits (digits_field)", fault=Fault.FIELD
        )
    return field_name(name, pattern)


def modules_of(
    question: Question, default: tuple[str, ...], pattern: re.Pattern[str] = WORD
) -> tuple[str, ...]:
    """The modules to search, in order."""
    return tuple(module_name(name, pattern) for name in question.job.key.modules or default)


def unknown_module(name: str, said: str = "") -> LookupRefused:
    return LookupRefused(f"the CRM has no module `{one_line(name, 60)}`", said, fault=Fault.MODULE)


def unknown_field(name: str, said: str = "") -> LookupRefused:
    told = f"the CRM has no field `{one_line(name, 60)}`, or this user may not see it"
    return LookupRefused(told, said, fault=Fault.FIELD)
