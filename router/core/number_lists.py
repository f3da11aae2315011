"""A list of numbers as people keep it in a spreadsheet, read and compared with the tenant's own.

A row is a number, the name of its rule and a note; the last two may be missing. The separator is what the
text itself uses: a comma, a semicolon (as a French Excel writes it) or a tab. A first row whose first cell is
no number is a heading, and may name the columns in another order. Nothing is taken of a list with an error in
it: half a list is rarely what was meant.
"""

import csv
from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from io import StringIO

import msgspec
from msgspec import Struct

from router.core.display import one_line
from router.core.identities import RuleName
from router.core.numbers import CallerKind, understand_called, understand_caller
from router.core.problems import pick_one
from router.core.rules import Location, Rule
from router.core.tenants import Number

ROWS_MOST = 20_000
SEPARATORS = ",;\t"
HEADINGS: Mapping[str, str] = {
    **dict.fromkeys(("did", "number", "numero", "numéro", "sda", "called"), "did"),
    **dict.fromkeys(("rule", "regle", "règle", "destination"), "rule"),
    **dict.fromkeys(("note", "notes", "comment", "commentaire"), "note"),
}
ORDER = ("did", "rule", "note")


class RowProblem(Struct, frozen=True):
    """`line` counts from 1, as a spreadsheet does."""

    line: int
    what: str
    mend: str


class RowChange(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


class ListedNumber(Struct, frozen=True):
    line: int
    number: Number
    change: RowChange
    former: Number | None = None


class NumberList(Struct, frozen=True):
    """With problems, nothing of it is to be taken."""

    rows: tuple[ListedNumber, ...]
    problems: tuple[RowProblem, ...]

    @property
    def changing(self) -> tuple[Number, ...]:
        return tuple(row.number for row in self.rows if row.change is not RowChange.SAME)

    @property
    def formers(self) -> dict[str, Number | None]:
        """What was there of each DID that it changes; None: nothing."""
        return {row.number.did: row.former for row in self.rows if row.change is not RowChange.SAME}

    @property
    def digest(self) -> str:
        """The same for whoever was shown the same changes, from and to the same."""
        told = [(row.number, row.former) for row in self.rows if row.change is not RowChange.SAME]
        return sha256(msgspec.json.encode(told)).hexdigest()


def read_numbers(text: str, country: str, rules: Sequence[Rule], numbers: Sequence[Number]) -> NumberList:
    """The list, compared with the tenant's rules and numbers."""
    rows = _rows(text.removeprefix("\ufeff"))
    order = _heading(rows[0][1], country) if rows else None
    body = rows if order is None else rows[1:]
    if not body:
        return _refused("the list is empty", "A row is a number and the name of its rule.")
    if len(body) > ROWS_MOST:
        return _refused(f"the list is longer than {ROWS_MOST} rows", "Divide it.")
    reader = _Reader(country, rules, numbers)
    for line, cells in body:
        reader.read(line, _by_name(cells, order or ORDER))
    return NumberList(tuple(reader.rows), tuple(reader.problems))


def _refused(what: str, mend: str) -> NumberList:
    return NumberList((), (RowProblem(1, what, mend),))


class _Reader:
    def __init__(self, country: str, rules: Sequence[Rule], numbers: Sequence[Number]) -> None:
        self._country = country
        self._rules = {rule.name.casefold(): rule for rule in rules}
        self._known = {understand_called(number.did, country): number for number in numbers}
        self._lines: dict[str, int] = {}
        self.rows: list[ListedNumber] = []
        self.problems: list[RowProblem] = []

    def read(self, line: int, cells: Mapping[str, str]) -> None:
        written = cells.get("did", "")
        if not is_number(written, self._country):
            what = f"`{one_line(written, 40)}` is not a number that can be dialled in {self._country}"
            self._refuse(line, what, 'Write it with its country, such as "+33142345001".')
            return
        did = understand_called(written, self._country)
        if did in self._lines:
            self._refuse(line, f"{did} stands in line {self._lines[did]} already", "Keep one of the two.")
            return
        self._lines[did] = line
        rule = self._rule(line, cells.get("rule", ""))
        former = self._known.get(did)
        number = Number(former.did if former else did, rule, cells.get("note", ""))
        change = RowChange.NEW if former is None else RowChange.CHANGED
        if number == former:
            change = RowChange.SAME
        self.rows.append(ListedNumber(line, number, change, former))

    def _rule(self, line: int, name: str) -> RuleName | None:
        if not name:
            return None
        rule = self._rules.get(name.casefold())
        if rule is None:
            known = [rule.name for rule in self._rules.values()]
            mend = pick_one(name, known) if known else "Make the rule first."
            self._refuse(line, f"there is no rule `{one_line(name, 80)}`", mend)
            return None
        if rule.location is not Location.DID:
            what = f"the rule `{rule.name}` is for IVR entries, and this is a number"
            self._refuse(line, what, "Name a rule of the location DID.")
            return None
        return rule.name

    def _refuse(self, line: int, what: str, mend: str) -> None:
        self.problems.append(RowProblem(line, what, mend))


def is_number(text: str, country: str) -> bool:
    kind = understand_caller(text, "", country).kind
    return kind in (CallerKind.NUMBER, CallerKind.SHORT)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Rows with anything in them, and the line each begins in."""
    found: list[tuple[int, list[str]]] = []
    reader = csv.reader(StringIO(text, newline=""), delimiter=_separator(text), strict=False)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((line, [one_line(cell, 500) for cell in cells]))
            line = reader.line_num + 1
            if len(found) > ROWS_MOST + 1:
                break
    except csv.Error:  # a cell longer than csv takes
        found.append((line, [""]))
    return found


def _separator(text: str) -> str:
    """The one that the first row has most of."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=first.count)


def _heading(cells: Sequence[str], country: str) -> tuple[str, ...] | None:
    """The columns that a heading names, "" for others; None where the first row is none."""
    named = tuple(HEADINGS.get(cell.strip().casefold(), "") for cell in cells)
    if "did" in named:
        return named
    first = cells[0] if cells else ""
    return None if is_number(first, country) or any(sign.isdigit() for sign in first) else ORDER


def _by_name(cells: Sequence[str], order: Sequence[str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in zip(order, cells, strict=False) if name}
