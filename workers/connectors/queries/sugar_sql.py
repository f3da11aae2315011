"""The condition that SugarCRM's REST v4_1 takes as a piece of SQL, and can bind nothing in.

The server's own checker lets `SLEEP()` through, and a lone backslash before the closing quote breaks the
query: so every text is quoted here, and nowhere else. Observed on SugarCRM 6.5.26 and SuiteCRM 7.12.14.
"""

from collections.abc import Iterable

CUSTOM = "_c"
"""At the end of a custom field's name; such fields have a table of their own."""


def quoted(text: str) -> str:
    """A text as a literal of MySQL: first backslashes are doubled, then quotes; a NUL byte is left out."""
    return "'" + text.replace("\0", "").replace("\\", "\\\\").replace("'", "''") + "'"


def column(module: str, field: str) -> str:
    """The field with its table in front: without it the database refuses."""
    table = module.lower()
    return f"{table}_cstm.{field}" if field.endswith(CUSTOM) else f"{table}.{field}"


def any_like(module: str, fields: Iterable[str], pattern: str) -> str:
    return " OR ".join(f"{column(module, field)} LIKE {quoted(pattern)}" for field in fields)


def equals(module: str, field: str, text: str) -> str:
    return f"{column(module, field)} = {quoted(text)}"
