"""`make crms`: the conformance suite as a table, a row for each way into a CRM, and what each connector
costs.

    python -m tests.crms.table [--json FILE]

A cell counts the cases that passed; a failed one shows as `1 of 20`, and a case that a CRM has not as
`·`. It ends with exit code 1 when anything failed.
"""

import argparse
import ast
import io
import json
import sys
import tokenize
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from router.settings.manifest_files import load_manifests
from tests.crms.rigs import ALL

PROJECT = Path(__file__).resolve().parents[2]
COLUMNS = {
    "nothing": ("test_nobody",),
    "one": ("test_one_", "test_an_empty_field", "test_a_company", "test_the_record"),
    "several": ("test_several_are", "test_modules_are_searched", "test_which_record"),
    "types": ("test_several_fields",),
    "digits": ("test_digits", "test_hostile_digits"),
    "refused": ("test_refused",),
    "expired": ("test_an_expired",),
    "throttled": ("test_throttled",),
    "500": ("test_down",),
    "slow": ("test_slow",),
    "not JSON, huge": ("test_an_answer_that_is_none",),
    "field, module": ("test_an_unknown",),
    "hostile": ("test_a_hostile", "test_hostile_names"),
    "cancelled": ("test_cancelled",),
    "lists": ("test_modules_are_listed", "test_fields_are", "test_the_fields_of"),
    "test": ("test_check",),
    "log": ("test_an_answered", "test_a_call_", "test_a_record_is_made"),
    "secrets": ("test_no_secret",),
    "cost": ("test_a_known_caller",),
}


class Counts:
    """A pytest plugin that counts outcomes by rig and column."""

    def __init__(self) -> None:
        self.cells: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not (report.when == "setup" and report.outcome != "passed"):
            return
        case, _, named = report.nodeid.rpartition("::")[2].partition("[")
        rig = max((one.name for one in ALL if one.name in named), key=len, default="")
        column = next((name for name, starts in COLUMNS.items() if case.startswith(starts)), "other")
        if rig:
            self.cells[rig, column].append(report.outcome)


def code_lines(slug: str) -> int:
    """Without blank lines, comments and docstrings."""
    folder = PROJECT / "workers" / "connectors" / slug
    return sum(code_lines_of(path.read_text()) for path in folder.glob("*.py"))


def code_lines_of(source: str) -> int:
    told = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    empty = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in empty
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - told)


def _cell(outcomes: list[str]) -> str:
    failed = outcomes.count("failed")
    passed = outcomes.count("passed")
    if failed:
        return f"{failed} of {failed + passed} FAILED"
    return str(passed) if passed else "·"


def main() -> int:
    parser = argparse.ArgumentParser(description="The conformance suite as a table.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there, too")
    wanted = parser.parse_args()
    counts = Counts()
    suite = str(PROJECT / "tests" / "crms" / "test_conformance.py")
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", suite], plugins=[counts])
    manifests = load_manifests(PROJECT / "config")
    table = Table(
        box=None, pad_edge=False, header_style="bold", title="Cases passed, for each way into a CRM"
    )
    for heading in ("", *COLUMNS, "all"):
        table.add_column(heading, justify="left" if not heading else "right")
    told: list[dict[str, Any]] = []
    for rig in ALL:
        cells = {column: counts.cells[rig.name, column] for column in COLUMNS}
        every = [outcome for outcomes in cells.values() for outcome in outcomes]
        table.add_row(rig.name, *map(_cell, cells.values()), _cell(every))
        told.append({"rig": rig.name, **{column: _cell(outcomes) for column, outcomes in cells.items()}})
    costs = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("connector", "code lines", "requests a cold look-up"):
        costs.add_column(heading)
    for slug in sorted({rig.slug for rig in ALL}):
        costs.add_row(slug, str(code_lines(slug)), str(manifests[slug].requests_per_lookup))
    console = Console(width=250)
    console.print(table)
    console.print()
    console.print(costs)
    if wanted.json:
        wanted.json.write_text(json.dumps(told, indent=2) + "\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
