"""What a command says: results on standard output, notes and errors on standard error.

With `--json` results are JSON and nothing else goes to standard output. Colours are for terminals only (rich
looks, and honours NO_COLOR). Texts that came from a caller or a CRM pass through `plain`, so that no control
sign of theirs reaches the operator's terminal, and no markup is ever read out of them.
"""

import os
import sys
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.text import Text

from router.cli.errors import CliError

PIPED_COLUMNS = 160
"""Wide enough that a table in a file or a pipe is not wrapped like one on a small terminal."""


class Screen:
    """Where one command writes."""

    def __init__(
        self, *, as_json: bool = False, out: Console | None = None, notes: Console | None = None
    ) -> None:
        self.as_json = as_json
        self.out = out or _console(is_for_notes=False)
        self._notes = notes or _console(is_for_notes=True)

    @property
    def width(self) -> int:
        return self.out.width

    def show(self, *parts: RenderableType, soft_wrap: bool = False) -> None:
        """Print for a person; with `--json` nothing. `soft_wrap` keeps a place in one piece, for copying."""
        for part in () if self.as_json else parts:
            self.out.print(part, soft_wrap=soft_wrap)

    def answer(self, value: Any, *, is_one_of_many: bool = False) -> None:
        """Print for a program; without `--json` nothing. One line, unless it is one answer on a terminal."""
        if not self.as_json:
            return
        raw = msgspec.json.encode(value, enc_hook=str)
        is_indented = self.out.is_terminal and not is_one_of_many
        text = msgspec.json.format(raw, indent=2) if is_indented else raw
        self.out.file.write(text.decode() + "\n")
        self.out.file.flush()

    def note(self, text: str, style: str = "") -> None:
        """A remark beside the result."""
        self._notes.print(Text(plain(text), style=style))

    def fail(self, error: CliError) -> None:
        what, mend = (plain(text, keeps_lines=True) for text in (error.what, error.mend))
        self._notes.print(Text.assemble(("crmroute: ", "bold red"), what), soft_wrap=True)
        for line in mend.splitlines():
            self._notes.print(Text(f"  {line}", style="cyan"), soft_wrap=True)


def plain(text: object, *, keeps_lines: bool = False) -> str:
    """The text without control signs and unpaired surrogates."""
    kept = "\n" if keeps_lines else ""
    return "".join(sign if sign.isprintable() or sign in kept else " " for sign in str(text))


def counted(count: int, noun: str, many: str = "") -> str:
    """`1 error`, `2 errors`, `no errors`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count or 'no'} {many or noun + 's'}"


def duration(seconds: float) -> str:
    """To the precision that one plans by: `45 s`, `12 min`, `3 h`, `2 d`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def milliseconds(ms: float | None) -> str:
    """As a trace shows a span: `0.4`, `104.2`, `12,040.0`, the points in one column; or nothing."""
    return "" if ms is None else f"{ms:,.1f}"


def _console(*, is_for_notes: bool) -> Console:
    stream = sys.stderr if is_for_notes else sys.stdout
    is_piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=is_for_notes,
        highlight=False,
        markup=False,
        emoji=False,
        width=PIPED_COLUMNS if is_piped else None,
    )
