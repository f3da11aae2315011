"""Reading a text as something else: a number, a day or moment, a yes or no, or a text to compare.

A reading that fails is a `NotComparable` that says why, in an admin's words. Nothing here raises, whatever
the text, and nothing is slow: lengths are checked before anything is parsed.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

from msgspec import Struct

MOST_NUMBER_CHARACTERS = 100
MOST_NUMBER_BITS = 1_000

YES = frozenset({"true", "yes", "oui", "vrai", "on", "1"})
NO = frozenset({"false", "no", "non", "faux", "off", "0"})

_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})
_SIGNS = str.maketrans({"\u2212": "-"})
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]{1,3}(?: [0-9]{3})+|[0-9]+)?(?:(?P<separator>[.,])(?P<part>[0-9]+))?"
)
_NUMBER_SHAPED = re.compile(r"[+-]?[0-9.,][0-9., ]*")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}")
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,](?P<fraction>[0-9]{1,9}))?"
    r" ?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.IGNORECASE,
)


class NotComparable(Struct, frozen=True):
    """Two sides cannot be compared, so the test does not hold."""

    why: str


class Day(Struct, frozen=True):
    """A day in the tenant's zone and, where a time was given, the moment in UTC."""

    day: date
    moment: datetime | None = None


def quoted(text: str) -> str:
    """A text inside a sentence: short, on one line, without control signs."""
    clean = "".join(sign if sign.isprintable() else " " for sign in text[:60])
    return f"“{clean[:39]}…”" if len(text) > 40 else f"“{clean}”"


def clean(text: str) -> str:
    """One form for texts that look the same: plain spaces, none around, composed accents."""
    return unicodedata.normalize("NFC", text.translate(_SPACES).strip())


def fold(cleaned: str) -> str:
    """A cleaned text without regard to case."""
    return unicodedata.normalize("NFC", cleaned.casefold())


def read_plain_number(cleaned: str) -> Decimal | None:
    """A number written in the one way that leaves no doubt: `10`, `-2.5`; never `007`, `+1` or `1e5`."""
    if len(cleaned) > MOST_NUMBER_CHARACTERS or _PLAIN_NUMBER.fullmatch(cleaned) is None:
        return None
    return Decimal(cleaned)


def is_number_shaped(cleaned: str) -> bool:
    """Only digits, separators, spaces and a sign: meant as a number, readable or not."""
    signed = cleaned[:MOST_NUMBER_CHARACTERS].translate(_SIGNS)
    return _NUMBER_SHAPED.fullmatch(signed) is not None and any(sign.isdigit() for sign in signed)


def read_number(cleaned: str) -> Decimal | NotComparable:
    """A number as people write it: spaces between thousands, a decimal point or comma.

    `1,234` is refused, because it is 1.234 to some and 1234 to others. So are a point and a comma together.
    """
    if len(cleaned) > MOST_NUMBER_CHARACTERS:
        return NotComparable(f"{quoted(cleaned)} is too long to be a number")
    match = _NUMBER.fullmatch(cleaned.translate(_SIGNS))
    if match is None or (match["whole"] is None and match["part"] is None):
        return NotComparable(_why_no_number(cleaned))
    whole, part = match["whole"] or "0", match["part"]
    if match["separator"] == "," and len(part) == 3 and _THOUSANDS.fullmatch(whole):
        return NotComparable(f"{quoted(cleaned)} may mean {whole}.{part} or {whole}{part}")
    digits = whole.replace(" ", "")
    return Decimal(f"{match['sign']}{digits}.{part}" if part else f"{match['sign']}{digits}")


def _why_no_number(cleaned: str) -> str:
    if not is_number_shaped(cleaned):
        return f"{quoted(cleaned)} is not a number"
    if "," in cleaned and "." in cleaned:
        return f"{quoted(cleaned)} has both a comma and a point"
    if max(cleaned.count(","), cleaned.count(".")) > 1:
        return f"{quoted(cleaned)} has more than one comma or point"
    return f"{quoted(cleaned)} has its spaces or its separator in the wrong place for a number"


def read_day(cleaned: str, zone: tzinfo) -> Day | None:
    """An ISO 8601 date, or date and time; without an offset the time is the tenant's own."""
    match = _ISO.fullmatch(cleaned)
    if match is None:
        return None
    try:
        if match["clock"] is None:
            return Day(date.fromisoformat(match["day"]))
        return _moment(match, zone)
    except (ValueError, OverflowError):
        return None  # the 30th of February, 25 o'clock, or a moment outside the calendar


def _moment(match: re.Match[str], zone: tzinfo) -> Day:
    microseconds = (match["fraction"] or "0").ljust(6, "0")[:6]
    local = datetime.fromisoformat(f"{match['day']}T{match['clock']}")
    local = local.replace(microsecond=int(microseconds), tzinfo=_offset(match["offset"]) or zone)
    moment = local.astimezone(UTC)
    return Day(moment.astimezone(zone).date(), moment)


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text in ("Z", "z"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-shift if text[0] == "-" else shift)


def read_boolean(folded: str) -> bool | None:
    if folded in YES:
        return True
    return False if folded in NO else None
