"""A tenant's target and the place that a template makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.destinations import Destination, DestinationKind, Target, is_option, parse_place, place_of
from router.core.errors import UnknownDestination
from tests.core.makers import ACME, TEMPLATES


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (Target(DestinationKind.QUEUE, "gold"), "route-queue,gold,1"),
        (Target(DestinationKind.PLAYBACK, "acme/closed"), "route-playback,acme/closed,1"),
        (Target(DestinationKind.EXTERNAL, "+41791234567"), "route-external,+41791234567,1"),
        (Target(DestinationKind.QUEUE, "gold", voicemail=True), "route-voicemail,gold,1"),
        (Target(DestinationKind.HANGUP), "route-hangup,s,1"),
        (Target(DestinationKind.HANGUP, "whatever, it is"), "route-hangup,s,1"),
    ],
)
def test_a_target_fills_the_template_of_its_kind(target: Target, place: str) -> None:
    assert str(place_of(target, TEMPLATES, ACME)) == place


@pytest.mark.parametrize(
    "option",
    [
        "",
        " ",
        "a b",
        "a,b",
        "${SHELL(x)}",
        "a&b",
        "a|b",
        "../etc/passwd",
        "a..b",
        "-a",
        "/a",
        "a\n",
        "é",
        "x" * 65,
    ],
)
def test_an_option_that_could_lead_elsewhere_is_refused(option: str) -> None:
    with pytest.raises(UnknownDestination, match="cannot be the option"):
        place_of(Target(DestinationKind.QUEUE, option), TEMPLATES, ACME)


def test_a_kind_without_a_template_is_refused() -> None:
    with pytest.raises(UnknownDestination, match="no template for destination kind conference"):
        place_of(Target(DestinationKind.CONFERENCE, "board"), TEMPLATES, ACME)


def test_a_template_that_makes_no_place_is_refused() -> None:
    with pytest.raises(UnknownDestination, match="not a dialplan place"):
        place_of(Target(DestinationKind.QUEUE, "gold"), {DestinationKind.QUEUE: "queues,{option}"}, ACME)


@given(st.text(st.characters()))
def test_whatever_the_option_says_the_call_stays_in_its_templates_context(option: str) -> None:
    try:
        place = place_of(Target(DestinationKind.QUEUE, option), TEMPLATES, ACME)
    except UnknownDestination:
        assert not is_option(option)
    else:
        assert (place.context, place.exten, place.priority) == ("route-queue", option, 1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("route-queue,gold,1", Destination("route-queue", "gold", 1)),
        ("ext-queues,4000,12", Destination("ext-queues", "4000", 12)),
        ("route-queue,gold", None),
        ("route-queue,gold,0", None),
        ("route-queue,gold,n", None),
        ("route-queue,gold,1\n", None),
        ("route queue,gold,1", None),
        ("a,b,c,1", None),
        ("", None),
    ],
)
def test_a_place_is_read_whole_or_not_at_all(text: str, place: Destination | None) -> None:
    assert parse_place(text) == place


def test_a_target_reads_as_an_admin_would_say_it() -> None:
    assert str(Target(DestinationKind.RING_GROUP, "sales")) == "ring_group sales"
    assert str(Target(DestinationKind.QUEUE, "gold", voicemail=True)) == "voicemail of queue gold"
    assert str(Target(DestinationKind.HANGUP)) == "hangup"
