"""Vtiger's query language, VTQL: no parentheses, and a semicolon at the end. Observed on Vtiger 8.2.0.

VTQL takes a backslash for an ordinary sign and hands it to SQL unescaped, where it escapes the closing
quote: so it is doubled first, then each quote. An empty text is a server error there, and is refused
here.
"""

from collections.abc import Iterable

ROWS_MOST = 100
"""The server gives no more, whatever is asked."""


def quoted(text: str) -> str:
    """A text as a literal. Raises ValueError for an empty one; NUL bytes are left out."""
    text = text.replace("\0", "")
    if not text:
        raise ValueError("VTQL has no empty text")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def select(module: str, columns: Iterable[str], where: str) -> str:
    return f"select {', '.join(dict.fromkeys(columns))} from {module} where {where} limit 0, {ROWS_MOST};"


def any_like(fields: Iterable[str], pattern: str) -> str:
    return " or ".join(f"{field} like {quoted(pattern)}" for field in fields)


def equals(field: str, text: str) -> str:
    return f"{field} = {quoted(text)}"
