"""A caller's number as CRMs want it asked, and the comparison that none of them can be trusted with.

CRMs keep numbers as people typed them, and match them loosely or not at all. So a connector asks by the
spellings that its CRM needs, and then keeps only the records of which a number really is the caller's.
"""

import re
from collections.abc import Iterable
from typing import Any

from router.core.lookups import AskedBy
from router.core.numbers import has_number, national_digits, spellings
from workers.connectors.steps import Question

_SHORT = re.compile(r"[0-9]{2,15}")


class Phone:
    """The number that a question is about: the caller's."""

    def __init__(self, question: Question) -> None:
        caller = question.job.caller
        self.e164 = caller.e164
        self.country = question.country
        compact = _compact(caller.received)
        self.received: str = caller.e164 or (compact if _SHORT.fullmatch(compact) else "")

    @property
    def is_askable(self) -> bool:
        """Whether a CRM can be asked for it at all: a number, or an internal one of digits only."""
        return bool(self.received)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The most likely first: E.164, as dialled at home, as people write it, with 00, digits only."""
        if self.e164 is None:
            return (self.received,)
        return spellings(self.e164, self.country)

    @property
    def digits(self) -> str:
        """With the country code: `33639980001`."""
        return "".join(sign for sign in self.received if sign in "0123456789")

    @property
    def national(self) -> str:
        """Without country code and trunk prefix: `639980001`, which every spelling contains."""
        return national_digits(self.e164) if self.e164 else self.digits

    @property
    def like_pattern(self) -> str:
        """For LIKE of SQL: the national digits with anything around them, `%6%3%9%9%8%0%0%0%1%`."""
        return "%" + "%".join(self.national) + "%"

    @property
    def tails(self) -> tuple[str, ...]:
        """The last four digits as people group them: `0001`, `00 01`, `00.01`, `00-01`.

        For a CRM that can look for a part of what is stored; every usual spelling has one of them.
        """
        last = self.national[-4:]
        if len(last) < 4:
            return (last,)
        return (last, *(f"{last[:2]}{sign}{last[2:]}" for sign in (" ", ".", "-")))

    def is_one_of(self, stored: Iterable[Any]) -> bool:
        """Whether any of these stored texts is this number."""
        return any(self.is_in(text) for text in stored if isinstance(text, str) and text.strip())

    def is_in(self, text: str) -> bool:
        if self.e164 is None:
            return self.is_askable and _compact(text) == self.received
        return has_number(text, self.e164, self.country)


def is_by_number(question: Question) -> bool:
    return question.job.key.by is AskedBy.NUMBER


def is_exactly(stored: Any, digits: str) -> bool:
    """Whether a record's field is what the caller keyed: nothing more and nothing less.

    A number has lost its leading zeros, and spaces that people put between digits do not count.
    """
    if isinstance(stored, bool) or stored is None:
        return False
    if isinstance(stored, int):
        return str(stored) == (digits.lstrip("0") or "0")
    if isinstance(stored, float):
        return stored.is_integer() and str(int(stored)) == (digits.lstrip("0") or "0")
    return "".join(str(stored).split()) == digits


def _compact(text: str) -> str:
    return "".join(sign for sign in text if sign not in " \u00a0\u202f.-/()")
