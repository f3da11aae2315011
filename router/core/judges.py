"""Judges: the parts that tests are made of, and how their findings join.

A test holds one judge for each kind of value (`router.core.values`), so that putting it to a value is one
look into a tuple and one call. A judge finds that the test holds, that it does not, or why it cannot be
said; none raises, whatever the value.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter

from msgspec import Struct

from router.core.readings import NotComparable
from router.core.values import BOOLEAN, KINDS, LIST, NO_RECORD, NUMBER, OTHER, TEXT, Side


class NoRecord(Struct, frozen=True):
    """The test reads the CRM's record, and there is none (or none yet)."""


Finding = bool | NotComparable | NoRecord
"""Only True lets a line hold."""

Judge = Callable[[Side], Finding]
Judges = tuple[Judge, ...]

THERE_IS_NO_RECORD = NoRecord()


def by_kind(text: Judge, number: Judge, boolean: Judge, *, empty: Finding = False) -> Judges:
    """Judges for single values; a list holds when any of its items does."""
    single = [always(empty)] * KINDS
    single[TEXT], single[NUMBER], single[BOOLEAN] = text, number, boolean
    single[OTHER] = always(NotComparable("the value is an object or too large to compare"))
    single[NO_RECORD] = always(THERE_IS_NO_RECORD)

    def any_item(side: Side) -> Finding:
        return any_of(single[item.kind](item) for item in side.items)

    return with_list(tuple(single), any_item)


def with_list(judges: Judges, judge: Judge) -> Judges:
    return (*judges[:LIST], judge, *judges[LIST + 1 :])


def always(finding: Finding) -> Judge:
    return lambda _: finding


def only(finding: Finding) -> Judges:
    """One finding whatever the value. Without a record the finding is still that there is none."""
    return (*[always(finding)] * NO_RECORD, always(THERE_IS_NO_RECORD))


def is_empty_judges() -> Judges:
    return (always(True), *[always(False)] * (NO_RECORD - 1), always(THERE_IS_NO_RECORD))


def negated(judges: Judges) -> Judges:
    return tuple(_negate(judge) for judge in judges)


def _negate(judge: Judge) -> Judge:
    def opposite(side: Side) -> Finding:
        finding = judge(side)
        return not finding if isinstance(finding, bool) else finding

    return opposite


def any_of(findings: Iterable[Finding]) -> Finding:
    """Holds when one does; else a record that is lacking counts before what cannot be compared."""
    best: Finding = False
    for finding in findings:
        if finding is True:
            return True
        if isinstance(finding, NoRecord) or best is False:
            best = finding
    return best


def all_of(findings: Iterable[Finding]) -> Finding:
    """Holds when each does; one that does not hold with any record settles it."""
    best: Finding = True
    for finding in findings:
        if isinstance(finding, NoRecord):
            best = finding
        elif finding is not True:
            return finding
    return best


def unreadable(reading: str) -> Judge:
    """For a kind of value that never reads so: finds why not."""
    read = attrgetter(reading)

    def judge(side: Side) -> Finding:
        found = read(side)
        return found if isinstance(found, NotComparable) else False

    return judge
