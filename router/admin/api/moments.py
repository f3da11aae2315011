"""Moments as the API writes and reads them: ISO 8601, in UTC."""

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

from router.admin.api.problems import ApiError

Moment = Annotated[
    str | None,
    QueryParameter(
        description="ISO 8601; without an offset it is in UTC.", schema_extra={"format": "date-time"}
    ),
]


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(round(epoch, 3), UTC)


def epoch(text: str | None) -> float | None:
    """Raises ApiError for what is no moment: a number is none, either."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ApiError(
            400, "malformed", "`since` and `until` are moments such as 2026-11-27T08:00:00Z"
        ) from error
