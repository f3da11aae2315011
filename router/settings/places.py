"""Which line of a TOML text a value stands on.

TOML libraries forget lines as soon as they have parsed. This scanner reads the same text a second time,
only when there is a problem to place, and keeps nothing but the lines. It expects a text that `tomli`
accepts; on any other it stops where it understands no more.

A path is what leads to the value in the parsed document: ("rules", 2, "lines", 0, "value") is the value of
the third rule's first line. A table on the way is known by its first mention in a header or a dotted key.
"""

import re

import tomli

from router.core.problems import Path

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
SPACE = re.compile(r"[ \t]*")
SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SCALAR = re.compile(r"[^,\]}#\r\n]+")
BASIC_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')
LITERAL_TEXT = re.compile(r"'[^'\n]*'")
# The closing quotes of a multi-line text may be preceded by one or two quotes that belong to the text.
LONG_BASIC_TEXT = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL)
LONG_LITERAL_TEXT = re.compile(r"'''.*?'{3,5}", re.DOTALL)


class Places:
    """The lines of one text."""

    def __init__(self, text: str) -> None:
        self._lines = _Scanner(text).scan()

    def line(self, path: Path) -> int:
        """The line of the key or element, else of the nearest thing around it; 1 for the file itself."""
        for length in range(len(path), 0, -1):
            found = self._lines.get(path[:length])
            if found is not None:
                return found
        return 1

    def __contains__(self, path: object) -> bool:
        return path in self._lines


class _Lost(Exception):
    """The text goes on in a way that the scanner does not know."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        """How many elements each array of tables has so far."""

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        try:
            while self._skip(SPACE_AND_LINES) < len(self._text):
                if self._text.startswith("[", self._at):
                    table = self._header()
                else:
                    self._pair(table)
        except (_Lost, RecursionError):
            return self._lines
        return self._lines

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Lost
        self._at = match.end()
        return match[0]

    def _accept(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise _Lost

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _header(self) -> Path:
        line = self._here()
        is_array = self._accept("[[")
        if not is_array:
            self._expect("[")
        keys = self._key()
        self._expect("]]" if is_array else "]")
        path: Path = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            self._lines.setdefault(path, line)
            if is_array and number == len(keys) - 1:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = table
        for key in self._key():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._expect("=")
        self._skip(SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(SPACE)
            parts.append(self._key_part())
            self._skip(SPACE)
            if not self._accept("."):
                return parts

    def _key_part(self) -> str:
        if self._text.startswith("'", self._at):
            return self._take(LITERAL_TEXT)[1:-1]
        if not self._text.startswith('"', self._at):
            return self._take(BARE_KEY)
        quoted = self._take(BASIC_TEXT)
        if "\\" not in quoted:
            return quoted[1:-1]
        try:
            return str(tomli.loads(f"key = {quoted}")["key"])
        except tomli.TOMLDecodeError as refused:
            raise _Lost from refused

    def _value(self, path: Path) -> None:
        if self._accept("["):
            self._array(path)
        elif self._accept("{"):
            self._inline_table(path)
        else:
            self._take(self._scalar_pattern())

    def _scalar_pattern(self) -> re.Pattern[str]:
        for sign, pattern in (
            ('"""', LONG_BASIC_TEXT),
            ("'''", LONG_LITERAL_TEXT),
            ('"', BASIC_TEXT),
            ("'", LITERAL_TEXT),
        ):
            if self._text.startswith(sign, self._at):
                return pattern
        return SCALAR

    def _array(self, path: Path) -> None:
        index = 0
        while True:
            self._skip(SPACE_AND_LINES)
            if self._accept("]"):
                return
            self._lines.setdefault((*path, index), self._here())
            self._value((*path, index))
            index += 1
            self._skip(SPACE_AND_LINES)
            if not self._accept(","):
                self._expect("]")
                return

    def _inline_table(self, path: Path) -> None:
        while True:
            self._skip(SPACE_AND_LINES)
            if self._accept("}"):
                return
            self._pair(path)
            self._skip(SPACE_AND_LINES)
            if not self._accept(","):
                self._expect("}")
                return
