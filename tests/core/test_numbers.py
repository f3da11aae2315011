from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.identities import E164
from router.core.numbers import (
    WITHHELD_NUMBERS,
    WITHHELD_WORDS,
    Caller,
    CallerKind,
    caller_key,
    spellings,
    understand_called,
    understand_caller,
)

# Factors: how the trunk writes the number (plus, 00, 011, trunk prefix, bare) and the tenant's country.
NUMBERS = [
    ("+33142345678", "FR", "+33142345678", "FR"),
    ("+33142345678", "US", "+33142345678", "FR"),
    ("+33142345678", "", "+33142345678", "FR"),
    ("++33142345678", "FR", "+33142345678", "FR"),
    ("0142345678", "FR", "+33142345678", "FR"),
    ("142345678", "FR", "+33142345678", "FR"),
    ("33142345678", "FR", "+33142345678", "FR"),
    ("33142345678", "GB", "+33142345678", "FR"),
    ("33142345678", "US", "+33142345678", "FR"),
    ("33142345678", "", "+33142345678", "FR"),
    ("0033142345678", "FR", "+33142345678", "FR"),
    ("0033142345678", "US", "+33142345678", "FR"),
    ("01133142345678", "US", "+33142345678", "FR"),
    ("01133142345678", "FR", "+33142345678", "FR"),
    ("001133142345678", "AU", "+33142345678", "FR"),
    ("2125551234", "US", "+12125551234", "US"),
    ("12125551234", "US", "+12125551234", "US"),
    ("12125551234", "FR", "+12125551234", "US"),
    ("4165550123", "US", "+14165550123", "CA"),
    ("02079460000", "GB", "+442079460000", "GB"),
    ("0612345678", "IT", "+390612345678", "IT"),
    ("612345678", "ES", "+34612345678", "ES"),
    ("5511987654321", "BR", "+5511987654321", "BR"),
    ("4915123456789", "DE", "+4915123456789", "DE"),
    ("261234", "NC", "+687261234", "NC"),
    ("+80012345678", "FR", "+80012345678", ""),
    ("+33 (0)1 42-34.56/78", "FR", "+33142345678", "FR"),
]

# Digits that are a number both ways: the tenant's own country comes first.
BOTH_WAYS = [
    ("33142345678", "DE", "+4933142345678"),
    ("15123456789", "DE", "+4915123456789"),
    ("298123456", "FR", "+33298123456"),
    ("266696687", "PT", "+351266696687"),
]

# Ranges that no table knows, of the right length.
UNKNOWN_RANGES = [("0999999999", "FR", "+33999999999"), ("5551234567", "US", "+15551234567")]

OTHERS = [
    ("1001", "FR", CallerKind.SHORT),
    ("3900", "FR", CallerKind.SHORT),
    ("112", "FR", CallerKind.SHORT),
    ("0", "FR", CallerKind.SHORT),
    ("301234", "DE", CallerKind.SHORT),
    ("00-01-011", "DE", CallerKind.SHORT),  # not +49001011, which is read as another number
    ("26123", "NC", CallerKind.SHORT),
    ("5551234", "US", CallerKind.SHORT),
    ("*123", "FR", CallerKind.SHORT),
    ("#31#", "FR", CallerKind.SHORT),
    ("MyBank", "FR", CallerKind.ALPHANUMERIC),
    ("1800FLOWERS", "US", CallerKind.ALPHANUMERIC),
    ("ａｂｃ", "FR", CallerKind.ALPHANUMERIC),
    ("+1", "FR", CallerKind.UNUSABLE),
    ("33+1", "FR", CallerKind.UNUSABLE),
    ("99999999999", "FR", CallerKind.UNUSABLE),
    ("1" * 40, "FR", CallerKind.UNUSABLE),
    ("+" + "9" * 39, "DE", CallerKind.UNUSABLE),
    ("#31#0612345678", "FR", CallerKind.UNUSABLE),
    ("٠١٤٢٣٤٥٦٧٨", "FR", CallerKind.UNUSABLE),
    ("0142345678", "", CallerKind.UNUSABLE),
    ("0142345678", "ZZ", CallerKind.UNUSABLE),
]


@pytest.mark.parametrize(("received", "country", "e164", "region"), NUMBERS)
def test_number_is_understood(received: str, country: str, e164: str, region: str) -> None:
    caller = understand_caller(received, "allowed_not_screened", country, "Ann")

    assert caller == Caller(received, CallerKind.NUMBER, E164(e164), region, "Ann")
    assert understand_called(received, country) == e164


@pytest.mark.parametrize(("received", "country", "e164"), BOTH_WAYS)
def test_own_country_comes_before_a_missing_plus(received: str, country: str, e164: str) -> None:
    assert understand_caller(received, "allowed", country).e164 == e164


@pytest.mark.parametrize(("received", "country", "e164"), UNKNOWN_RANGES)
def test_unknown_range_of_own_country_is_a_number(received: str, country: str, e164: str) -> None:
    assert understand_caller(received, "allowed", country).e164 == e164


@pytest.mark.parametrize(("received", "country", "kind"), OTHERS)
def test_other_than_a_number(received: str, country: str, kind: CallerKind) -> None:
    assert understand_caller(received, "allowed", country) == Caller(received, kind)


def withheld() -> Iterator[tuple[str, str]]:
    yield from ((word, "allowed") for word in sorted(WITHHELD_WORDS))
    yield from ((number, "allowed") for number in sorted(WITHHELD_NUMBERS))
    yield from (("", "allowed"), ("   ", ""), ("Anonymous", "allowed"), ("ANONYMOUS", ""))
    yield from (("0000000000", "allowed"), ("00", "allowed"), ("+", "allowed"), ("+000", "allowed"))
    for presentation in ("prohib", "prohib_not_screened", "prohib_passed_screen", "unavailable", " PROHIB"):
        yield "+33142345678", presentation


@pytest.mark.parametrize(("received", "presentation"), list(withheld()))
def test_withheld(received: str, presentation: str) -> None:
    caller = understand_caller(received, presentation, "FR")

    assert caller.kind is CallerKind.WITHHELD
    assert caller.e164 is None
    assert not caller.country


@pytest.mark.parametrize(
    ("received", "key"),
    [
        ("01 42 34 56 78", "+33142345678"),
        ("Anonymous", "withheld"),
        ("withheld", "withheld"),
        ("ACME Sales", "acmesales"),
        ("10-01", "1001"),
        ("", "withheld"),
    ],
)
def test_caller_is_found_again_by_one_key(received: str, key: str) -> None:
    assert caller_key(understand_caller(received, "allowed", "FR")) == key


@pytest.mark.parametrize("number", sorted(WITHHELD_NUMBERS))
def test_placeholder_is_nobodys_number(number: str) -> None:
    assert not phonenumbers.is_valid_number(phonenumbers.parse(number, None))


@pytest.mark.parametrize(
    ("received", "country", "called"),
    [
        ("1000", "FR", "1000"),
        ("support", "FR", "support"),
        ("*98", "FR", "*98"),
        ("01 42 34 56 78", "FR", "+33142345678"),
        ("", "FR", ""),
        ("anonymous", "FR", "anonymous"),
    ],
)
def test_called(received: str, country: str, called: str) -> None:
    assert understand_called(received, country) == called


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        (
            "+33142345678",
            "FR",
            (
                "+33142345678",
                "0142345678",
                "01 42 34 56 78",
                "+33 1 42 34 56 78",
                "0033142345678",
                "33142345678",
            ),
        ),
        ("+33142345678", "US", ("+33142345678", "+33 1 42 34 56 78", "01133142345678", "33142345678")),
        (
            "+12125551234",
            "US",
            (
                "+12125551234",
                "2125551234",
                "(212) 555-1234",
                "+1 212-555-1234",
                "01112125551234",
                "12125551234",
            ),
        ),
        ("+33142345678", "", ("+33142345678", "+33 1 42 34 56 78", "0033142345678", "33142345678")),
        ("junk", "FR", ("junk",)),
    ],
)
def test_spellings(number: str, country: str, expected: tuple[str, ...]) -> None:
    assert spellings(E164(number), country) == expected


WITH_AN_EXAMPLE = [
    country
    for country in sorted(phonenumbers.SUPPORTED_REGIONS)
    if phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
]


@pytest.mark.parametrize("country", WITH_AN_EXAMPLE)
def test_spellings_of_every_country_lead_back_to_the_number(country: str) -> None:
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    number = E164(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))

    spelt = spellings(number, country)

    assert spelt[0] == number
    assert len(set(spelt)) == len(spelt)
    understood = [understand_caller(text, "allowed", country) for text in spelt]
    assert {caller.e164 for caller in understood} == {number}


@given(
    st.one_of(st.text(), st.text("0123456789+*#ABCabc ", max_size=45)),
    st.one_of(st.text(max_size=20), st.sampled_from(["allowed", "prohib", "unavailable"])),
    st.sampled_from(["FR", "US", "DE", "NC", "ZZ", "", "fr", "\ud800"]),
    st.text(max_size=20),
)
def test_anything_is_understood_as_one_kind(
    received: str, presentation: str, country: str, name: str
) -> None:
    caller = understand_caller(received, presentation, country, name)

    assert (caller.e164 is not None) is (caller.kind is CallerKind.NUMBER)
    assert caller.e164 is None or (
        caller.e164[0] == "+" and caller.e164[1:].isdigit() and len(caller.e164) <= 16
    )
    caller.received.encode()
    caller.name.encode()
    understand_called(received, country).encode()


@given(st.text("0123456789+", max_size=20), st.sampled_from(["FR", "US", "DE", ""]))
def test_what_is_understood_is_understood_again(received: str, country: str) -> None:
    called = understand_called(received, country)

    assert understand_called(called, country) == called
    assert called not in spellings(E164(called), country)[1:]
