"""Salesforce's SOQL and SOSL (reserved characters: SOQL and SOSL reference).

Names of objects and fields are checked before they come here (`workers.connectors.names`).
"""

import re
from collections.abc import Iterable, Mapping

from workers.connectors.phones import Phone

RECORDS_MOST = 10
_RESERVED = re.compile(r"[\\'\"\n\r\t\b\f]")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def quoted(text: str) -> str:
    """A text as a literal of SOQL."""
    return "'" + _RESERVED.sub(lambda sign: _ESCAPES.get(sign[0], "\\" + sign[0]), text) + "'"


def is_one_of(fields: Iterable[str], values: Iterable[str]) -> str:
    """The condition that any of these fields is one of these texts."""
    listed = ", ".join(map(quoted, values))
    return "(" + " OR ".join(f"{field} IN ({listed})" for field in fields) + ")"


def select(module: str, columns: Iterable[str], where: str, further: Mapping[str, str]) -> str:
    """The newest records that fit; `further` has a condition of its own for some modules."""
    conditions = " AND ".join(text for text in (where, further.get(module)) if text)
    return (
        f"SELECT {', '.join(dict.fromkeys(columns))} FROM {module} WHERE {conditions}"
        f" ORDER BY LastModifiedDate DESC LIMIT {RECORDS_MOST}"
    )


def phone_search(phone: Phone, columns: Mapping[str, Iterable[str]], further: Mapping[str, str]) -> str:
    """A search of all modules' phone fields; its terms are digits only, which need no escaping."""
    terms = dict.fromkeys(filter(str.isdecimal, (phone.national, phone.digits)))
    returning = ", ".join(
        f"{module}({', '.join(dict.fromkeys(names))}{_where(further.get(module))} LIMIT {RECORDS_MOST})"
        for module, names in columns.items()
    )
    return f"FIND {{{' OR '.join(terms)}}} IN PHONE FIELDS RETURNING {returning}"


def _where(condition: str | None) -> str:
    return f" WHERE {condition}" if condition else ""
