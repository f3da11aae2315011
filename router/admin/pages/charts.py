"""The bars of the last hour, as a page draws them: an SVG of attributes alone, for no style may be inline."""

from datetime import tzinfo

from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.pages.languages import Language
from router.core.hours import Hour

HEIGHT, STEP, GAP = 100, 10, 2


class Bar(Struct, frozen=True):
    at: str
    """When its minute begins, as a clock tells it."""
    calls: int
    failed: int
    x: int
    y: float
    height: float
    failed_y: float
    failed_height: float
    told: str
    """For whoever points at it."""


class Chart(Struct, frozen=True):
    bars: tuple[Bar, ...]
    width: int
    height: int
    bar_width: int
    most: int
    """What the whole height stands for."""


def bars(hour: Hour, language: Language, zone: tzinfo) -> Chart:
    most = max(hour.busiest, 1)
    made = []
    for number, minute in enumerate(hour.minutes):
        at = language.moment(moment(minute.begins_at), zone, "HH:mm")
        height = round(HEIGHT * minute.calls / most, 2)
        failed_height = round(HEIGHT * minute.failed / most, 2)
        told = language.counted(minute.calls, "{count} call", "{count} calls")
        made.append(
            Bar(
                at=at,
                calls=minute.calls,
                failed=minute.failed,
                x=number * STEP,
                y=round(HEIGHT - height, 2),
                height=height,
                failed_y=round(HEIGHT - failed_height, 2),
                failed_height=failed_height,
                told=f"{at} · {told}",
            )
        )
    return Chart(tuple(made), len(made) * STEP, HEIGHT, STEP - GAP, most)
