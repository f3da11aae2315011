"""Telephone numbers and digits as SIP and AMI bring them, in any tenant's country."""

from collections.abc import Sequence

import phonenumbers

from router.core.numbers import (
    caller_key,
    has_number,
    spellings,
    understand_called,
    understand_caller,
)
from tests.fuzz.mutations import bend_text
from tests.fuzz.targets import Target
from tests.hostile.texts import TEXTS

COUNTRIES = ("", "FR", "CH", "DE", "US", "IT", "AC", "ZZ", *sorted(phonenumbers.SUPPORTED_REGIONS)[::23])


def read_number(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for country in COUNTRIES[:: 1 + len(data) % 3]:
        caller = understand_caller(text, text[:20], country, text)
        assert caller.e164 is None or (caller.e164[0] == "+" and caller.e164[1:].isdigit())
        assert caller.received.isprintable()
        assert caller.name.isprintable()
        caller_key(caller)
        called = understand_called(text, country)
        assert not set(called) & set("\r\n\0")
        if caller.e164 is not None:
            assert spellings(caller.e164, country)[0] == caller.e164
            assert has_number(caller.e164, caller.e164, country)
            has_number(text, caller.e164, country)


def _written() -> Sequence[bytes]:
    usual = (
        "+33142345001", "0142345001", "0033142345001", "33142345001", "+33 (0)1 42 34 50 01", "01.42.34.50.01",
        "+1 202-555-0143 ext. 12", "*21#", "anonymous", "+266696687", "112", "tel:+33142345001;phone-context=x",
        "06 39 98 00 01 / 06 39 98 00 02", "Alice <+33639980001>", "\u0660\u0661\u0662", "+", "00", "0" * 40,
    )  # fmt: skip
    return [text.encode("utf-8", "surrogateescape") for text in (*usual, *TEXTS) if "\ud800" not in text]


TARGETS = (Target("caller-number", "numbers and names of callers", read_number, _written, bend_text, 2_000),)
