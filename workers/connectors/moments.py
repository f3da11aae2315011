"""A call's moments and durations, in the forms that CRMs want them written."""

from datetime import UTC, datetime
from html import escape

from router.core.call_logs import FinishedCall


def utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def iso_utc(epoch: float) -> str:
    """`2026-05-01T09:00:00Z`."""
    return utc(epoch).strftime("%Y-%m-%dT%H:%M:%SZ")


def spaced_utc(epoch: float) -> str:
    """`2026-05-01 09:00:00`."""
    return utc(epoch).strftime("%Y-%m-%d %H:%M:%S")


def day_utc(epoch: float) -> str:
    """`2026-05-01`."""
    return utc(epoch).strftime("%Y-%m-%d")


def told(call: FinishedCall) -> str:
    """What no field of a CRM has: the decision, both numbers, the moment and the length, in two lines."""
    numbers = f"{call.caller or 'withheld'} → {call.called}"
    spoken = f", {call.talk_seconds} s of them talking" if call.is_answered else ""
    return f"{call.decision}\n{numbers}, {iso_utc(call.started_at)}, {call.seconds} s{spoken} ({call.ending})"


def told_html(call: FinishedCall) -> str:
    """The same for a CRM that shows HTML: a caller's or a record's signs are no markup."""
    return escape(told(call)).replace("\n", "<br>")


def whole_minutes(seconds: int) -> int:
    """Rounded up: a call of a second is no call of no minutes."""
    return -(-seconds // 60)


def hours_and_minutes(seconds: int) -> tuple[int, int]:
    """Minutes rounded up: 3,605 seconds are an hour and a minute."""
    return divmod(whole_minutes(seconds), 60)
