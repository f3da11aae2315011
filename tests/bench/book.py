"""All that was measured, over one or several files: a figure is the median of what each file says."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.files import Measurement


@dataclass(frozen=True)
class Figure:
    """What was measured once for each file; the median stands for them."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def shown(self, decimals: int = 1, unit: str = "") -> str:
        text = f"{self.median:.{decimals}f}"
        if len(self.values) > 1:
            text += f" ({min(self.values):.{decimals}f}–{max(self.values):.{decimals}f})"
        return text + unit


class Book:
    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self.measurements = measurements

    def results(self, what: str, **matching: object) -> list[Mapping[str, Any]]:
        return [
            result
            for one in self.measurements
            for result in one.results
            if result["what"] == what and all(result.get(name) == value for name, value in matching.items())
        ]

    def figure(self, path: str, what: str, **matching: object) -> Figure | None:
        """`path` is such as `added_ms/p50`; None where nobody measured it."""
        found = [_at(result, path.split("/")) for result in self.results(what, **matching)]
        values = tuple(float(value) for value in found if value is not None)
        return Figure(values) if values else None

    def median(self, path: str, what: str, **matching: object) -> float | None:
        figure = self.figure(path, what, **matching)
        return None if figure is None else figure.median

    def different(self, name: str, what: str, **matching: object) -> list[Any]:
        """Each value of a field, in the order in which it was first measured."""
        return list(dict.fromkeys(result[name] for result in self.results(what, **matching)))


def _at(result: Any, names: Iterable[str]) -> Any:
    for name in names:
        if not isinstance(result, Mapping) or name not in result:
            return None
        result = result[name]
    return result


OWN_PROGRAMS = ("router", "worker", "redis", "fastagi", "ari", "asterisk children")
"""Whose processor time is a peer's own beside Asterisk's; the CRM and the callers are nobody's."""


def own_cpu_ms(result: Mapping[str, Any]) -> float:
    return sum(float(result["cpu_ms"].get(name, 0.0)) for name in OWN_PROGRAMS)
