"""`make faults`: every fault in its full form, one after the other, and a table of what came of each.

Ends with 1 when a condition was missed. Numbers on the command line choose faults; `--write FILE` keeps the
table, as JSON or, for a name that ends in .md, as a page.
"""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.rig.asterisk import PROJECT
from tests.faults.rows import FULL, SHORT, Row, Scale
from tests.faults.suite import FAULTS, Fault, Sites, sites

FOLDER = PROJECT / ".cache" / "faults"
COLUMNS = ("no.", "fault", "calls", "refused", "lost", "double", "figure", "verdict")
NUMBERS = ("no.", "calls", "refused", "lost", "double")

PAGE_HEAD = """# Faults and abuse

What the faults came to on {cores} cores that Asterisk, SIPp, Redis, the routers, the workers and the CRM
shared. HOLD was 6 s and GRACE 2 s. A call is lost when it reached no destination, and double when it was
moved twice or after it had left; both are read from Asterisk's own log. Refused are those that Asterisk,
overloaded itself, turned away by SIP before there was a call: its own counter knows nothing of them.

"""


def main() -> int:
    given = _arguments()
    # A stopped terminal or service ends the parts as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(width=None if sys.stdout.isatty() else 200)
    chosen = [fault for fault in FAULTS if not given.numbers or _is_meant(fault, given.numbers)]
    scale = replace(SHORT if given.short else FULL, soak_seconds=round(given.soak_hours * 3600))
    rows = run(chosen, scale, console)
    console.print(table(rows))
    if given.write:
        given.write.write_text(as_page(rows) if given.write.suffix == ".md" else as_json(rows))
    return 0 if rows and all(row.is_passed for row in rows) else 1


def run(faults: Sequence[Fault], scale: Scale, console: Console) -> list[Row]:
    rows = []
    with sites(FOLDER) as opened:
        for fault in faults:
            began = time.monotonic()
            row = _run_one(fault, opened, scale)
            rows.append(row)
            console.print(
                f"{fault.name:<40} {time.monotonic() - began:6.1f} s  {row.verdict}", highlight=False
            )
    return rows


def _run_one(fault: Fault, opened: Sites, scale: Scale) -> Row:
    """A rig that breaks is a miss too: the table is whole, and the next fault gets a new site."""
    try:
        return fault.run(opened.of(fault), scale)
    except Exception as error:
        traceback.print_exc()
        opened.close()
        misses = (f"the rig failed: {error!s:.300}",)
        return Row(fault.number, fault.run.__name__, 0, 0, 0, "", misses, fault.variant)


def table(rows: Sequence[Row]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for name in COLUMNS:
        made.add_column(name, justify="right" if name in NUMBERS else "left")
    for row in rows:
        verdict = Text(row.verdict, "green" if row.is_passed else "bold red")
        made.add_row(*_cells(row)[:-1], verdict)
    return made


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) | {"is_passed": row.is_passed} for row in rows], indent=2) + "\n"


def as_page(rows: Sequence[Row]) -> str:
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row)) + " |" for row in rows),
    ]
    return PAGE_HEAD.format(cores=os.cpu_count()) + "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    counts = [str(number) for number in (row.calls, row.refused, row.lost, row.double)]
    return [f"{row.number}{row.variant}", row.fault, *counts, row.figure, row.verdict]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = list(dict.fromkeys(label for fault in FAULTS for label in (str(fault.number), fault.label)))
    parser.add_argument(
        "numbers",
        nargs="*",
        metavar="FAULT",
        help="such as 8, in all its forms, or 8b; all when none is told",
    )
    parser.add_argument("--short", action="store_true", help="the short forms, as make test runs them")
    parser.add_argument("--soak-hours", type=float, default=1 / 6, help="how long fault 25 takes")
    parser.add_argument("--write", type=Path, help="keep the table in this file")
    given = parser.parse_args()
    if unknown := [number for number in given.numbers if number not in known]:
        parser.error(f"there is no fault {', '.join(unknown)}; there are {', '.join(known)}")
    return given


def _is_meant(fault: Fault, numbers: Sequence[str]) -> bool:
    return str(fault.number) in numbers or fault.label in numbers


if __name__ == "__main__":
    sys.exit(main())
