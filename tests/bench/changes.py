"""The changes that were tried, with what each gained or lost: `docs/benchmarks/changes.toml`.

    [[changes]]
    what = "Read AMI without a message object for each event"
    kept = true
    measure = "router's CPU per call, ms"
    figure = "cpu_ms/router"                # a path into the results …
    where = { what = "calls", peer = "crmroute", known = 0.0 }   # … that match
    before = "events-before.json"           # files beside changes.toml
    after = "events-after.json"
    note = "Costs one more parser to keep."

The words are people's; the figures are read from the files.
"""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import files
from tests.bench.book import Book


class Change(msgspec.Struct, forbid_unknown_fields=True):
    what: str
    kept: bool
    measure: str
    figure: str
    where: dict[str, Any]
    before: str
    after: str
    note: str = ""


def read_changes(path: Path) -> list[Change]:
    """Empty without the file. Raises SystemExit with what is wrong with it."""
    if not path.exists():
        return []
    try:
        return msgspec.convert(tomllib.loads(path.read_text()).get("changes", []), type=list[Change])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SystemExit(f"{path}: {error}") from error


def change_rows(path: Path) -> list[list[str]]:
    return [_row(change, path.parent) for change in read_changes(path)]


def _row(change: Change, folder: Path) -> list[str]:
    before, after = (_figure(change, folder / name) for name in (change.before, change.after))
    gained = f"{100 * (after - before) / before:+.0f} %" if before else "–"
    kept = "kept" if change.kept else "dropped"
    return [change.what, change.measure, f"{before:.2f}", f"{after:.2f}", gained, kept, change.note]


def _figure(change: Change, path: Path) -> float:
    value = Book([files.read(path)]).median(change.figure, **change.where)
    if value is None:
        raise SystemExit(f"{path} has no {change.figure} of {change.where}, for “{change.what}”")
    return value
