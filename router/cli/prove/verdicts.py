"""Whether the promises were kept, from the ledger. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from router.cli.output import counted
from router.cli.prove.ledger import End, PlacedCall
from router.cli.prove.scenarios import Deed, Scenario

SLACK_SECONDS = 0.5
"""What P1 allows beside HOLD and GRACE."""
EARLY_SECONDS = 0.1
"""An event may tell a parking late by so much, and the wait is then shorter than HOLD."""

NO_ROUTER_MEND = (
    "Start a router of this version; `crmroute doctor --call` tells whether its account hears calls."
)
TOO_OLD_MEND = "Bring every router to this version: an older one does not leave these calls alone."
DIALPLAN_MEND = "Replace crmroute.conf by the one that came with this crmroute, and `dialplan reload`."


class Row(Struct, frozen=True):
    """A line of the ledger's table, as `--json` gives it."""

    key: str
    what: str
    calls: int
    taken: int
    defaulted: int
    gone: int
    lost: int
    double: int
    forged: int
    parked_seconds: float
    """The longest wait, to the millisecond."""
    problems: list[str]
    """What was not as promised; empty when all was."""
    mend: str = ""


class Proof(Struct, frozen=True):
    server: str
    is_proven: bool
    hold_seconds: float
    grace_seconds: float
    parked_seconds: float
    calls: int
    lost: int
    double: int
    scenarios: list[Row]


def prove(
    server: str, rows: Sequence[Row], hold_seconds: float, grace_seconds: float, forged_events: int
) -> Proof:
    """`forged_events`: whole events that no call of ours has sent."""
    rows = [_with_forged(row, forged_events) for row in rows]
    return Proof(
        server=server,
        is_proven=not any(row.problems for row in rows),
        hold_seconds=hold_seconds,
        grace_seconds=grace_seconds,
        parked_seconds=max((row.parked_seconds for row in rows), default=0.0),
        calls=sum(row.calls for row in rows),
        lost=sum(row.lost for row in rows),
        double=sum(row.double for row in rows),
        scenarios=rows,
    )


def _with_forged(row: Row, forged_events: int) -> Row:
    if row.key != "hostile" or not forged_events:
        return row
    problem = f"a caller wrote {counted(forged_events, 'event')} of AMI"
    forged, problems = row.forged + forged_events, [*row.problems, problem]
    return replace(row, forged=forged, problems=problems, mend=row.mend or DIALPLAN_MEND)


def judge(scenario: Scenario, calls: Sequence[PlacedCall], grace_seconds: float) -> Row:
    ends = Counter(call.end.what for call in calls if call.end is not None)
    waits = [call.parked_seconds or 0.0 for call in calls]
    broken = list(_broken_promises(scenario, calls, grace_seconds))
    strange = _ended_otherwise(scenario, calls)
    return Row(
        key=scenario.key,
        what=scenario.what,
        calls=len(calls),
        taken=ends["taken"],
        defaulted=ends["defaulted"],
        gone=ends["gone"],
        lost=sum(_is_lost(call, scenario) for call in calls),
        double=sum(len(call.ends) > 1 for call in calls),
        forged=sum(call.forged for call in calls),
        parked_seconds=round(max(waits, default=0.0), 3),
        problems=broken + _told_ends(strange),
        mend=DIALPLAN_MEND if broken else _mend_of_ends(scenario, strange) if strange else "",
    )


def _is_lost(call: PlacedCall, scenario: Scenario) -> bool:
    """It reached no destination; a caller who hung up on purpose wanted none."""
    if call.end is None:
        return True
    return call.end.what == "gone" and scenario.deed is not Deed.HANG_UP


def _broken_promises(scenario: Scenario, calls: Sequence[PlacedCall], grace_seconds: float) -> Iterator[str]:
    yield from _unparked(calls)
    lost = [call for call in calls if call.is_parked and _is_lost(call, scenario)]
    if lost:
        yield f"{counted(len(lost), 'call')} reached no destination ({_shown(lost)})"
    double = [call for call in calls if len(call.ends) > 1]
    if double:
        yield f"{counted(len(double), 'call')} moved twice, or after leaving ({_shown(double)})"
    forged = [call for call in calls if call.forged]
    if forged:
        yield f"{counted(len(forged), 'caller')} wrote headers of AMI ({_shown(forged)})"
    yield from _waits(scenario, calls, grace_seconds)
    if scenario.deed is Deed.RACE:
        yield from _races(calls)


def _unparked(calls: Sequence[PlacedCall]) -> Iterator[str]:
    unparked = sum(not call.is_parked for call in calls)
    if unparked:
        yield f"{counted(unparked, 'call')} never parked: Asterisk's log tells why"


def _waits(scenario: Scenario, calls: Sequence[PlacedCall], grace_seconds: float) -> Iterator[str]:
    grace = grace_seconds if scenario.may_wait_for_grace else 0.0
    late = [call for call in calls if _waited(call) > call.hold_seconds + grace + SLACK_SECONDS]
    if late:
        worst = max(late, key=_waited)
        most = worst.hold_seconds + grace + SLACK_SECONDS
        yield f"{counted(len(late), 'call')} parked up to {_waited(worst):.3f} s, at most {most:g} s promised"
    early = [call for call in calls if _is_early(call)]
    if early:
        least = min(early, key=_waited)
        yield f"{counted(len(early), 'call')} left by HOLD after {_waited(least):.3f} s already"


def _is_early(call: PlacedCall) -> bool:
    by_hold = call.end is not None and call.end.why == "hold"
    return by_hold and _waited(call) < call.hold_seconds - EARLY_SECONDS


def _ended_otherwise(scenario: Scenario, calls: Sequence[PlacedCall]) -> list[PlacedCall]:
    """Those that reached a destination, and another than they should."""
    return [
        call
        for call in calls
        if call.end is not None and _name(call.end) not in scenario.ends and not _is_lost(call, scenario)
    ]


def _told_ends(calls: Sequence[PlacedCall]) -> list[str]:
    if not calls:
        return []
    told = ", ".join(f"{count} {name}" for name, count in sorted(Counter(map(_told_end, calls)).items()))
    return [f"{counted(len(calls), 'call')} ended otherwise: {told}"]


def _mend_of_ends(scenario: Scenario, calls: Sequence[PlacedCall]) -> str:
    if scenario.ends == ("taken",):
        return NO_ROUTER_MEND
    is_moved = any(call.end is not None and call.end.what == "taken" for call in calls)
    return TOO_OLD_MEND if is_moved and scenario.deed is not Deed.MISLEAD else DIALPLAN_MEND


def _told_end(call: PlacedCall) -> str:
    if call.end is None or call.end.what != "defaulted":
        return call.end.what if call.end else ""
    return f"at the default ({call.end.why})"


def _name(end: End) -> str:
    return end.why or end.what


def _races(calls: Sequence[PlacedCall]) -> Iterator[str]:
    for count, what in ((0, "no winner"), (2, "more than one winner")):
        found = [call for call in calls if call.ends and min(call.wins, 2) == count]
        if found:
            yield f"{counted(len(found), 'call')} with {what} ({_shown(found)})"


def _waited(call: PlacedCall) -> float:
    return call.parked_seconds or 0.0


def _shown(calls: Sequence[PlacedCall], most: int = 3) -> str:
    """Their ids, for Asterisk's log."""
    shown = ", ".join(call.uniqueid or call.number for call in calls[:most])
    return f"{shown} and {len(calls) - most} more" if len(calls) > most else shown
