"""Reading one TOML file: the parsed document and the lines of its values, or why it cannot be read."""

from functools import cached_property
from pathlib import Path
from typing import Any

import tomli

from router.core.problems import Path as ValuePath
from router.core.problems import Problem, error
from router.settings.errors import FileProblem
from router.settings.places import Places


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
        return Document(file, text, tomli.loads(text))
    except UnicodeDecodeError as failed:
        line = raw.count(b"\n", 0, failed.start) + 1
        problem = error((), "there is a letter that is not UTF-8", "Save the file with the encoding UTF-8.")
        raise Unreadable(FileProblem(file, line, problem)) from failed
    except tomli.TOMLDecodeError as failed:
        problem = error(
            (), f"this is not TOML: {failed.msg}", "See docs/configuration.md for the file's form."
        )
        raise Unreadable(FileProblem(file, failed.lineno, problem)) from failed
    except RecursionError as failed:
        problem = error((), "lists and tables are nested too deep", "Nest them less.")
        raise Unreadable(FileProblem(file, 1, problem)) from failed
