"""The JSON files, one for each measurement; written after every step, so that a broken one is not lost."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Measurement:
    """One file."""

    made_at: str
    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]


def write(path: Path, machine: Mapping[str, Any], options: Mapping[str, Any], results: Iterable[Any]) -> None:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"format": FORMAT, "made_at": made_at, "machine": machine, "options": options}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**told, "results": list(results)}, indent=1) + "\n")
    fresh.rename(path)


def read(path: Path) -> Measurement:
    """Raises SystemExit with what is wrong with the file."""
    try:
        told = json.loads(path.read_text())
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']}, not {FORMAT}")
        return Measurement(told["made_at"], told["machine"], told["options"], told["results"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path} is no file of the benchmark: {error}") from error
