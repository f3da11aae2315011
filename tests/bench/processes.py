"""What processes have used of the processor so far, from /proc."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time of each; `asterisk children` are what Asterisk has started and waited for."""
    used = {}
    for name, pid in pids.items():
        own, children = _seconds(pid)
        used[name] = own
        if name == "asterisk":
            used["asterisk children"] = children
    return used


def _seconds(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) / _TICKS, (children_user + children_system) / _TICKS


def used_ms(before: Mapping[str, float], after: Mapping[str, float], calls: int) -> dict[str, float]:
    """Milliseconds of each for one call."""
    return {name: round((after[name] - before[name]) * 1000 / calls, 3) for name in after}
