"""Revisions as entity tags (RFC 9110, 8.8.3): who changes a thing shows the one in hand, or `*` for any."""

import re
from typing import Annotated

from litestar.params import HeaderParameter

from router.admin.api.problems import ApiError

TAG = re.compile(r'(?:W/)?"(\d{1,9})"')
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The entity tag of what is changed, as its GET gave it; `*` changes whatever is there.",
    ),
]


def tag_of(revision: int) -> dict[str, str]:
    """The header of a response."""
    return {"ETag": f'"{revision}"'}


def revision_in(if_match: str | None) -> int | None:
    """The revision in hand; None for `*`. Raises ApiError for none, and for what was not given here."""
    if if_match is None:
        told = "send If-Match with the entity tag that you read, so that nobody's change is lost; or `*`"
        raise ApiError(428, "revision-needed", told)
    if if_match.strip() == "*":
        return None
    found = TAG.fullmatch(if_match.strip())
    if found is None:
        raise ApiError(412, "outdated", "this entity tag was not given here")
    return int(found[1])
