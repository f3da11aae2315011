"""Values as a person reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.display import one_line, shown
from router.core.lookups import Value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (5, "5"),
        (5.5, "5.5"),
        ("  gold  ", "gold"),
        ("two\r\nlines", "two lines"),
        ("à la carte", "à la carte"),
        ("हिन्दी ภาษาไทย", "हिन्दी ภาษาไทย"),
        (["a", None, True, 3], "a, , yes, 3"),
        (2**5000, "a number too large to show"),
    ],
)
def test_a_value_is_shown(value: Value, text: str) -> None:
    assert shown(value) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert one_line("x" * 500) == "x" * 119 + "…"
    assert one_line("x" * 120) == "x" * 120


@given(st.text(st.characters()) | st.lists(st.text(st.characters())))
def test_whatever_a_crm_sends_one_printable_line_is_shown(value: Value) -> None:
    text = shown(value)

    assert text.isprintable()
    assert len(text) <= 120
    text.encode()
