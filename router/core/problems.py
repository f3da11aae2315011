"""What is wrong with a configuration, in an admin's words, and how to mend it.

A problem names its place by a path into the document (`("rules", 2, "lines", 0, "value")`); files and line
numbers are `router.settings`' business, forms are the web page's.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

Path = tuple[str | int, ...]
Level = Literal["error", "warning"]


class Problem(Struct, frozen=True):
    """An error keeps something from working as written; a warning is probably not what was meant."""

    path: Path
    level: Level
    what: str
    mend: str

    def __str__(self) -> str:
        place = f"{path_text(self.path)}: " if self.path else ""
        return f"{place}{self.what}. {self.mend}"


def error(path: Path, what: str, mend: str) -> Problem:
    return Problem(path, "error", what, mend)


def warning(path: Path, what: str, mend: str) -> Problem:
    return Problem(path, "warning", what, mend)


def path_text(path: Path) -> str:
    """A path as people count: `rules[3].lines[1].value` is the third rule's first line."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """What was probably meant, or None when nothing is close."""
    choices = {choice.casefold(): choice for choice in allowed}
    close = get_close_matches(word.casefold(), choices, n=1, cutoff=0.6)
    return choices[close[0]] if close else None


def pick_one(word: str, allowed: Iterable[str]) -> str:
    """A sentence that names the allowed words, the one that was probably meant first."""
    words = list(allowed)
    meant = nearest(word, words)
    listed = ", ".join(f"`{name}`" for name in words[:20]) + (" …" if len(words) > 20 else "")
    return f"Did you mean `{meant}`? Allowed: {listed}." if meant else f"Allowed: {listed}."
