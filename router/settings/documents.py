"""Reading one TOML file: the parsed document and the lines of its values, or why it cannot be read."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli

from router.core.packable import WHOLE_LEAST, WHOLE_MOST
from router.core.problems import Path as ValuePath
from router.core.problems import Problem, error
from router.settings.errors import FileProblem
from router.settings.places import Places

LONG_NUMBER = re.compile(r"[0-9A-Fa-f_]{16,}")
"""What may be a whole number beyond 64 bits."""
ENDLESS_NUMBER = re.compile(r"[0-9][0-9_]{3000,}")
"""Python reads no number of that many digits."""


class Document:
    """A TOML text that was understood."""

    def __init__(self, file: str, text: str, data: dict[str, Any]) -> None:
        self.file = file
        self.text = text
        self.data = data

    @cached_property
    def places(self) -> Places:
        return Places(self.text)

    def locate(self, problem: Problem) -> FileProblem:
        return FileProblem(self.file, self.line(problem.path), problem)

    def line(self, path: ValuePath) -> int:
        return self.places.line(path)


class Unreadable(Exception):
    """A file is not TOML, or cannot be read; carries the one problem that says so."""

    def __init__(self, problem: FileProblem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def read_document(path: Path) -> Document:
    """Raises Unreadable, and FileNotFoundError for a file that is not there."""
    file = str(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as failed:
        problem = error((), f"the file cannot be read: {failed.strerror}", "Check its owner and mode.")
        raise Unreadable(FileProblem(file, None, problem)) from failed
    return parse_document(file, raw)


def parse_document(file: str, raw: bytes) -> Document:
    """Raises Unreadable."""
    try:
        text = raw.decode()
        document = Document(file, text, tomli.loads(text))
    except UnicodeDecodeError as failed:
        line = raw.count(b"\n", 0, failed.start) + 1
        problem = error((), "there is a letter that is not UTF-8", "Save the file with the encoding UTF-8.")
        raise Unreadable(FileProblem(file, line, problem)) from failed
    except tomli.TOMLDecodeError as failed:
        problem = error(
            (), f"this is not TOML: {failed.msg}", "See docs/configuration.md for the file's form."
        )
        raise Unreadable(FileProblem(file, failed.lineno, problem)) from failed
    except ValueError as failed:
        raise Unreadable(FileProblem(file, _line_of_endless_number(text), _too_large(()))) from failed
    except RecursionError as failed:
        problem = error((), "lists and tables are nested too deep", "Nest them less.")
        raise Unreadable(FileProblem(file, 1, problem)) from failed
    if LONG_NUMBER.search(text) is not None:
        _require_64_bits(document)
    return document


def _require_64_bits(document: Document) -> None:
    """TOML has no larger whole numbers, and they could be packed by nobody. Raises Unreadable."""
    path = next(_large_numbers(document.data, ()), None)
    if path is not None:
        raise Unreadable(document.locate(_too_large(path)))


def _large_numbers(value: Any, path: ValuePath) -> Iterator[ValuePath]:
    match value:
        case int() if not WHOLE_LEAST <= value <= WHOLE_MOST:
            yield path
        case dict():
            for key, item in value.items():
                yield from _large_numbers(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _large_numbers(item, (*path, index))


def _too_large(path: ValuePath) -> Problem:
    return error(
        path, "this whole number is larger than 64 bits", "Put it into quotes, or write a smaller one."
    )


def _line_of_endless_number(text: str) -> int:
    found = ENDLESS_NUMBER.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else 1
