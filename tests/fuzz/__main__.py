"""`make fuzz`: every decoder of outside data against hostile input, and a table of what came of it.

    python -m tests.fuzz [--minutes 10] [targets]     all of them share the minutes
    python -m tests.fuzz --replay FILE                one input again, with its story

Ends with 1 when anything failed. Each failing input is kept, as small as it could be made, with its story
beside it; `docs/fuzzing.md` tells what to do with one.
"""

import argparse
import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
from rich.console import Console

from tests.fuzz.apart import fuzz_apart
from tests.fuzz.engine import Crash, Run
from tests.fuzz.places import CORPUS, CRASHES, PROJECT
from tests.fuzz.suite import TARGETS, UnknownTarget, chosen
from tests.fuzz.table import crash_lines, line, listing, table
from tests.fuzz.targets import Target
from tests.fuzz.trying import try_input

LEAST_SECONDS = 1.0


def main() -> int:
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if given.replay:
        return _replay(given.replay, console)
    try:
        targets = chosen(given.targets)
    except UnknownTarget as unknown:
        console.print(f"{unknown}", style="bold red")
        return 2
    if given.list:
        console.print(listing(targets))
        return 0
    runs = _run(targets, given.minutes * 60, given.seed, console)
    console.print(table(runs))
    for target, run in runs:
        for crash in run.crashes:
            console.print(*crash_lines(target, crash, _keep(target, crash)), sep="\n", soft_wrap=True)
    return 1 if any(run.crashes for _, run in runs) else 0


def _run(targets: Sequence[Target], seconds: float, seed: int, console: Console) -> list[tuple[Target, Run]]:
    each = max(seconds / len(targets), LEAST_SECONDS)
    runs = []
    for number, target in enumerate(targets, 1):
        with console.status(f"{target.name} ({number} of {len(targets)}, {each:.0f} s each)"):
            run = fuzz_apart(target, each, seed)
        _keep_corpus(target, run)
        runs.append((target, run))
        if not console.is_terminal:
            console.print(line(target, run))
    return runs


def _keep_corpus(target: Target, run: Run) -> None:
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for data in run.fresh:
        (folder / _name(data)).write_bytes(data)


def _keep(target: Target, crash: Crash) -> Path:
    folder = CRASHES / target.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(crash.data)
    path.write_bytes(crash.data)
    path.with_suffix(".txt").write_text(crash.failure.story)
    return path.relative_to(PROJECT)


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _replay(path: Path, console: Console) -> int:
    """The folder's name is the target's."""
    target = next((one for one in TARGETS if one.name == path.parent.name), None)
    if target is None:
        console.print(f"{path} lies in no target's folder, which tells what reads it", style="bold red")
        return 2
    failure = try_input(target, path.read_bytes())
    if failure is None:
        console.print(f"{target.name} takes it: nothing fails.", style="green")
        return 0
    console.print(failure.story, style="red", markup=False, soft_wrap=True)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", help="names, or how they begin; all when none is told")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0, help="another one tries other inputs")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this one input again")
    parser.add_argument("--list", action="store_true", help="the targets, and what each reads")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
