"""`make bench`: all that docs/benchmarks.md tells, measured side by side in one run on this machine."""

import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import files, machine
from tests.bench.options import Options, parsed
from tests.bench.page import write_page
from tests.bench.parts import Result, Say, Step, steps
from tests.bench.tables import summary, tables


def main() -> int:
    options = parsed()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    if options.page_from:
        console.print(f"wrote {write_page([files.read(path) for path in options.page_from])}")
        return 0
    results = measure(options, console)
    measured = files.read(options.into)
    for table in tables([measured]):
        console.print(table, "")
    console.print(f"written to {options.into}")
    return 1 if any(result.get("failed") for result in results) else 0


def measure(options: Options, console: Console) -> list[Result]:
    """Every step, whatever becomes of the others: a peer that breaks down is a result, too."""
    where, chosen = machine.described(), _plain(options)
    results: list[Result] = []
    todo = steps(options)
    with _progress(console) as progress:
        bar = progress.add_task("", total=len(todo))
        for number, step in enumerate(todo, 1):
            progress.update(bar, description=step.name)
            began = time.monotonic()

            def say(what: str, step: Step = step) -> None:
                progress.update(bar, description=f"{step.name}: {what}")

            made = _made(step, say)
            results += made
            files.write(options.into, where, chosen, results)
            progress.advance(bar)
            told = " · ".join(filter(None, map(summary, made)))
            took = time.monotonic() - began
            progress.console.print(f"{number:>3}/{len(todo)}  {step.name:<44} {took:5.0f} s  {told}")
    return results


def _made(step: Step, say: Say) -> list[Result]:
    try:
        return step.measure(say)
    except Exception as error:
        return [{"what": "broken", "step": step.name, "failed": f"{type(error).__name__}: {error}"[:500]}]


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.completed}/{task.total}"), BarColumn(24), TextColumn("{task.description}")
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _plain(options: Options) -> dict[str, object]:
    """Without paths: a file of figures names no machine's folders."""
    kept = {name: value for name, value in asdict(options).items() if name != "page_from"}
    return {name: value for name, value in kept.items() if not isinstance(value, Path)}


if __name__ == "__main__":
    sys.exit(main())
