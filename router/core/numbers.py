"""Telephone numbers: what was received, and what it means in the tenant's country.

A text is read in this order; the first reading that fits is taken:

1. nothing, a presentation that forbids it, or a carrier's token for "no number": withheld
2. a plus: international, when its length is possible (number ranges open faster than any table of them)
3. letters: alphanumeric; `*` or `#`: short
4. few digits: short, an extension or a service number. Six at most, fewer where a country's own numbers are
   that short
5. the international prefix of the tenant's country, or 00 or 011 in any: international
6. a valid number of the tenant's country: with its country code and no plus, with its trunk prefix, or bare
7. a valid international number that lacks its plus, as many trunks deliver it (`33142345678`)
8. as long as numbers of the tenant's country are, in a range that is not known: of the tenant's country
9. up to eight digits: short, such as a number without its area code; all else is unusable

Six comes before seven: where digits are valid both ways, callers of the tenant's own country are the more
likely. A trunk that always delivers a plus leaves no such doubt.
"""

import re
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from msgspec import Struct
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from router.core.identities import E164


class CallerKind(StrEnum):
    NUMBER = "number"
    WITHHELD = "withheld"
    SHORT = "short"
    """An internal or service number, with no E.164 form."""
    ALPHANUMERIC = "alphanumeric"
    UNUSABLE = "unusable"


class Caller(Struct, frozen=True, omit_defaults=True):
    """Who calls: as received, and as understood."""

    received: str
    kind: CallerKind
    e164: E164 | None = None
    country: str = ""
    """ISO 3166 code of the number, where it tells."""
    name: str = ""


WITHHELD_PRESENTATIONS = ("prohib", "unavailable")

# What SIP devices and carriers write where a number should be, folded, letters and digits only.
WITHHELD_WORDS = frozenset(
    """
    anonimo anonym anonyme anonymous anonymousanonymousinvalid anonymousinvalid asterisk blocked
    callerunknown desconocido hidden inconnu invalid masque na nocallerid none nonumber null privado
    privat private privatecaller privatenumber privato prive restricted sconosciuto suppressed
    unavailable unbekannt undefined unknown unknowncaller unknownnumber unterdrueckt withheld
    """.split()  # noqa: SIM905 - a list of words reads best as text
)

# ANONYMOUS, UNAVAILABLE, RESTRICTED, PRIVATE, UNKNOWN and BLOCKED keyed by a telephone's letters, behind a
# plus. Nobody has such a number; without the plus some do: 266 696 687 is in Évora.
WITHHELD_NUMBERS = frozenset(
    {"+266696687", "+86282452253", "+7378742833", "+7748283", "+8656696", "+2562533"}
)

_MOST_RECEIVED = 64
_MOST_WRITTEN = 200
_TRUNK_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
_EXTENSION = re.compile(r"(?i)[;,]?\s*(?:extension|ext|poste|post|app|x|#)\.?\s*[=:]?\s*\d{1,7}\s*$")
_BETWEEN_NUMBERS = re.compile(r"[/;,|\n]|\s+(?:or|ou|und|and|et)\s+", re.IGNORECASE)
KEPT_NUMBERS = 1024
"""Of those understood last: one call asks for the same ones again and again."""
_MOST_DIGITS = 40
_MOST_SHORT = 6
_MOST_LOCAL = 8
_MOST_SERVICE = 12
_MOST_E164 = 16
_WRITTEN_SIGNS = str.maketrans("", "", " \u00a0\u202f.-/()")
_INTERNATIONAL_PREFIXES = ("00", "011")


def understand_caller(received: str, presentation: str, country: str, name: str = "") -> Caller:
    """Who calls, from what the dialplan says. `country` is the tenant's; empty when no tenant is known."""
    shown, own_name = _printable(received), _printable(name)
    text = _compact(shown)
    if _is_withheld(text, presentation):
        return Caller(shown, CallerKind.WITHHELD, name=own_name)
    kind, e164, region = _understand(text, country)
    return Caller(shown, kind, e164, region, own_name)


def understand_called(received: str, country: str) -> str:
    """The number that was dialled: E.164 where it is one, else the text without spaces and separators."""
    text = _compact(_printable(received))
    return _understand(text, country)[1] or text


def caller_key(caller: Caller) -> str:
    """What a caller is found again by: E.164, `withheld`, or the text received without separators."""
    if caller.kind is CallerKind.WITHHELD:
        return caller.kind.value
    return caller.e164 or _compact(caller.received).casefold()


@lru_cache(maxsize=KEPT_NUMBERS)
def spellings(number: E164, country: str) -> tuple[str, ...]:
    """The ways in which a CRM may have written a number, the most likely first.

    National spellings are given only for numbers of the tenant's own country: elsewhere they are others'.
    """
    parsed = _parse(number, None)
    if parsed is None:
        return (number,)
    digits = number.removeprefix("+")
    spelt: list[str] = [number]
    if _is_of(parsed, country):
        national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        spelt += [_compact(national), national]
    spelt.append(phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL))
    spelt += [_international_prefix(country) + digits, digits]
    return tuple(dict.fromkeys(spelt))


def national_digits(number: E164) -> str:
    """The number without its country code and without a trunk prefix: `639980001` of +33639980001."""
    parsed = _parse(number, None)
    return phonenumbers.national_significant_number(parsed) if parsed else number.removeprefix("+")


def has_number(text: str, number: E164, country: str) -> bool:
    """Whether a text that people wrote holds this number, in whatever spelling.

    A number without its country code is read in the tenant's country. Extensions and words around it do not
    matter, nor does a second number beside it.
    """
    if text.isascii() and _understand(_compact(text), country)[1] == number:
        return True
    short = text[:_MOST_WRITTEN]
    # Written as +33 (0)6 …: the trunk prefix in brackets is none behind a country code.
    bare = _TRUNK_IN_BRACKETS.sub(" ", short) if short.lstrip().startswith(("+", "00")) else short
    if any(_understand(_compact(part), country)[1] == number for part in _parts(bare)):
        return True
    return any(
        phonenumbers.format_number(match.number, PhoneNumberFormat.E164) == number
        for match in phonenumbers.PhoneNumberMatcher(bare, country, phonenumbers.Leniency.POSSIBLE, 20)
    )


def _parts(text: str) -> list[str]:
    """The numbers of a field that holds several, each without its extension."""
    return [_EXTENSION.sub("", part) for part in _BETWEEN_NUMBERS.split(text)]


def _printable(text: str) -> str:
    return "".join(sign for sign in text[: _MOST_RECEIVED * 4] if sign.isprintable())[:_MOST_RECEIVED].strip()


def _compact(text: str) -> str:
    """Without the signs that only make a number readable."""
    return text.translate(_WRITTEN_SIGNS)


def _is_withheld(text: str, presentation: str) -> bool:
    if not text.strip("+") or presentation.strip().casefold().startswith(WITHHELD_PRESENTATIONS):
        return True
    if text in WITHHELD_NUMBERS or (len(text) > 1 and not text.strip("+0")):
        return True
    return "".join(sign for sign in text.casefold() if sign.isalnum()) in WITHHELD_WORDS


_Understood = tuple[CallerKind, E164 | None, str]


@lru_cache(maxsize=KEPT_NUMBERS)
def _understand(text: str, country: str) -> _Understood:
    has_plus, digits = text.startswith("+"), text.lstrip("+")
    if any(sign.isalpha() for sign in digits):
        return CallerKind.ALPHANUMERIC, None, ""
    if not (digits.isascii() and digits.isdigit()):
        return _service(text), None, ""
    if len(digits) > _MOST_DIGITS:
        return CallerKind.UNUSABLE, None, ""
    if has_plus:
        return _as_number(_possible(_parse(f"+{digits}", None)))
    if len(digits) <= _most_short(country):
        return CallerKind.SHORT, None, ""
    found = _as_number(_from_digits(digits, country))
    is_local = found[1] is None and len(digits) <= _MOST_LOCAL
    return (CallerKind.SHORT, None, "") if is_local else found


def _service(text: str) -> CallerKind:
    """`*123` or `#31#...`: a code for an exchange, not somebody's number."""
    is_code = bool(text) and all(sign in "0123456789*#" for sign in text) and len(text) <= _MOST_SERVICE
    return CallerKind.SHORT if is_code else CallerKind.UNUSABLE


def _from_digits(digits: str, country: str) -> PhoneNumber | None:
    for prefix in (_international_prefix(country), *_INTERNATIONAL_PREFIXES):
        if digits.startswith(prefix) and (found := _valid(_parse(f"+{digits.removeprefix(prefix)}", None))):
            return found
    national, international = _parse(digits, country), _valid(_parse(f"+{digits}", None))
    if international and _is_of(international, country) and _has_trunk_prefix(country):
        return international  # in Germany 4915123456789 is also valid as an area code and a very long number
    return _valid(national) or international or _possible(national)


def _as_number(parsed: PhoneNumber | None) -> _Understood:
    if parsed is None:
        return CallerKind.UNUSABLE, None, ""
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if len(e164) > _MOST_E164 or not _reads_as_itself(e164):
        return CallerKind.UNUSABLE, None, ""
    region = phonenumbers.region_code_for_number(parsed) or ""
    return CallerKind.NUMBER, E164(e164), region if region.isalpha() else ""


def _reads_as_itself(e164: str) -> bool:
    """Digits that only look like a number may be written as one that is then read as another."""
    parsed = _parse(e164, None)
    return parsed is not None and phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == e164


def _parse(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _valid(parsed: PhoneNumber | None) -> PhoneNumber | None:
    return parsed if parsed is not None and phonenumbers.is_valid_number(parsed) else None


def _possible(parsed: PhoneNumber | None) -> PhoneNumber | None:
    if parsed is None or phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    return parsed


def _is_of(parsed: PhoneNumber, country: str) -> bool:
    return parsed.country_code == phonenumbers.country_code_for_region(country)


def _has_trunk_prefix(country: str) -> bool:
    return bool(phonenumbers.ndd_prefix_for_region(country, True))


@lru_cache(maxsize=512)
def _international_prefix(country: str) -> str:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return "00"
    for prefix in (metadata.preferred_international_prefix, metadata.international_prefix):
        if prefix and prefix.isascii() and prefix.isdigit():
            return prefix
    return "00"


@lru_cache(maxsize=512)
def _most_short(country: str) -> int:
    """How many digits are at most a short number: fewer than the country's own numbers have."""
    example = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    if example is None:
        return _MOST_SHORT
    return min(_MOST_SHORT, len(phonenumbers.national_significant_number(example)) - 1)
