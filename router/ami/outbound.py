"""Building what is sent to Asterisk. Pure: it returns headers, `router.ami.session` sends them.

Everything passes one gate, `action`. AMI ends a header at a line end and an action at an empty line, and
knows no escaping, so a value with a line end would be further headers or a second action. A variable's name
that ends in `)` calls a dialplan function, and an action without a channel works on global variables: `INC`
of a global counter would tell anyone that he won.
"""

import re
from collections.abc import Sequence

from router.ami.errors import UnsafeAction
from router.core.destinations import PLACE_PATTERN, Destination
from router.core.identities import ChannelName

ActionHeaders = dict[str, str]

MOST_VALUE_BYTES = 999
"""Asterisk refuses a header line of 1,024 bytes and more, its name included."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,20}")
_UNSAFE_VALUE = re.compile(r"[\r\n\0]")
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
# Asterisk skips blanks before a value: a name that begins with one could be no name at all.
_CHANNEL_NAME = re.compile(r"[!-~\x80-\U0010ffff][^\r\n\0]*")

ACTION_NAMES = (
    "Login",
    "Ping",
    "CoreSettings",
    "CoreStatus",
    "CoreShowChannels",
    "Getvar",
    "Setvar",
    "Redirect",
)
"""Every action that is ever sent. None of them may be sent again by anyone but us."""


def action(name: str, headers: Sequence[tuple[str, str]] = ()) -> ActionHeaders:
    """The gate: headers that are one action and no more. Raises UnsafeAction."""
    if name not in ACTION_NAMES:
        raise UnsafeAction(f"{name!r} is not an action of ours")
    made = {"Action": name}
    for header, value in headers:
        if not _HEADER_NAME.fullmatch(header) or header.lower() in ("action", "actionid"):
            raise UnsafeAction(f"{header!r} cannot be a header of {name}")
        if _UNSAFE_VALUE.search(value):
            raise UnsafeAction(f"a line end or a zero in {header} of {name}")
        if _byte_length(value, header) > MOST_VALUE_BYTES:
            raise UnsafeAction(f"{header} of {name} is longer than {MOST_VALUE_BYTES} bytes")
        made[header] = value
    return made


def login(username: str, secret: str) -> ActionHeaders:
    return action("Login", [("Username", username), ("Secret", secret), ("Events", "on")])


def claim(channel: ChannelName, parking: int) -> ActionHeaders:
    """The only call of a dialplan function that we send."""
    if parking < 1:
        raise UnsafeAction("a parking's number is at least 1")
    variable = f"INC(ROUTE_CLAIM_{parking:d})"
    return action("Getvar", [("Channel", _channel(channel)), ("Variable", variable)])


def ask_state(channel: ChannelName) -> ActionHeaders:
    """What is parked on this channel, as `route-hold` wrote it down."""
    return action("Getvar", [("Channel", _channel(channel)), ("Variable", "ROUTE_STATE")])


def set_variable(channel: ChannelName, name: str, value: str) -> ActionHeaders:
    if not _VARIABLE_NAME.fullmatch(name):
        raise UnsafeAction(f"{name!r} cannot be a channel variable of ours")
    return action("Setvar", [("Channel", _channel(channel)), ("Variable", name), ("Value", value)])


def redirect(channel: ChannelName, place: Destination) -> ActionHeaders:
    if not PLACE_PATTERN.fullmatch(str(place)):
        raise UnsafeAction(f"{place!s} is not a place in the dialplan")
    return action(
        "Redirect",
        [
            ("Channel", _channel(channel)),
            ("Context", place.context),
            ("Exten", place.exten),
            ("Priority", str(place.priority)),
        ],
    )


def move_actions(
    channel: ChannelName, variables: Sequence[tuple[str, str]], place: Destination
) -> list[ActionHeaders]:
    """The variables in order, then the Redirect. All of it passes the gate before any of it is sent."""
    return [*(set_variable(channel, name, value) for name, value in variables), redirect(channel, place)]


def _channel(channel: ChannelName) -> str:
    if not _CHANNEL_NAME.fullmatch(channel):
        raise UnsafeAction("this is no channel's name")
    return channel


def _byte_length(value: str, header: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise UnsafeAction(f"{header} holds half a character") from error
