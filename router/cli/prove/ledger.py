"""The ledger of test calls: what became of each, told from the events that Asterisk sends. Pure.

A test call is known by the number it dials, which comes back as the `Did` of its `RouteParked`; from then on
by its uniqueid. Its events are the dialplan's word (docs/channel-protocol.md), not a router's. What a hostile
caller may have written into an event is never believed, but counted.
"""

import re

from msgspec import Struct, field

from router.ami.inspection import Headers, first
from router.core.identities import ChannelName, Uniqueid

RIVAL = "crmroute-rival"
"""The tenant that `route-prove-callers` try to make their calls one of."""
NUMBER_DIGITS = 12
_NUMBER = re.compile(rf"[0-9]{{{NUMBER_DIGITS}}}")


class End(Struct, frozen=True):
    """How a parking ended, or one of the ways in which it did."""

    what: str
    """taken, asking, defaulted or gone."""
    at: float
    why: str = ""
    to: str = ""


class PlacedCall(Struct):
    """Moments in seconds since the epoch by Asterisk's clock; by ours where `timestampevents` is off."""

    number: str
    uniqueid: Uniqueid = Uniqueid("")
    """Empty: it was never parked."""
    channel: ChannelName = ChannelName("")
    hold_seconds: float = 0.0
    parked_at: float = 0.0
    ends: list[End] = field(default_factory=list)
    """Exactly one, where the promises are kept."""
    is_over: bool = False
    wins: int = 0
    """Claims of this parking that were told to be the first: our own rivals' and the dialplan's."""
    forged: int = 0
    """Events in which something of the caller's stands as a header."""

    @property
    def is_parked(self) -> bool:
        return bool(self.uniqueid)

    @property
    def end(self) -> End | None:
        return self.ends[0] if self.ends else None

    @property
    def parked_seconds(self) -> float | None:
        return self.ends[0].at - self.parked_at if self.ends else None


class Ledger:
    """Of the calls whose numbers were entered; events of all others are passed over."""

    def __init__(self) -> None:
        self.calls: dict[str, PlacedCall] = {}
        self.forged_events = 0
        """Those that belong to no call: a caller wrote a whole event."""
        self._by_uniqueid: dict[str, PlacedCall] = {}

    def enter(self, number: str) -> PlacedCall:
        return self.calls.setdefault(number, PlacedCall(number))

    def hear(self, headers: Headers, arrived_at: float) -> PlacedCall | None:
        """Take an event; returns the call when it was parked by it."""
        name = first(headers, "UserEvent")
        call = self._by_uniqueid.get(first(headers, "Uniqueid"))
        if _is_forged(headers):
            if call is None:
                call = self._number_of(headers)
            if call is None:
                self.forged_events += 1
            else:
                call.forged += 1
        if name == "RouteParked":
            return self._park(headers, arrived_at)
        if call is not None:
            _note(call, name, headers, _moment(headers, arrived_at))
        return None

    def _number_of(self, headers: Headers) -> PlacedCall | None:
        number = _NUMBER.match(first(headers, "Did"))
        return self.calls.get(number[0]) if number else None

    def _park(self, headers: Headers, arrived_at: float) -> PlacedCall | None:
        call = self._number_of(headers)
        uniqueid = first(headers, "Uniqueid")
        if call is None or call.is_parked or not uniqueid:
            return None
        call.uniqueid, call.channel = Uniqueid(uniqueid), ChannelName(first(headers, "Channel"))
        call.parked_at = _moment(headers, arrived_at)
        call.hold_seconds = _number(first(headers, "HoldMs")) / 1000
        self._by_uniqueid[uniqueid] = call
        return call


def _note(call: PlacedCall, name: str, headers: Headers, at: float) -> None:
    why, to = first(headers, "Why"), first(headers, "To")
    match name:
        case "RouteTaken":
            call.ends.append(End("taken", at, to=to))
        case "RouteAsking":
            call.ends.append(End("asking", at))
        case "RouteDefaulted" if why != "ended":
            call.ends.append(End("defaulted", at, why, to))
            call.wins += first(headers, "Claim") == "1"
        case "RouteGone":
            if first(headers, "Where") == "parked":
                call.ends.append(End("gone", at))
            call.is_over = True


def _is_forged(headers: Headers) -> bool:
    return RIVAL in headers.get("Tenant", ()) or any(
        len(values) > 1 for name, values in headers.items() if name != "ChanVariable"
    )


def _moment(headers: Headers, arrived_at: float) -> float:
    return _number(first(headers, "Timestamp")) or arrived_at


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
