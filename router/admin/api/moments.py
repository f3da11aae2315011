"""Moments as the API writes them: ISO 8601, in UTC."""

from datetime import UTC, datetime


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(round(epoch, 3), UTC)
