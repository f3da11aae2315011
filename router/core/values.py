"""One side of a comparison: a value of the CRM, a fact of the call, or what a rule's line says.

A `Side` is made once for each value and evaluation, and reads itself as a text, number, day or boolean when a
test first asks for it. Its `kind` is what the CRM's own type says; the declared type is the test's business.
"""

from collections.abc import Callable
from datetime import tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Generic, TypeVar

from router.core.readings import (
    MOST_NUMBER_BITS,
    Day,
    NotComparable,
    clean,
    fold,
    quoted,
    read_boolean,
    read_day,
    read_number,
    read_plain_number,
)

# Plain integers, because they index a test's judges for every line of a rule.
EMPTY: Final = 0  # null, a missing field, no text but space, a list without anything in it
TEXT: Final = 1
NUMBER: Final = 2
BOOLEAN: Final = 3
LIST: Final = 4
OTHER: Final = 5  # an object, a list in a list, a number of hundreds of digits
NO_RECORD: Final = 6  # the look-up brought no record to read the field from
KINDS: Final = 7


def kind_of(value: Any) -> int:
    match value:
        case None:
            return EMPTY
        case bool():
            return BOOLEAN
        case int():
            return NUMBER if value.bit_length() <= MOST_NUMBER_BITS else OTHER
        case float():
            return NUMBER if isfinite(value) else TEXT
        case str():
            return TEXT if value.strip() else EMPTY
        case list() | tuple():
            return LIST if any(kind_of_item(item) != EMPTY for item in value) else EMPTY
    return OTHER


def kind_of_item(value: Any) -> int:
    """As `kind_of`, and a list in a list is no list of anything."""
    return OTHER if isinstance(value, list | tuple) else kind_of(value)


Read = TypeVar("Read")


class reading(Generic[Read]):  # noqa: N801 - used as a decorator
    """A property read once: `functools.cached_property` without the lock that slows it in Python 3.11."""

    def __init__(self, read: "Callable[[Side], Read]") -> None:
        self._read = read
        self._name = read.__name__

    def __get__(self, side: "Side", _: type["Side"]) -> Read:
        value = side.__dict__[self._name] = self._read(side)
        return value


class Side:
    """A value, and what it reads as. The readings are made at first use and kept."""

    def __init__(self, value: Any, zone: tzinfo, kind: int | None = None) -> None:
        self.value = value
        self.kind = kind_of(value) if kind is None else kind
        self._zone = zone

    @reading
    def clean(self) -> str:
        """As text, with its case: what a pattern is matched against."""
        match self.value:
            case str():
                return clean(self.value)
            case bool():
                return "true" if self.value else "false"
            case int() | float() if self.kind in (NUMBER, TEXT):
                text = str(self.value)
                return text.removesuffix(".0")
        return ""

    @reading
    def encoded(self) -> bytes:
        """The clean text in UTF-8; an unpaired surrogate, which has no such form, becomes a question mark."""
        return self.clean.encode("utf-8", "replace")

    @reading
    def text(self) -> str:
        """As text, regardless of case."""
        return fold(self.clean)

    @reading
    def key(self) -> Decimal | str:
        """What equals what when no type is declared: plain numbers by their worth, all else by text."""
        if self.kind == NUMBER:
            number = self.number
            return number if isinstance(number, Decimal) else self.text
        plain = read_plain_number(self.clean) if self.kind == TEXT else None
        return self.text if plain is None else plain

    @reading
    def number(self) -> Decimal | NotComparable:
        if self.kind == TEXT:
            return read_number(self.clean)
        if self.kind == NUMBER:
            # repr, not the binary expansion: 0.1 from JSON is meant as 0.1.
            return Decimal(repr(self.value) if isinstance(self.value, float) else self.value)
        return NotComparable(f"{self.described} is not a number")

    @reading
    def day(self) -> Day | NotComparable:
        read = read_day(self.clean, self._zone) if self.kind == TEXT else None
        return read or NotComparable(f"{self.described} is not a date")

    @reading
    def boolean(self) -> bool | NotComparable:
        if self.kind == BOOLEAN:
            return bool(self.value)
        read = read_boolean(self.text) if self.kind in (TEXT, NUMBER) else None
        return NotComparable(f"{self.described} is neither yes nor no") if read is None else read

    @reading
    def items(self) -> tuple["Side", ...]:
        """The members of a list; the value itself when it is none."""
        if self.kind != LIST:
            return (self,)
        return tuple(Side(item, self._zone, kind_of_item(item)) for item in self.value)

    @reading
    def described(self) -> str:
        """In a sentence that says why something cannot be compared."""
        if self.kind == BOOLEAN:
            return "yes" if self.value else "no"
        return quoted(self.clean) if self.kind in (TEXT, NUMBER) else "this value"
