"""What is set on a channel when its call is moved."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import events
from router.core.actions import Move
from router.core.destinations import Destination, DestinationKind, Target
from router.core.events import CallParked
from router.core.lookups import Answer, Asked, CacheState
from router.core.moves import channel_link, channel_text
from router.core.plans import TenantPlan
from router.core.rules import Greeting, Outcome
from tests.core.makers import (
    GREETING,
    after,
    begin,
    found,
    greeting_plan,
    line,
    only,
    parked,
    plan,
    queue,
    record,
)

WON = events.ClaimAnswered(1, is_won=True)
HOSTILE = st.text(st.characters(), max_size=400) | st.lists(
    st.sampled_from(
        ["\r\n", "\0", "${SHELL(id)}", "$[1+1]", ",", "|", ";", '"', "\\", "<x>", "ü", "\ud800", " "]
    )
).map("".join)


def move(plan: TenantPlan, answer: Answer | None, event: CallParked | None = None) -> Move:
    call, _ = begin(plan, event or parked())
    news = (events.LookupAnswered(1, Asked(CacheState.MISSING, answer)),) if answer else ()
    return only(Move, after(call, *news, WON)[1])


def variables(plan: TenantPlan, answer: Answer | None) -> dict[str, str]:
    return dict(move(plan, answer).variables)


def test_a_decided_call_carries_its_destination_and_what_the_agent_wants_to_see() -> None:
    known = record("Gold ★", name="Anna Müller", link="https://crm.example/7?tab=calls")
    lines = (line("starts with", "gold", to="gold", queue_priority=5),)

    moved = move(plan(lines=lines), found(known))

    assert moved.place == Destination("route-land", "s")
    assert dict(moved.variables) == {
        "ROUTE_TO": "route-queue,gold,1",
        "ROUTE_OPTION": "gold",
        "ROUTE_OUTCOME": "found",
        "ROUTE_VALUE": "Gold",
        "ROUTE_CONTACT": "Anna Müller",
        "ROUTE_LINK": "https://crm.example/7?tab=calls",
        "QUEUE_PRIO": "5",
    }


def test_a_caller_whom_the_crm_does_not_know_carries_no_contact() -> None:
    assert variables(plan(), Answer(Outcome.NOT_FOUND)) == {
        "ROUTE_TO": "route-queue,desk,1",
        "ROUTE_OPTION": "desk",
        "ROUTE_OUTCOME": "not_found",
    }


def test_the_default_brings_its_own_option_when_it_stands_in() -> None:
    lines = (line("=", "gold", destination=DestinationKind.CONFERENCE, option="board"),)

    moved = variables(plan(lines=lines), found())

    assert (moved["ROUTE_TO"], moved["ROUTE_OPTION"]) == ("route-queue,desk,1", "desk")


def test_an_option_that_its_template_does_not_need_is_not_set_unread() -> None:
    """The option of a hangup is no part of its place, so nothing else has looked at it."""
    lines = (line("=", "gold", destination=DestinationKind.HANGUP, option="x\r\nAction: Originate"),)

    moved = variables(plan(lines=lines), found())

    assert (moved["ROUTE_TO"], moved["ROUTE_OPTION"]) == ("route-hangup,s,1", "")


@pytest.mark.parametrize(
    ("then", "place"),
    [
        pytest.param(queue("after"), ("route-queue,after,1", "after"), id="named"),
        pytest.param(None, None, id="not named: the armed fallback"),
        pytest.param(
            Target(DestinationKind.CONFERENCE, "board"), None, id="out of reach: the armed fallback"
        ),
    ],
)
def test_a_playback_goes_on_to_another_destination(
    then: Target | None, place: tuple[str, str] | None
) -> None:
    lines = (line("=", "gold", destination=DestinationKind.PLAYBACK, option="acme/closed", then=then),)

    moved = variables(plan(lines=lines), found())

    assert moved["ROUTE_TO"] == "route-playback,acme/closed,1"
    assert (moved.get("ROUTE_THEN"), moved.get("ROUTE_THEN_OPTION")) == (place or (None, None))


def test_only_a_playback_goes_on() -> None:
    lines = (line("=", "gold", then=queue("after")),)

    assert "ROUTE_THEN" not in variables(plan(lines=lines), found())


@pytest.mark.parametrize(("ends_with_last_digit", "stop"), [(True, "1"), (False, "0")])
def test_a_greeting_is_told_how_to_read_the_digits(ends_with_last_digit: bool, stop: str) -> None:
    greeting = Greeting("acme/hello", 3, 8, 5, 2, ends_with_last_digit)

    moved = move(greeting_plan(greeting), None, parked(entry="account"))

    assert moved.place == Destination("route-ask", "s")
    assert dict(moved.variables) == {
        "ROUTE_ASK_SOUND": "acme/hello",
        "ROUTE_ASK_MIN": "3",
        "ROUTE_ASK_MAX": "8",
        "ROUTE_ASK_SECONDS": "5",
        "ROUTE_ASK_TRIES": "2",
        "ROUTE_ASK_STOP": stop,
    }


def test_a_greeting_is_set_before_any_digit_was_keyed() -> None:
    assert (
        dict(move(greeting_plan(GREETING), None, parked(entry="account")).variables)["ROUTE_ASK_MIN"] == "4"
    )


@given(value=HOSTILE, name=HOSTILE, link=HOSTILE | HOSTILE.map(lambda text: f"https://{text}"))
def test_nothing_that_a_crm_sends_is_more_than_text_on_a_channel(value: Any, name: str, link: str) -> None:
    moved = move(plan(default=queue("desk")), found(record(value, name=name, link=link)))

    for variable, text in moved.variables:
        assert not set(text) & set('\r\n\0${}[]"\\;|<>'), variable
        assert "," not in text or variable == "ROUTE_TO"
        assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)
        assert len(text.encode()) <= 600


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Ångström",
        "Łukasz Żółć",
        "Владимир",
        "Ελένη",
        "山田太郎",
        "김민준",
        "हिन्दी",
        "ภาษาไทยที่",
        "עִבְרִית",
        "العَرَبِيَّة",
    ],
)
def test_letters_of_every_script_stay_with_their_marks(text: str) -> None:
    assert channel_text(text) == unicodedata.normalize("NFC", text)


def test_a_text_is_cut_between_letters() -> None:
    assert channel_text("é" * 500) == "é" * 200
    assert len(channel_text("😀山" * 300).encode()) <= 600


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("https://crm.example/a?b=c&d=%20#e", "https://crm.example/a?b=c&d=%20#e"),
        ("http://crm.example/id={7},~x", "http://crm.example/id=%7B7%7D%2C%7Ex"),
        ("https://crm.example/\r\nzoë", "https://crm.example/%0D%0Azo%C3%AB"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("https://crm.example/" + "x" * 600, ""),
        ("", ""),
    ],
)
def test_a_link_is_a_whole_web_address_or_nothing(link: str, text: str) -> None:
    assert channel_link(link) == text
