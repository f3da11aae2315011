"""Zoho's query language, COQL (Zoho CRM developer guide, v8: at most 25 conditions, joined two at a time).

Names of modules and fields are checked before they come here (`workers.connectors.names`).

Zoho's users escape a quote in two ways that exclude each other, so there is no escape here: the signs that
might end a text are left out of it, and what comes back is compared by the connector.
"""

from collections.abc import Iterable

RECORDS_MOST = 100


def quoted(text: str) -> str:
    """A text as a literal: without quotes, backslashes and control signs."""
    return "'" + "".join(sign for sign in text if sign.isprintable() and sign not in "'\"\\") + "'"


def is_one_of(fields: Iterable[str], texts: Iterable[str]) -> str:
    """The condition that any of these fields is one of these texts, letter by letter."""
    listed = ", ".join(map(quoted, texts))
    first, *others = (f"{field} in ({listed})" for field in fields)
    for condition in others:
        first = f"({first} or {condition})"
    return first


def is_between(field: str, least: str, most: str) -> str:
    return f"{field} between {quoted(least)} and {quoted(most)}"


def select_ids(module: str, where: str) -> str:
    return f"select id from {module} where {where} limit 0, {RECORDS_MOST}"
