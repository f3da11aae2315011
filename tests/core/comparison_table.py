"""The comparison table: what the CRM has, what the line says, and whether the line holds.

It is the test of `router.core.comparisons` and, rendered, a part of `docs/rule-language.md`. After a change:

    python -m tests.core.comparison_table
"""

import json
from datetime import tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from router.core.comparisons import compile_test
from router.core.judges import Finding
from router.core.readings import NotComparable
from router.core.rules import OPERATORS_WITHOUT_VALUE, FieldType, Operator
from router.core.values import Side

ZONE: tzinfo = ZoneInfo("Europe/Paris")
PAGE = Path(__file__).parents[2] / "docs" / "rule-language.md"
BEGIN, END = "<!-- comparison table: begin -->", "<!-- comparison table: end -->"

NBSP, NARROW = "\u00a0", "\u202f"
AUTO, TEXT, NUMBER, DATE, BOOLEAN = FieldType
YES, NO, NEITHER = True, False, None  # NEITHER: cannot be compared


class Row(NamedTuple):
    value: Any
    literal: Any
    holds: bool | None
    type: FieldType = AUTO
    note: str = ""


def found(operator: Operator, row: Row) -> Finding:
    return compile_test(operator, row.literal, row.type, ZONE).finding(Side(row.value, ZONE))


_SAME_DAY = "a moment and a day compare by the day in the tenant's zone (Paris here)"

TABLE: dict[Operator, tuple[Row, ...]] = {
    Operator.EQUALS: (
        Row("GOLD", "gold", YES, note="case does not count"),
        Row(" Gold ", "gold", YES, note="nor does space around"),
        Row(f"Grand{NBSP}compte", "grand compte", YES, note="a no-break space is a space"),
        Row("Cafe\u0301", "Café", YES, note="an accent may be written as a sign of its own"),
        Row("Café", "Cafe", NO, note="accents count"),
        Row("Straße", "STRASSE", YES),
        Row("gold", "goldish", NO),
        Row("10", "10.0", YES, note="two plain numbers compare as numbers"),
        Row("10", 10, YES),
        Row(10, "10", YES),
        Row(10.0, "10", YES),
        Row(0.1, "0,1", YES, note="the CRM gave a number, so a decimal comma is read"),
        Row(1234, "1 234", YES, note="spaces group thousands"),
        Row(1234, f"1{NARROW}234", YES, note="no-break spaces too"),
        Row(1234, "1,234", NEITHER),
        Row(1.234, "1.234", YES, note="a point is always decimal"),
        Row(1234.5, "1.234,5", NEITHER),
        Row(1234567, "1,234,567", NEITHER),
        Row("1,5", 1.5, NO, note="the CRM gave a text, and a decimal comma is no plain number"),
        Row("1,5", 1.5, YES, NUMBER),
        Row("007", "7", NO, note="a leading zero makes an identifier"),
        Row("007", "7", NO, TEXT),
        Row("007", "7", YES, NUMBER),
        Row(7, "007", YES, note="the CRM gave a number"),
        Row("1.10", "1.1", YES, note="declare `text` to keep them apart"),
        Row("1.10", "1.1", NO, TEXT),
        Row(10, "10", YES, TEXT),
        Row("+33 1", "33 1", NO),
        Row("1e3", "1000", NO, note="an exponent is text"),
        Row("1e3", "1000", NEITHER, NUMBER),
        Row("NaN", "nan", YES, note="as text, never as a number"),
        Row("NaN", 0, NEITHER, NUMBER),
        Row(12345678901234567890123, "12345678901234567890123", YES, note="large numbers are exact"),
        Row(12345678901234567890123, "12345678901234567890124", NO),
        Row(10, "gold", NO),
        Row("gold", "12", NEITHER, NUMBER),
        Row("12", "gold", NEITHER, NUMBER),
        Row("2026-03-01", "2026-03-01T08:00:00", YES, note=_SAME_DAY),
        Row("2026-03-01T23:30:00Z", "2026-03-02", YES, note=_SAME_DAY),
        Row("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00Z", YES),
        Row("2026-03-01T10:00:00", "2026-03-01T09:00:00Z", YES, note="no offset: the tenant's own time"),
        Row("2026-03-01T10:00:00.000+0000", "2026-03-01T10:00:00Z", YES),
        Row("2026-03-01", "2026-03-02", NO),
        Row("2026-02-30", "2026-02-30", YES, note="no such day, so two equal texts"),
        Row("2026-02-30", "2026-03-02", NEITHER, DATE),
        Row("01/03/2026", "2026-03-01", NEITHER, DATE),
        Row(20260301, "2026-03-01", NEITHER, DATE),
        Row(True, "yes", YES),
        Row(True, "Oui", YES),
        Row(True, 1, YES),
        Row(False, "off", YES),
        Row(False, "yes", NO),
        Row(True, "gold", NEITHER),
        Row("yes", "true", NO, note="the CRM gave a text"),
        Row("yes", "true", YES, BOOLEAN),
        Row("vrai", True, YES, note="the line says true without quotes"),
        Row("perhaps", "true", NEITHER, BOOLEAN),
        Row(None, "gold", NO),
        Row(None, "", YES, note="null, no field, no text: all empty"),
        Row("  ", "", YES),
        Row("gold", "", NO),
        Row("gold", None, NEITHER),
        Row("gold", ["gold"], NEITHER),
        Row(["silver", "Gold"], "gold", YES, note="one item is enough"),
        Row(["silver"], "gold", NO),
        Row([], "gold", NO),
        Row([], "", YES, note="an empty list is empty"),
        Row({"id": 1}, "1", NEITHER),
    ),
    Operator.DIFFERS: (
        Row("silver", "gold", YES),
        Row("GOLD ", "gold", NO),
        Row(10, "10.0", NO),
        Row(10, "11", YES),
        Row(10, "gold", YES),
        Row("007", "7", YES),
        Row("007", "7", NO, NUMBER),
        Row(1234, "1,234", NEITHER, note="what cannot be compared is not different either"),
        Row("gold", "12", NEITHER, NUMBER),
        Row("2026-03-01", "2026-03-02", YES),
        Row("2026-03-01", "2026-03-01T08:00", NO),
        Row(True, "no", YES),
        Row(True, "gold", NEITHER),
        Row(None, "gold", YES, note="nothing is not gold"),
        Row(None, "", NO),
        Row("gold", "", YES),
        Row(["silver", "bronze"], "gold", YES),
        Row(["silver", "gold"], "gold", NO, note="none may be equal"),
        Row([], "gold", YES),
    ),
    Operator.LESS: (
        Row(9, "10", YES),
        Row("9", "10", YES, note="the line's value reads as a number"),
        Row("9", "10", NO, TEXT, note="as text, 9 comes after 1"),
        Row(10, 10, NO),
        Row(-1, "0", YES),
        Row("1,5", "2", YES),
        Row("1 234,5", "2000", YES),
        Row("1,234", "2000", NEITHER),
        Row(5, "1,234", NEITHER),
        Row(0.1, 0.2, YES),
        Row("gold", "10", NEITHER),
        Row("2026-03-01", "2026-03-02", YES),
        Row("2026-03-01T23:30:00Z", "2026-03-02", NO, note=_SAME_DAY),
        Row("2026-03-01T08:00:00Z", "2026-03-01T10:30:00+02:00", YES),
        Row("soon", "2026-03-01", NEITHER),
        Row(20260101, "2026-03-01", NEITHER),
        Row("apple", "Banana", YES, note="two texts: in the order of letters, whatever the case"),
        Row("10", "abc", NEITHER),
        Row(True, 2, NEITHER),
        Row(None, 10, NEITHER),
        Row("", "b", NEITHER),
        Row([9], 10, YES, note="a list of one item"),
        Row([8, 9], 10, NEITHER),
        Row("yes", "no", NEITHER, BOOLEAN),
    ),
    Operator.GREATER: (
        Row(10, 9, YES),
        Row("10", "9", YES),
        Row("10", "9", YES, NUMBER),
        Row("10", "9", NO, TEXT),
        Row(10, "10.0", NO),
        Row(10.5, "10,4", YES),
        Row("1 000 000", "999999", YES),
        Row(123456789012345678901234567890, "123456789012345678901234567889", YES),
        Row(1e300, "10", YES),
        Row("Infinity", "10", NEITHER),
        Row("06 12 34 56 78", "10", NEITHER, note="spaces that group no thousands"),
        Row("2026-03-02", "2026-03-01T23:59:59", YES),
        Row("2026-03-01", "2026-03-01T00:00:00", NO, note=_SAME_DAY),
        Row("Zoe", "anna", YES),
        Row(None, 0, NEITHER),
        Row([], 0, NEITHER),
        Row(["12"], "9", YES),
    ),
    Operator.AT_MOST: (
        Row(10, 10, YES),
        Row("10.0", "10", YES),
        Row(11, "10", NO),
        Row("9", "10", YES),
        Row("1.234", "1.235", YES),
        Row("1,2345", "1.3", YES, note="four digits after the comma: no doubt that it is decimal"),
        Row("0,123", "0.2", YES, note="a zero before the comma: no doubt either"),
        Row("2026-03-01", "2026-03-01", YES),
        Row("2026-03-02", "2026-03-01", NO),
        Row("2026-03-01 09:00", "2026-03-01T10:00", YES),
        Row("31.12.2026", "2026-12-31", NEITHER),
        Row("alpha", "ALPHA", YES),
        Row(False, True, NEITHER),
        Row("  ", 3, NEITHER),
    ),
    Operator.AT_LEAST: (
        Row(10, 10, YES),
        Row("10", "9.99", YES),
        Row("100", "20", YES, note="not text: 1 would come before 2"),
        Row("100", "20", NO, TEXT),
        Row("1 500,00", "1500", YES),
        Row(f"1{NARROW}500", "1500", YES),
        Row("1500 EUR", "1500", NEITHER),
        Row("\u22125", "-5", YES, note="the sign for minus is one too"),
        Row("2026-03-01T00:30:00+01:00", "2026-03-01T00:00:00+01:00", YES),
        Row("2026-02-28", "2026-03-01", NO),
        Row("2026-03-01", "soon", NEITHER),
        Row(5, "gold", NEITHER),
        Row("beta", "alpha", YES),
        Row(["3"], 3, YES),
        Row(None, 0, NEITHER),
    ),
    Operator.IN_LIST: (
        Row("Gold", ["gold", "silver"], YES),
        Row("bronze", ["gold", "silver"], NO),
        Row("silver", "gold, silver", YES, note="a text of items with commas"),
        Row("silver", "gold; silver", YES, note="or semicolons"),
        Row("silver", "gold\nsilver", YES, note="or one in each line"),
        Row("Doe, John", "Doe, John; Smith, Ann", YES, note="with `;` or lines, a comma belongs to the item"),
        Row(1.5, "1,5; 2,5", YES),
        Row(10, ["9", "10.0"], YES),
        Row("10", [9, 10], YES),
        Row("007", ["7"], NO),
        Row("007", ["7"], YES, NUMBER),
        Row("gold", ["7"], NEITHER, NUMBER),
        Row(7, ["7", "gold"], YES, NUMBER, note="an item that is no number does not hinder the others"),
        Row(8, ["7", "gold"], NEITHER, NUMBER),
        Row("2026-03-01T08:00:00Z", ["2026-03-01", "2026-05-01"], YES),
        Row(True, ["oui", "non"], YES),
        Row(["b", "c"], ["a", "b"], YES, note="one item in common"),
        Row(["d"], "a, b", NO),
        Row(None, ["gold"], NO),
        Row("gold", "", NEITHER),
        Row("gold", " ; ,", NO, note="the list's only item is the comma"),
        Row(5, 5, YES, note="one value is a list of one"),
    ),
    Operator.CONTAINS: (
        Row("Very important client", "IMPORTANT", YES),
        Row("gold", "gold", YES),
        Row("gold", "silver", NO),
        Row(f"key{NBSP}account", "key account", YES),
        Row("École", "école", YES),
        Row(12345, "234", YES, note="a number is taken as its digits"),
        Row("12345", 234, YES),
        Row(True, "ru", YES, note="true is taken as its word"),
        Row(None, "x", NO),
        Row("gold", "", NEITHER),
        Row(["Gold", "VIP"], "vip", YES, note="a list contains an item"),
        Row(["Golden"], "gold", NO, note="not a part of one"),
        Row([10, 20], "10.0", YES),
        Row([], "gold", NO),
        Row("gold", ["g"], NEITHER),
    ),
    Operator.STARTS_WITH: (
        Row("+33142345678", "+33", YES),
        Row("Gold plus", "gold", YES),
        Row("  Gold plus", "gold", YES),
        Row("Gold", "gold plus", NO),
        Row("Gold", "old", NO),
        Row("00742", "007", YES),
        Row("00742", 7, NO),
        Row(742, "7", YES),
        Row(742.0, "742", YES),
        Row("2026-03-01", "2026-03", YES, note="a date is taken as it is written"),
        Row(None, "g", NO),
        Row("gold", " ", NEITHER),
        Row(["silver", "gold"], "go", YES, note="one item is enough"),
        Row([], "g", NO),
    ),
    Operator.ENDS_WITH: (
        Row("jane@Example.org", "@example.org", YES),
        Row("client VIP ", "vip", YES),
        Row("VIP client", "vip", NO),
        Row("FR-75", "75", YES),
        Row("FR-75", 75, YES),
        Row(1075, "75", YES),
        Row(10.0, "10", YES, note="10.0 is shown as 10"),
        Row("Straße", "SSE", YES),
        Row(False, "se", YES),
        Row(None, "x", NO),
        Row("x", None, NEITHER),
        Row(["a.fr", "b.de"], ".de", YES),
        Row(["a.fr"], ".de", NO),
    ),
    Operator.IS_EMPTY: (
        Row(None, None, YES, note="null, or no such field"),
        Row("", None, YES),
        Row(f" {NBSP}\t", None, YES, note="only space"),
        Row([], None, YES),
        Row([None, ""], None, YES, note="a list of nothing"),
        Row("x", None, NO),
        Row(0, None, NO, note="zero is a value"),
        Row(False, None, NO, note="so is false"),
        Row("null", None, NO),
        Row(["x", None], None, NO),
        Row({}, None, NO),
        Row("", "anything", YES, note="a value in the line is ignored"),
    ),
    Operator.IS_NOT_EMPTY: (
        Row("x", None, YES),
        Row(0, None, YES),
        Row(0.0, None, YES),
        Row(False, None, YES),
        Row(["x"], None, YES),
        Row({"id": 1}, None, YES),
        Row("-", None, YES),
        Row(None, None, NO),
        Row("", None, NO),
        Row("   ", None, NO),
        Row([], None, NO),
        Row([" "], None, NO),
    ),
    Operator.MATCHES: (
        Row("FR-7512", "^fr-75", YES, note="case does not count"),
        Row("client FR-7512", "fr-75", YES, note="anywhere, unless `^` and `$` say otherwise"),
        Row("client FR-7512", "^fr-75", NO),
        Row("  A1  ", "^[a-z][0-9]$", YES, note="space around is taken off first"),
        Row("gold", "gold|silver", YES),
        Row("bronze", "gold|silver", NO),
        Row(7512, "^75", YES),
        Row("École", "^é", YES),
        Row("x", "(", NEITHER),
        Row("aa", r"(a)\1", NEITHER, note="no back-references"),
        Row("x", "(?=x)", NEITHER, note="no look-ahead"),
        Row("a" * 50, "^(a+)+$", YES, note="no pattern is slow"),
        Row(None, ".*", NO, note="an empty field matches nothing"),
        Row("x", "", NEITHER),
        Row(["fr", "de"], "^d", YES, note="one item is enough"),
        Row([], ".*", NO),
    ),
}


def render() -> str:
    """The table as Markdown, one section for each operator."""
    return "\n".join(line for operator, rows in TABLE.items() for line in _section(operator, rows))


def _section(operator: Operator, rows: tuple[Row, ...]) -> list[str]:
    takes_value = operator not in OPERATORS_WITHOUT_VALUE
    heads = ["the CRM has", *(["the line says"] if takes_value else []), "type", "holds", "remark"]
    cells = [
        [_json(row.value), *([_json(row.literal)] if takes_value else []), *_end(operator, row)]
        for row in rows
    ]
    body = [f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *cells]]
    return [f"### `{operator.value}`", "", *body, ""]


def _end(operator: Operator, row: Row) -> list[str]:
    finding = found(operator, row)
    why = finding.why if isinstance(finding, NotComparable) else ""
    remark = "; ".join(part for part in (row.note, why) if part)
    holds = {YES: "yes", NO: "no", NEITHER: "cannot be compared"}[row.holds]
    return [row.type.value, holds, remark.replace("|", "\\|")]


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for sign in (NBSP, NARROW, "\u0301"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"`{text}`".replace("|", "\\|")


def page_with_table(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{render()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text("utf-8")), "utf-8")
