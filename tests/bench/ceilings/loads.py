"""What the AMI program is told to play, and what it tells of it."""

import msgspec


class Load(msgspec.Struct):
    """So many calls: `rate` of them a second, or `in_flight` at a time, each followed by the next."""

    calls: int
    in_flight: int = 1
    rate: float = 0.0
    first_caller: int = 10_000_000
    """The last eight digits of the first caller's number."""
    callers: int = 0
    """So many share the calls; 0: every caller is new."""
    tenants: int = 1
    hold_ms: int = 6000


class LoadResult(msgspec.Struct):
    calls: int = 0
    arrived: int = 0
    """Moved to where the caller's level belongs."""
    elsewhere: int = 0
    defaulted: int = 0
    """Nobody moved them in time."""
    most_held: int = 0
    seconds: float = 0.0
    """From the first call's parking to the last one's landing."""
    delay_ms: dict[str, float] = {}
    """Of parking to Redirect: p50, p95, p99, most."""
