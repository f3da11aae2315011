"""Bullhorn's two query languages: Lucene 4 for the index, JPQL for the database (Bullhorn REST API
reference).
"""

import re
from collections.abc import Iterable

_SPECIAL = re.compile(r'[+\-!(){}\[\]^"~*?:\\/&|]')


def quoted(text: str) -> str:
    """A text as a phrase of Lucene: each sign that means something is escaped; control signs are left out."""
    shown = "".join(sign for sign in text if sign.isprintable())
    return '"' + _SPECIAL.sub(lambda sign: "\\" + sign[0], shown) + '"'


def any_of(fields: Iterable[str], texts: Iterable[str]) -> str:
    """The condition that any of these fields holds one of these phrases."""
    phrases = " OR ".join(map(quoted, texts))
    return "(" + " OR ".join(f"{field}:({phrases})" for field in fields) + ")"


def without(condition: str, left_out: str, *, without_deleted: bool = True) -> str:
    """Deleted records are left out, where there is a mark for that, and those of one status."""
    kept = f"{condition} AND isDeleted:false" if without_deleted else condition
    return kept + (f" NOT status:{quoted(left_out)}" if left_out else "")


def jpql_quoted(text: str) -> str:
    """A text as a literal of JPQL: a quote is doubled; control signs are left out."""
    return "'" + "".join(sign for sign in text if sign.isprintable()).replace("'", "''") + "'"


def jpql_equals(field: str, text: str, *, without_deleted: bool = True) -> str:
    return f"{field}={jpql_quoted(text)}" + (" AND isDeleted=false" if without_deleted else "")
