"""Numbers as people write them into a CRM, and whether one of them is the caller's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.identities import E164
from router.core.numbers import has_number, national_digits

ALICE = E164("+33639980001")
JANE = E164("+12025550143")
PARIS = E164("+33142345001")


@pytest.mark.parametrize(
    "written",
    [
        "+33639980001",
        "+33 6 39 98 00 01",
        "+33 (0)6 39 98 00 01",
        "+33(0)639980001",
        "+33.6.39.98.00.01",
        "0033639980001",
        "00 33 6 39 98 00 01",
        "0033 (0) 6 39 98 00 01",
        "33639980001",
        "0639980001",
        "06 39 98 00 01",
        "06.39.98.00.01",
        "06-39-98-00-01",
        "06/39/98/00/01",
        "(06) 39 98 00 01",
        "639980001",
        "06\u00a039\u00a098\u00a000\u00a001",
        "tel. 06 39 98 00 01",
        "06 39 98 00 01 (mobile)",
        "06 39 98 00 01 poste 12",
        "06 39 98 00 01 ext. 12",
        "06 39 98 00 01 x12",
        "06 39 98 00 01;ext=12",
        "01 42 34 50 01 / 06 39 98 00 01",
        "01 42 34 50 01, 06 39 98 00 01",
        "06 39 98 00 01 ou 01 42 34 50 01",
    ],
)
def test_a_french_number_in_every_spelling(written: str) -> None:
    assert has_number(written, ALICE, "FR")


@pytest.mark.parametrize(
    "written",
    [
        "(202) 555-0143",
        "202-555-0143",
        "202.555.0143",
        "1-202-555-0143",
        "+1 (202) 555-0143",
        "+1 202 555 0143 ext. 7",
        "12025550143",
    ],
)
def test_an_american_number_for_an_american_tenant(written: str) -> None:
    assert has_number(written, JANE, "US")


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "none",
        "+34639980001",  # the same national number in Spain
        "+33639980002",
        "+3363998000",
        "+3306399800011",
        "06399800011",
        "0639980001234",
        "99 06 39 98 00 01 99",
        "1",
        "9" * 500,
        "\x00",
    ],
)
def test_what_is_not_that_number(written: str) -> None:
    assert not has_number(written, ALICE, "FR")


def test_a_national_number_is_read_in_the_tenants_country() -> None:
    assert has_number("01 42 34 50 01", PARIS, "FR")
    assert not has_number("01 42 34 50 01", PARIS, "DE")
    assert has_number("+33 1 42 34 50 01", PARIS, "DE")


@given(st.text(max_size=250), st.sampled_from(("FR", "US", "IT", "")))
def test_no_text_makes_it_fail(written: str, country: str) -> None:
    has_number(written, ALICE, country)


@given(st.lists(st.sampled_from(" .-/()"), min_size=9, max_size=9))
def test_signs_between_the_digits_do_not_matter(signs: list[str]) -> None:
    written = "+33" + "".join(sign + digit for sign, digit in zip(signs, "639980001", strict=True))

    assert has_number(written.replace("/", " "), ALICE, "FR")


@pytest.mark.parametrize(
    ("number", "national"),
    [("+33639980001", "639980001"), ("+12025550143", "2025550143"), ("+390612345678", "0612345678")],
)
def test_national_digits(number: str, national: str) -> None:
    assert national_digits(E164(number)) == national
