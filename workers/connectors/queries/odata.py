"""OData's `$filter`, as Dynamics' two APIs take it: OData 4 in the Web API, OData 2 in CRM 2015.

A quote inside a text is doubled, and nothing else has to be; the request's parameters are percent-encoded as
all are. Names of modules and fields are checked before they come here (`workers.connectors.names`).
"""

from collections.abc import Iterable


def quoted(text: str) -> str:
    """A text as a literal: quotes are doubled; control signs are left out."""
    return "'" + "".join(sign for sign in text if sign.isprintable()).replace("'", "''") + "'"


def equals(field: str, text: str) -> str:
    return f"{field} eq {quoted(text)}"


def equals_number(field: str, number: int) -> str:
    return f"{field} eq {number:d}"


def ends_with(field: str, text: str) -> str:
    return f"endswith({field},{quoted(text)})"


def contains(field: str, text: str) -> str:
    """OData 4."""
    return f"contains({field},{quoted(text)})"


def substring_of(field: str, text: str) -> str:
    """The same in OData 2."""
    return f"substringof({quoted(text)},{field})"


def any_of(conditions: Iterable[str]) -> str:
    return "(" + " or ".join(conditions) + ")"
