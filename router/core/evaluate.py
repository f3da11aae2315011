"""Walking the lines of a rule: pure, never raises, and says why.

For a call each field and fact in use becomes a `Side`, and the lines are walked from the top until one holds.

Where the record is not known (yet), a test of it has a third finding beside true and false. `evaluate` takes
it as not holding. `leading` takes it as a reason to stop: what it says is true whatever the CRM will answer.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from functools import cached_property
from itertools import islice

from msgspec import Struct

from router.core.compiled import (
    NOTHING,
    CompiledLine,
    CompiledRule,
    Group,
    Leaf,
    Node,
    Origin,
    Sides,
    compile_rule,
)
from router.core.decisions import LineTrace, TestTrace, Verdict
from router.core.destinations import Target
from router.core.display import one_line, shown
from router.core.judges import Finding, NoRecord
from router.core.lookups import Value, plain_value
from router.core.numbers import Caller, CallerKind
from router.core.readings import NotComparable
from router.core.rules import CallFact
from router.core.values import NO_RECORD, Side
from router.core.weekdays import NUMBER_OF_WEEKDAY, WEEKDAYS

__all__ = [
    "CallFacts",
    "CompiledRule",
    "Ruling",
    "call_facts",
    "compile_rule",
    "evaluate",
    "explain_lines",
    "leading",
]


class CallFacts(Struct, frozen=True):
    """What a condition may test of the call itself."""

    caller: str
    """E.164 where it is one, else as received; empty when withheld."""
    country: str
    """Of the caller's number."""
    called: str
    digits: str
    withheld: bool
    hour: int
    """0 to 23, in the tenant's zone."""
    weekday: str
    """`monday` to `sunday`, in the tenant's zone."""


class Ruling(Struct, frozen=True):
    """What the lines came to."""

    line_held: int | None
    """Counted from 1; None when no line holds."""
    target: Target | None
    queue_priority: int | None
    lines_walked: int
    needs_record: bool = False
    """The walk stopped at a line that only the record can decide."""


def call_facts(caller: Caller, called: str, digits: str, at: datetime, zone: tzinfo) -> CallFacts:
    """The facts of a call that was parked at `at`, a moment that knows its offset."""
    local = at.astimezone(zone)
    is_withheld = caller.kind is CallerKind.WITHHELD
    return CallFacts(
        caller="" if is_withheld else caller.e164 or caller.received,
        country="" if is_withheld else caller.country,
        called=called,
        digits=digits,
        withheld=is_withheld,
        hour=local.hour,
        weekday=WEEKDAYS[local.weekday()],
    )


def evaluate(
    compiled: CompiledRule,
    record: Mapping[str, Value] | None,
    facts: CallFacts,
    stop_before_record: bool = False,
) -> Ruling:
    """Walk the lines. `record` None: the look-up brought none, so no test of the record holds.

    With `stop_before_record` the walk ends at the first line that only a record could decide.
    """
    sides = _sides(compiled, record, facts)
    for number, line in enumerate(compiled.lines, 1):
        finding = line.find(sides)
        if finding is True:
            return Ruling(number, line.target, line.queue_priority, number)
        if stop_before_record and isinstance(finding, NoRecord):
            return Ruling(None, None, None, number - 1, needs_record=True)
    return Ruling(None, None, None, len(compiled.lines))


def leading(compiled: CompiledRule, facts: CallFacts) -> Ruling | None:
    """The ruling of a line that holds whatever the CRM would answer, or None when the CRM is to be asked."""
    ruling = evaluate(compiled, None, facts, stop_before_record=True)
    return None if ruling.line_held is None else ruling


def explain_lines(
    compiled: CompiledRule,
    record: Mapping[str, Value] | None,
    facts: CallFacts,
    ruling: Ruling,
    most: int = 40,
) -> tuple[LineTrace, ...]:
    """The lines that were walked, with each test's two sides and what became of it.

    Of a long rule: the line that held, lines that could not be compared (at most half of the rest) and the
    first ones. Every test of a line is shown, also those after its fate was known.
    """
    sides = _sides(compiled, record, facts)
    walked = compiled.lines[: ruling.lines_walked]
    numbers = _worth_showing(walked, ruling.line_held, sides, most)
    return tuple(_line_trace(number, walked[number - 1], sides) for number in numbers)


def _worth_showing(walked: tuple[CompiledLine, ...], held: int | None, sides: Sides, most: int) -> list[int]:
    every = range(1, len(walked) + 1)
    if len(walked) <= most:
        return list(every)
    room = max(most, 1)
    chosen = set() if held is None else {held}
    doubtful = (number for number in every if _is_doubtful(walked[number - 1].node, sides))
    chosen.update(islice(doubtful, (room - len(chosen)) // 2))
    first = (number for number in every if number not in chosen)
    chosen.update(list(islice(first, room - len(chosen))))
    return sorted(chosen)


def _is_doubtful(node: Node, sides: Sides) -> bool:
    return any(isinstance(_finding(leaf, sides), NotComparable) for leaf in _leaves(node))


def _line_trace(number: int, line: CompiledLine, sides: Sides) -> LineTrace:
    tests = tuple(_test_trace(leaf, sides) for leaf in _leaves(line.node))
    join = line.node.join if isinstance(line.node, Group) else ""
    return LineTrace(number, line.find(sides) is True, tests, join)


def _test_trace(leaf: Leaf, sides: Sides) -> TestTrace:
    finding = _finding(leaf, sides)
    return TestTrace(
        left_name=one_line(leaf.origin.name),
        left="" if leaf.slot is None else _left(leaf.origin, sides[leaf.slot]),
        operator=leaf.test.operator.value if leaf.test.operator else "",
        right=shown(plain_value(leaf.test.literal)),
        verdict=_verdict(finding),
        why=one_line(finding.why) if isinstance(finding, NotComparable) else "",
    )


def _left(origin: Origin, side: Side) -> str:
    is_day = origin.is_weekday_number and side.value
    return WEEKDAYS[side.value - 1] if is_day else shown(plain_value(side.value))


def _verdict(finding: Finding) -> Verdict:
    match finding:
        case NotComparable():
            return Verdict.NOT_COMPARABLE
        case NoRecord():
            return Verdict.NO_RECORD
    return Verdict.HELD if finding else Verdict.FAILED


def _finding(leaf: Leaf, sides: Sides) -> Finding:
    return leaf.test.finding(NOTHING if leaf.slot is None else sides[leaf.slot])


def _leaves(node: Node) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
        return
    for member in node.members:
        yield from _leaves(member)


# The left sides.


def _sides(compiled: CompiledRule, record: Mapping[str, Value] | None, facts: CallFacts) -> Sides:
    """One side for each slot of the rule, in order."""
    zone = compiled.zone
    if record is None:
        return [
            Side(None, zone, NO_RECORD) if origin.call is None else Side(_fact(origin, facts), zone)
            for origin in compiled.origins
        ]
    values = _Fields(record)
    return [
        Side(values.value(origin.field) if origin.call is None else _fact(origin, facts), zone)
        for origin in compiled.origins
    ]


class _Fields:
    """A record's values by name: exactly, else regardless of case. What it lacks is empty."""

    def __init__(self, record: Mapping[str, Value]) -> None:
        self._record = record

    def value(self, field: str) -> Value:
        if field in self._record:
            return self._record[field]
        return self._by_folded_name.get(field.casefold())

    @cached_property
    def _by_folded_name(self) -> dict[str, Value]:
        return {name.casefold(): self._record[name] for name in reversed(list(self._record))}


def _fact(origin: Origin, facts: CallFacts) -> Value:
    match origin.call:
        case CallFact.CALLER:
            return facts.caller
        case CallFact.COUNTRY:
            return facts.country
        case CallFact.CALLED:
            return facts.called
        case CallFact.DIGITS:
            return facts.digits
        case CallFact.WITHHELD:
            return facts.withheld
        case CallFact.HOUR:
            return facts.hour
        case CallFact.WEEKDAY if origin.is_weekday_number:
            return NUMBER_OF_WEEKDAY.get(facts.weekday)
        case CallFact.WEEKDAY:
            return facts.weekday
    return None
