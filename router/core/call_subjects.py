"""The subject of a call's entry in a CRM: the tenant's wording, filled with what is known of the call. Pure.

A wording has placeholders of a fixed set, such as `{caller}`. What fills them is put in once and is not read
again, so that a caller named `{rule}` stays a caller of that name.
"""

import re
from collections.abc import Mapping

from router.core.display import one_line

PLACEHOLDERS = ("caller", "called", "name", "destination", "rule", "ending", "direction")
MOST_CHARACTERS = 250
"""The shortest subject that any of the CRMs takes is 255 characters long."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def worded(wording: str, values: Mapping[str, str]) -> str:
    """The wording with its placeholders filled, in one line. What is no placeholder stays as it stands."""

    def fill(match: re.Match[str]) -> str:
        return one_line(values.get(match[1], match[0]))

    return one_line(_PLACEHOLDER.sub(fill, wording), MOST_CHARACTERS)


def unknown_placeholders(wording: str) -> list[str]:
    """What stands in braces and is no placeholder, in the order of the wording."""
    return [name for name in _PLACEHOLDER.findall(wording) if name not in PLACEHOLDERS]


def has_stray_brace(wording: str) -> bool:
    return bool(re.search(r"[{}]", _PLACEHOLDER.sub("", wording)))
