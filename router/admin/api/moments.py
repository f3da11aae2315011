"""Moments as the API writes and reads them: ISO 8601, in UTC."""

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

Moment = Annotated[datetime | None, QueryParameter(description="ISO 8601; without an offset it is in UTC.")]


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(round(epoch, 3), UTC)


def epoch(at: datetime | None) -> float | None:
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
