"""The proof as a table of 80 columns or more, and in one sentence."""

from rich.table import Table
from rich.text import Text

from router.cli.output import counted, plain
from router.cli.prove.verdicts import Proof, Row

COLUMNS = ("calls", "taken", "default", "gone", "lost", "double", "parked")
GOOD, BAD = ("✓", "bold green"), ("✗", "bold red")


def table_of(proof: Proof) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(width=1)
    table.add_column("what is done", overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in proof.scenarios:
        table.add_row(Text(*(BAD if row.problems else GOOD)), plain(row.what), *_figures(row))
    return table


def _figures(row: Row) -> list[Text]:
    return [
        *(_count(count) for count in (row.calls, row.taken, row.defaulted, row.gone)),
        *(_count(count, is_bad=True) for count in (row.lost, row.double)),
        Text(f"{row.parked_seconds:.3f} s"),
    ]


def _count(count: int, *, is_bad: bool = False) -> Text:
    style = ("bold red" if is_bad else "") if count else "dim"
    return Text(str(count), style)


def problems_of(proof: Proof) -> Table:
    """Empty where all is well."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for row in proof.scenarios:
        for problem in row.problems:
            table.add_row(Text(*BAD), Text.assemble((plain(row.what), "bold"), f": {plain(problem)}"))
        if row.mend:
            table.add_row("", Text(f"→ {plain(row.mend)}", "cyan"))
    if table.row_count:
        table.add_row()
    return table


def summary_of(proof: Proof) -> Text:
    calls = (
        f"{counted(proof.calls, 'test call')}, {proof.lost or 'none'} lost, "
        f"{proof.double or 'none'} moved twice, the longest parked {proof.parked_seconds:.3f} s "
        f"(HOLD {proof.hold_seconds:g} s, GRACE {proof.grace_seconds:g} s)."
    )
    if proof.is_proven:
        return Text(f"{proof.server} keeps the promises: {calls}", "bold green")
    failed = sum(bool(row.problems) for row in proof.scenarios)
    told = f"{failed} of {counted(len(proof.scenarios), 'scenario')} failed"
    return Text(f"{proof.server}: {told}; {calls}", "bold red")
