"""Which lines of the product an input reaches for the first time.

Tracing costs little once a function's lines are all known: such a function is not traced any more.
"""

import sys
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.places import PROJECT

WATCHED = tuple(f"{PROJECT / package}/" for package in ("router", "workers"))


class LineWatch:
    """Lines seen since it was made. `with watch:` traces what runs within, in this thread."""

    def __init__(self) -> None:
        self.lines = 0
        self._left: dict[CodeType, set[int]] = {}

    def __enter__(self) -> None:
        sys.settrace(self._on_call)

    def __exit__(self, *_error: object) -> None:
        sys.settrace(None)

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            left = self._left[code] = self._lines_of(code)
        return self._on_line if left else None

    def _on_line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            left = self._left[frame.f_code]
            if frame.f_lineno in left:
                left.discard(frame.f_lineno)
                self.lines += 1
        return self._on_line

    def _lines_of(self, code: CodeType) -> set[int]:
        if not code.co_filename.startswith(WATCHED):
            return set()
        return {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}
