"""What fuzzing came to, for a person's eyes."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from tests.fuzz.engine import Crash, Run
from tests.fuzz.targets import Target

COLUMNS = (
    "target",
    "what it reads",
    "executions",
    "exec/s",
    "seeds",
    "new inputs",
    "lines",
    "crashes",
    "verdict",
)
NUMBERS = frozenset(COLUMNS[2:8])
SHOWN_BYTES = 100


def table(runs: Sequence[tuple[Target, Run]]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_footer=len(runs) > 1)
    total = _total([run for _, run in runs])
    for name in COLUMNS:
        made.add_column(
            name, total.get(name, ""), justify="right" if name in NUMBERS else "left", no_wrap=True
        )
    for target, run in runs:
        made.add_row(target.name, target.reads, *_figures(run), _verdict(run))
    return made


def _total(runs: Sequence[Run]) -> dict[str, str]:
    executions, crashes = sum(run.executions for run in runs), sum(len(run.crashes) for run in runs)
    return {
        "target": f"{len(runs)} targets",
        "executions": f"{executions:,}",
        "new inputs": f"{sum(len(run.fresh) for run in runs):,}",
        "crashes": str(crashes),
    }


def _figures(run: Run) -> list[str]:
    gained = f"+{run.lines - run.lines_of_seeds}" if run.lines > run.lines_of_seeds else ""
    return [
        f"{run.executions:,}",
        f"{run.executions / max(run.seconds, 0.001):,.0f}",
        str(run.seeds),
        str(len(run.fresh)),
        f"{run.lines} {gained}".rstrip(),
        str(len(run.crashes)),
    ]


def _verdict(run: Run) -> Text:
    return Text("failed", "bold red") if run.crashes else Text("sound", "green")


def line(target: Target, run: Run) -> str:
    """One target's end, where no table grows on a terminal."""
    rate = run.executions / max(run.seconds, 0.001)
    told = f"{len(run.crashes)} CRASHES" if run.crashes else "sound"
    return f"{target.name:<20} {run.executions:>10,} executions {rate:>9,.0f}/s  {told}"


def listing(targets: Sequence[Target]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for name in COLUMNS[:2]:
        made.add_column(name)
    for target in targets:
        made.add_row(target.name, target.reads)
    return made


def crash_lines(target: Target, crash: Crash, kept: Path) -> list[Text]:
    """What failed, the input, and how to try it again."""
    data = repr(crash.data[:SHOWN_BYTES]) + (" …" if len(crash.data) > SHOWN_BYTES else "")
    return [
        Text(f"{target.name}: {crash.failure.place}", "bold red"),
        Text(f"  {crash.failure.story.strip().splitlines()[-1][:200]}"),
        Text(f"  input   {len(crash.data)} bytes: {data}"),
        Text(f"  replay  .venv/bin/python -m tests.fuzz --replay {kept}"),
        Text(""),
    ]
