"""A rule made ready for calls: its lines as tests that only have to be put to values.

Each field and fact that the lines use gets a slot. For a call, `router.core.evaluate` fills the slots with
`Side`s and walks the lines. Compiling never raises: what cannot be tested never holds, and says why.
"""

from collections.abc import Callable
from datetime import UTC, tzinfo

from msgspec import Struct

from router.core.comparisons import Test, compile_test, never
from router.core.destinations import Target
from router.core.judges import Finding, all_of, any_of
from router.core.rules import CallFact, Condition, FieldType, Line, Operator, Rule
from router.core.values import Side
from router.core.weekdays import BY_NUMBER, weekday_numbers

DEEPEST_GROUP = 5
"""Groups nested deeper do not hold; the configuration's check refuses them."""


class Origin(Struct, frozen=True):
    """Where the left side of a test comes from: a field of the record, or a fact of the call."""

    field: str = ""
    call: CallFact | None = None
    is_weekday_number: bool = False

    @property
    def name(self) -> str:
        return self.call.value if self.call else self.field


class Leaf(Struct, frozen=True):
    """One test, and the slot of the side that it is put to."""

    origin: Origin
    slot: int | None
    """None: there is nothing to put it to, so it never holds."""
    test: Test


class Group(Struct, frozen=True):
    join: str
    """`all` or `any`."""
    members: "tuple[Leaf | Group, ...]"


Node = Leaf | Group
NOTHING = Side(None, UTC)
"""What a leaf without a slot is put to."""
Sides = list[Side]
Finder = Callable[[Sides], Finding]


class CompiledLine(Struct, frozen=True):
    node: Node
    find: Finder
    """The whole line as one function of the sides."""
    target: Target
    queue_priority: int | None


class CompiledRule(Struct, frozen=True):
    """Opaque but for `fields`."""

    fields: tuple[str, ...]
    """The record's fields that the lines test, the rule's own first; none when no line tests the record."""
    lines: tuple[CompiledLine, ...]
    origins: tuple[Origin, ...]
    """What goes into each slot."""
    zone: tzinfo


def compile_rule(rule: Rule, zone: tzinfo) -> CompiledRule:
    """Prepare a rule for any number of calls; `zone` is the tenant's."""
    compiler = _Compiler(rule, zone)
    lines = tuple(compiler.line(line) for line in rule.lines)
    return CompiledRule(compiler.fields(), lines, tuple(compiler.slots), zone)


class _Compiler:
    """Gives each distinct origin a slot while the lines are compiled."""

    def __init__(self, rule: Rule, zone: tzinfo) -> None:
        self._rule = rule
        self._zone = zone
        self.slots: dict[Origin, int] = {}

    def fields(self) -> tuple[str, ...]:
        tested = [origin.field for origin in self.slots if origin.call is None]
        own = [self._rule.field] if tested and self._rule.field else []
        return tuple(dict.fromkeys(own + tested))

    def line(self, line: Line) -> CompiledLine:
        node = self._node(line, depth=0)
        return CompiledLine(node, _finder(node), line.target, line.queue_priority)

    def _node(self, condition: Condition, depth: int) -> Node:
        """A condition with both a test and groups holds when each of them does."""
        if depth > DEEPEST_GROUP:
            return _dead(condition, f"groups are nested deeper than {DEEPEST_GROUP}")
        parts: list[Node] = []
        if condition.operator is not None:
            parts.append(self._leaf(condition, condition.operator))
        if condition.all:
            parts.append(Group("all", tuple(self._node(member, depth + 1) for member in condition.all)))
        if condition.any:
            parts.append(Group("any", tuple(self._node(member, depth + 1) for member in condition.any)))
        if not parts:
            return _dead(condition, "there is no operator")
        return parts[0] if len(parts) == 1 else Group("all", tuple(parts))

    def _leaf(self, condition: Condition, operator: Operator) -> Leaf:
        if condition.call is not None:
            return self._call_leaf(condition, operator, condition.call)
        field = self._rule.field if condition.field is None else condition.field
        if not field:
            return _dead(condition, "no field is named")
        own_type = self._rule.type if field == self._rule.field else FieldType.AUTO
        return self._placed(Origin(field), condition, operator, own_type)

    def _call_leaf(self, condition: Condition, operator: Operator, fact: CallFact) -> Leaf:
        if fact is CallFact.WEEKDAY:
            return self._weekday_leaf(condition, operator)
        # A number and digits are names, not amounts: a leading zero counts.
        own_type = FieldType.AUTO if fact in (CallFact.HOUR, CallFact.WITHHELD) else FieldType.TEXT
        return self._placed(Origin(call=fact), condition, operator, own_type)

    def _placed(self, origin: Origin, condition: Condition, operator: Operator, own_type: FieldType) -> Leaf:
        test = compile_test(operator, condition.value, condition.type or own_type, self._zone)
        return Leaf(origin, self._slot(origin), test)

    def _weekday_leaf(self, condition: Condition, operator: Operator) -> Leaf:
        origin = Origin(call=CallFact.WEEKDAY, is_weekday_number=operator in BY_NUMBER)
        return Leaf(origin, self._slot(origin), self._weekday_test(operator, condition))

    def _weekday_test(self, operator: Operator, condition: Condition) -> Test:
        if operator not in BY_NUMBER:
            return compile_test(operator, condition.value, FieldType.TEXT, self._zone)
        numbers = weekday_numbers(operator, condition.value)
        if not numbers:
            return never(operator, condition.value, "the line names no day of the week")
        literal = list(numbers) if operator is Operator.IN_LIST else numbers[0]
        judges = compile_test(operator, literal, FieldType.NUMBER, self._zone).judges
        return Test(operator, condition.value, judges)

    def _slot(self, origin: Origin) -> int:
        return self.slots.setdefault(origin, len(self.slots))


def _dead(condition: Condition, why: str) -> Leaf:
    return Leaf(Origin(), None, never(condition.operator, condition.value, why))


def _finder(node: Node) -> Finder:
    if isinstance(node, Leaf):
        return _leaf_finder(node)
    finders = tuple(_finder(member) for member in node.members)
    join = all_of if node.join == "all" else any_of
    return lambda sides: join(find(sides) for find in finders)


def _leaf_finder(leaf: Leaf) -> Finder:
    slot, judges = leaf.slot, leaf.test.judges
    if slot is None:
        return lambda _: leaf.test.finding(NOTHING)

    def find(sides: Sides) -> Finding:
        side = sides[slot]
        return judges[side.kind](side)

    return find
