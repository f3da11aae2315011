"""A rule of any kind put to a record of any kind: one line or none, told whole, and the call routed."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec
from msgspec import Struct

from router.admin.pages.rule_values import typed_value, value_text
from router.core.evaluate import CallFacts, compile_rule, evaluate, explain_lines, leading
from router.core.lookups import Answer, Record, Value, plain_value
from router.core.plans import TenantPlan
from router.core.rehearsals import read_value
from router.core.rules import CallFact, FieldType, Operator, Outcome, Rule
from tests.core import makers
from tests.core.comparison_table import TABLE, ZONE
from tests.fuzz.mutations import bend_json, bend_text
from tests.fuzz.targets import Target
from tests.hostile.configurations import USUAL
from tests.hostile.promises import TEMPLATES, routed
from tests.hostile.texts import TEXTS


class Case(Struct, frozen=True):
    rule: Rule
    record: dict[str, Any]
    facts: CallFacts


def put_to_a_record(data: bytes) -> None:
    """The record's values are as the connectors leave them; the rule's as a file may have them."""
    try:
        case = msgspec.json.decode(data, type=Case)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    values: dict[str, Value] = {name: plain_value(raw) for name, raw in case.record.items()}
    compiled = compile_rule(case.rule, ZONE)
    for record in (values, None):
        ruling = evaluate(compiled, record, case.facts)
        assert ruling.line_held is None or 1 <= ruling.line_held <= len(case.rule.lines)
        for line in explain_lines(compiled, record, case.facts, ruling):
            for test in line.tests:
                "".join((test.left_name, test.left, test.right, test.why)).encode()
    leading(compiled, case.facts)
    _route(case.rule, values)


def _route(rule: Rule, values: dict[str, Value]) -> None:
    plan = TenantPlan(makers.tenant(rule), TEMPLATES, UTC)
    record = Record(values, id="7", name=str(values.get("name", "")), link=str(values.get("link", "")))
    decision = routed(makers.parked(), plan, Answer(Outcome.FOUND, (record,)))
    assert decision.asked_place


def read_typed(data: bytes) -> None:
    """What people type on a page or a command line, to be compared with."""
    text = data.decode("utf-8", "surrogateescape")
    read_value(text)
    for is_list in (False, True):
        value_text(typed_value(text, is_list=is_list))


FACTS = {
    "caller": "+33142345001", "country": "FR", "called": "+41445550001", "digits": "4711", "withheld": False,
    "hour": 12, "weekday": "wednesday",
}  # fmt: skip


def _cases() -> Sequence[bytes]:
    made = [
        {"rule": USUAL["rules"][0], "record": {"status": "gold", "tier": ["silver", 1, None]}, "facts": FACTS}
    ]
    for at, operator in enumerate(Operator):
        for type_ in FieldType:
            rows = [row for rows in TABLE.values() for row in rows][at::37]
            lines = [
                {"operator": operator, "value": _plain(row.value), "destination": "queue", "option": "a"}
                for row in rows[:3]
            ]
            rule = {**USUAL["rules"][0], "type": type_, "lines": lines}
            made.append({"rule": rule, "record": {"status": _plain(rows[0].value)}, "facts": FACTS})
    made += [_by_fact(fact) for fact in CallFact]
    made += [
        {"rule": USUAL["rules"][0], "record": {"status": text, "name": text, "link": text}, "facts": FACTS}
        for text in TEXTS
        if "\ud800" not in text and "\udcff" not in text
    ]
    return [msgspec.json.encode(one) for one in made]


def _by_fact(fact: CallFact) -> dict[str, Any]:
    test = {"operator": "in list", "value": ["monday", "+33*", 12], "call": fact}
    group = {"any": [test, {"all": [test, test]}], "destination": "queue", "option": "a"}
    return {"rule": {**USUAL["rules"][0], "lines": [group]}, "record": {}, "facts": FACTS}


def _plain(value: Any) -> Any:
    return plain_value(value)


TYPED = (
    b"42",
    b'["a", 1]',
    b'"x"',
    b"1.50",
    b"gold, silver",
    b'"a,b", c',
    b"null",
    b"-0",
    b"1e5",
    b"x" * 300,
)

TARGETS = (
    Target("rule", "any record put to any rule", put_to_a_record, _cases, bend_json),
    Target("typed-value", "values as people type them", read_typed, lambda: TYPED, bend_text, 4_000),
)
