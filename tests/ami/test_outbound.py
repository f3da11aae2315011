"""The gate: nothing that is sent can be more than the one action it was meant to be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panoramisk.actions import Action

from router.ami import outbound
from router.ami.errors import UnsafeAction
from router.core.destinations import Destination
from router.core.identities import ChannelName

CHANNEL = ChannelName("PJSIP/trunk-00000001")
HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\0:=)(${},;|\\\"' ")), max_size=60)


def read_back(raw: str) -> list[dict[str, str]]:
    """As Asterisk reads it: headers end at CR LF, and at a bare LF too; an action ends at an empty line."""
    actions: list[dict[str, str]] = [{}]
    for line in raw.replace("\r\n", "\n").split("\n"):
        if not line:
            actions.append({})
            continue
        name, _, value = line.partition(": ")
        assert name not in actions[-1]
        actions[-1][name] = value
    return [action for action in actions if action]


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(deadline=None)
async def test_no_value_can_make_a_second_header_or_action(channel: str, name: str, value: str) -> None:
    try:
        headers = outbound.set_variable(ChannelName(channel), name, value)
    except UnsafeAction:
        return

    (sent,) = read_back(str(Action(dict(headers))))
    sent.pop("ActionID")

    assert sent == {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value}


@given(HOSTILE, st.integers(-5, 100_000))
@settings(deadline=None)
async def test_no_channel_name_can_make_a_claim_more_than_a_claim(channel: str, parking: int) -> None:
    try:
        headers = outbound.claim(ChannelName(channel), parking)
    except UnsafeAction:
        return

    (sent,) = read_back(str(Action(dict(headers))))

    assert sent["Variable"] == f"INC(ROUTE_CLAIM_{parking})"
    assert sent["Channel"] == channel
    assert channel.strip(" \t")


@given(HOSTILE, HOSTILE, st.integers(-2, 20_000))
@settings(deadline=None)
async def test_no_place_can_make_a_redirect_more_than_one(context: str, exten: str, priority: int) -> None:
    try:
        headers = outbound.redirect(CHANNEL, Destination(context, exten, priority))
    except UnsafeAction:
        return

    (sent,) = read_back(str(Action(dict(headers))))

    assert (sent["Context"], sent["Exten"], sent["Priority"]) == (context, exten, str(priority))


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "\r\n", "a\r\n\r\nAction: Originate"])
def test_line_ends_and_zeros_are_refused(value: str) -> None:
    with pytest.raises(UnsafeAction, match="a line end or a zero in Value of Setvar"):
        outbound.set_variable(CHANNEL, "ROUTE_TO", value)


@pytest.mark.parametrize("value", ["x" * 1000, "é" * 500, "電" * 334])
def test_values_too_long_for_a_header_line_are_refused(value: str) -> None:
    with pytest.raises(UnsafeAction, match="longer than 999 bytes"):
        outbound.set_variable(CHANNEL, "ROUTE_VALUE", value)


@pytest.mark.parametrize("value", ["", "x" * 999, "é" * 499, "Zoé Ω 電話", "a: b, c; ${d}"])
def test_other_values_pass_unchanged(value: str) -> None:
    assert outbound.set_variable(CHANNEL, "ROUTE_VALUE", value)["Value"] == value


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnsafeAction, match="half a character"):
        outbound.set_variable(CHANNEL, "ROUTE_VALUE", "\ud800")


@pytest.mark.parametrize(
    "name", ["", "route_to", "_ROUTE", "ROUTE-TO", "SHELL(x)", "ROUTE_TO)", "1A", "A B", "CALLERID(name)"]
)
def test_variable_names_that_could_be_functions_are_refused(name: str) -> None:
    with pytest.raises(UnsafeAction, match="channel variable"):
        outbound.set_variable(CHANNEL, name, "x")


@pytest.mark.parametrize("channel", ["", " ", "\t", " PJSIP/a-1", "\n"])
def test_no_channel_would_be_every_channel(channel: str) -> None:
    """Without a channel, Asterisk reads and sets global variables."""
    name = ChannelName(channel)

    with pytest.raises(UnsafeAction, match="channel's name"):
        outbound.claim(name, 1)
    with pytest.raises(UnsafeAction, match="channel's name"):
        outbound.set_variable(name, "ROUTE_TO", "x")
    with pytest.raises(UnsafeAction, match="channel's name"):
        outbound.redirect(name, Destination("route-land", "s"))


@pytest.mark.parametrize("name", ["Originate", "Command", "login", ""])
def test_actions_that_are_not_ours_are_refused(name: str) -> None:
    with pytest.raises(UnsafeAction, match="not an action of ours"):
        outbound.action(name)


@pytest.mark.parametrize("header", ["Var iable", "A:B", "", "Action", "actionid", "Ünicode"])
def test_headers_that_are_no_names_are_refused(header: str) -> None:
    with pytest.raises(UnsafeAction, match="cannot be a header"):
        outbound.action("Ping", [(header, "x")])


def test_error_never_shows_the_value() -> None:
    with pytest.raises(UnsafeAction) as caught:
        outbound.login("router-a", "top\nsecret")

    assert "secret" not in str(caught.value).replace("Secret", "")


def test_move_is_refused_whole_when_one_variable_is_unsafe() -> None:
    with pytest.raises(UnsafeAction):
        outbound.move_actions(CHANNEL, [("A", "1"), ("B", "\n")], Destination("route-land", "s"))
