"""The wording of a subject: filled once, in one line, whatever the values hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.call_logs import DEFAULT_SUBJECT
from router.core.call_subjects import (
    MOST_CHARACTERS,
    PLACEHOLDERS,
    has_stray_brace,
    unknown_placeholders,
    worded,
)

VALUES = {
    "caller": "+41791234567",
    "called": "+41445550001",
    "name": "Anna Muster",
    "destination": "queue gold",
    "rule": "Sales",
    "ending": "missed",
    "direction": "Inbound",
}


@pytest.mark.parametrize(
    ("wording", "subject"),
    [
        (DEFAULT_SUBJECT, "Inbound call from +41791234567 (missed)"),
        ("{name}: {destination}, {rule}, {called}", "Anna Muster: queue gold, Sales, +41445550001"),
        ("no placeholder", "no placeholder"),
        ("{caller}{caller}", "+41791234567+41791234567"),
        ("{nobody} {} {{name}} {caller.__class__} {0}", "{nobody} {} {Anna Muster} {caller.__class__} {0}"),
        ("two\nlines\tof {name}", "two lines of Anna Muster"),
        ("100 % of {name!r}", "100 % of {name!r}"),
    ],
)
def test_wordings(wording: str, subject: str) -> None:
    assert worded(wording, VALUES) == subject


def test_the_values_are_those_that_the_check_knows() -> None:
    assert tuple(VALUES) == PLACEHOLDERS


def test_a_caller_named_like_a_placeholder_is_a_caller_of_that_name() -> None:
    hostile = VALUES | {"name": "{rule} {destination}\r\nBcc: x", "rule": "{name}"}

    assert worded("{name} / {rule}", hostile) == "{rule} {destination} Bcc: x / {name}"


@given(st.text(), st.dictionaries(st.sampled_from(PLACEHOLDERS), st.text()))
def test_a_subject_is_one_short_line_whatever_it_is_made_of(wording: str, values: dict[str, str]) -> None:
    subject = worded(wording, values)

    assert subject.isprintable()
    assert len(subject) <= MOST_CHARACTERS


def test_what_is_no_placeholder_is_named() -> None:
    assert unknown_placeholders("{caller} {colour} {} {Caller} {name!r}") == [
        "colour",
        "",
        "Caller",
        "name!r",
    ]
    assert unknown_placeholders(DEFAULT_SUBJECT) == []


@pytest.mark.parametrize(
    ("wording", "is_stray"), [("{caller", True), ("} {name}", True), ("{name} {x}", False)]
)
def test_a_brace_alone_is_noticed(wording: str, is_stray: bool) -> None:
    assert has_stray_brace(wording) is is_stray
