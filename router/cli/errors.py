"""How a command ends badly, and the exit code that says so.

    CliError                 ends the command: a text that names the place, and the way to put it right
     +-- WrongUsage          2: the command line or the configuration cannot be used
     +-- OutOfReach          3: Redis, Asterisk or a worker does not answer

What a command was asked to find and did find is no error: it returns `ExitCode.PROBLEMS`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    PROBLEMS = 1
    """The command did its work and found something wrong, or did not find what was asked for."""
    USAGE = 2
    UNREACHABLE = 3


class CliError(Exception):
    """`mend` is the next thing to do, in a sentence or two."""

    code = ExitCode.PROBLEMS

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


class WrongUsage(CliError):
    code = ExitCode.USAGE


class OutOfReach(CliError):
    code = ExitCode.UNREACHABLE
