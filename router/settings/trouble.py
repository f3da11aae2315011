"""Trouble that lasts: one line in the log when it begins, one when it is over, and none for each attempt."""

from typing import Any

PROBLEM_MOST = 256


class Trouble:
    """`known` are the errors whose text may be told; of any other the whole traceback is."""

    def __init__(
        self, log: Any, failing: str, working: str, known: tuple[type[Exception], ...], **fields: str
    ) -> None:
        self._log = log
        self._failing = failing
        self._working = working
        self._known = known
        self._fields = fields
        self._is_failing = False

    def failed(self, error: Exception) -> None:
        if not self._is_failing:
            is_known = isinstance(error, self._known)
            self._log.error(
                self._failing,
                error=type(error).__name__,
                problem=str(error)[:PROBLEM_MOST] if is_known else "",
                exc_info=None if is_known else error,
                **self._fields,
            )
        self._is_failing = True

    def worked(self) -> None:
        if self._is_failing:
            self._log.info(self._working, **self._fields)
        self._is_failing = False
