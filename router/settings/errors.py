"""The settings' errors. None is ever retried: wrong configuration stops the program, or leaves the last good
version of a tenant in force.

    ConfigurationError
     +-- SettingsError    the operator's settings cannot be used; lists every problem
     +-- SecretMissing    a secret's environment variable or file is not there
"""

from collections.abc import Sequence

from msgspec import Struct

from router.core.problems import Problem


class FileProblem(Struct, frozen=True):
    """A problem and where it stands. `line` is None where the place is no file (an environment variable)."""

    file: str
    line: int | None
    problem: Problem

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.problem.level}: {self.problem}"


class ConfigurationError(Exception):
    """Something that a person wrote must be mended by a person."""


class SettingsError(ConfigurationError):
    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"the settings have {count}:{listed}")


class SecretMissing(ConfigurationError):
    """Names what is missing, never the secret."""
