"""What the doctor finds: one thing looked at, how it is, and what to do when it is not well."""

from enum import StrEnum

from msgspec import Struct

OUT_OF_TIME = "The time for it was over."


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It cannot be asked, or depends on something that is wrong."""


class Finding(Struct, frozen=True):
    area: str
    """`settings`, `asterisk pbx-a`, `redis`, `names`."""
    what: str
    state: State
    found: str
    mend: str = ""
    ms: float | None = None


class Area:
    """Makes the findings of one area."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []

    def ok(self, what: str, found: str, ms: float | None = None) -> None:
        self._add(what, State.OK, found, "", ms)

    def warn(self, what: str, found: str, mend: str, ms: float | None = None) -> None:
        self._add(what, State.WARNING, found, mend, ms)

    def wrong(self, what: str, found: str, mend: str, ms: float | None = None) -> None:
        self._add(what, State.WRONG, found, mend, ms)

    def unknown(self, what: str, found: str, mend: str = "") -> None:
        self._add(what, State.UNKNOWN, found, mend, None)

    def _add(self, what: str, state: State, found: str, mend: str, ms: float | None) -> None:
        self.findings.append(Finding(self.name, what, state, found, mend, ms))


def listed(names: list[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def judge_clock(area: Area, ahead_seconds: float, whose: str) -> None:
    """Only a call that was taken over hangs on Asterisk's clock: it tells how long that one may wait."""
    if ahead_seconds != ahead_seconds:
        area.unknown("clock", f"{whose} did not say its time")
        return
    size = abs(ahead_seconds)
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    if size < 1:
        area.ok("clock", f"agrees with this host's ({size * 1000:.0f} ms apart)")
    else:
        mend = "Let both hosts follow NTP (chrony or systemd-timesyncd)."
        area.warn("clock", f"{size:.1f} s {direction} this host's", mend)
