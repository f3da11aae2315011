"""The condition that the REST service v4_1 takes as a piece of SQL, and can bind nothing in.

The server's own checker lets `SLEEP()` through, and a lone backslash before the closing quote breaks the
query: so every text is quoted here, and nowhere else. That checker also stumbles over brackets inside texts
that stand in several lists or in brackets, and answers "access denied": so conditions are `field = text`,
joined by OR, without brackets around them. Observed on SugarCRM 6.5.26 and SuiteCRM 7.12.14.

Names of modules and fields are checked before they come here (`workers.connectors.names`).
"""

import re
from collections.abc import Iterable

CUSTOM = "_c"
"""At the end of a custom field's name; such fields have a table of their own."""
_NO_PHONE = re.compile(r"[^0-9+ ().-]")
_NO_PATTERN = re.compile(r"[^0-9%]")


def quoted(text: str) -> str:
    """A text as a literal of MySQL: backslashes are doubled first, then quotes; NUL bytes are left out."""
    return "'" + text.replace("\0", "").replace("\\", "\\\\").replace("'", "''") + "'"


def column(module: str, field: str) -> str:
    """The field with its table in front: without it the database refuses."""
    table = module.lower()
    return f"{table}_cstm.{field}" if field.endswith(CUSTOM) else f"{table}.{field}"


def equals(module: str, field: str, text: str) -> str:
    return f"{column(module, field)} = {quoted(text)}"


def any_equal(module: str, fields: Iterable[str], numbers: Iterable[str]) -> str:
    """That any of these fields is one of these numbers; signs that no number is written with are left out."""
    texts = tuple(dict.fromkeys(_NO_PHONE.sub("", number) for number in numbers))
    return " OR ".join(equals(module, field, text) for field in fields for text in texts)


def any_like(module: str, fields: Iterable[str], pattern: str) -> str:
    """That any of these fields is like the pattern; all signs but digits and `%` are left out."""
    text = quoted(_NO_PATTERN.sub("", pattern))
    return " OR ".join(f"{column(module, field)} LIKE {text}" for field in fields)
