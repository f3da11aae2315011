"""What can go wrong with the records.

    Exception
     ├─ RecordsError
     │   ├─ RecordsUnavailable    the database does not answer, or is full: trying again later helps
     │   └─ Conflict              what was asked does not fit what is there; `problem` says why
     │       ├─ Outdated          somebody else changed it meanwhile: read it anew
     │       └─ StillUsed         it cannot go while others refer to it
     ├─ NotFound                  there is no such thing in this tenant
     └─ RecordsMisconfigured      the address is wrong, or the schema is another program's: never retried
         └─ RecordsEmpty          nothing was ever written there

SQLAlchemy's exceptions end in `router.records.database`, which translates them.
"""


class RecordsError(Exception):
    """The records could not do what was asked."""


class RecordsUnavailable(RecordsError):
    """No answer, or a database that can take nothing."""


class Conflict(RecordsError):
    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Outdated(Conflict):
    """The revision in hand is no longer the latest."""


class StillUsed(Conflict):
    """`users` are the names of what refers to it."""

    def __init__(self, problem: str, users: tuple[str, ...]) -> None:
        super().__init__(problem)
        self.users = users


class NotFound(Exception):
    """`what` names it, such as "rule Sales"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}")
        self.what = what


class RecordsMisconfigured(Exception):
    """The settings cannot work. The text names the setting and the way to put it right."""


class RecordsEmpty(RecordsMisconfigured):
    """There is no schema yet. A command that only reads makes none."""
