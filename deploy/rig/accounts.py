"""The ledger check: what became of each call, told from Asterisk's ledger alone.

Every parking has exactly one end: taken to a place, defaulted, sent to be asked for digits, or left by a
caller who hung up. A call without an end is lost; one with two was moved twice, or after it had left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from deploy.rig.ledger import LedgerLine

ParkingKey = tuple[str, int]


@dataclass
class ParkedCall:
    """One parking; moments in seconds since the epoch by Asterisk's clock."""

    uniqueid: str
    parking: int
    parked_at: float
    ends: list[LedgerLine] = field(default_factory=list)
    is_over: bool = False
    """The channel is gone."""

    @property
    def fate(self) -> str:
        """taken, defaulted, asking, gone; empty while it has none."""
        return self.ends[0].what if self.ends else ""

    @property
    def to(self) -> str:
        return self.ends[0].to if self.ends else ""

    @property
    def parked_seconds(self) -> float | None:
        return self.ends[0].at - self.parked_at if self.ends else None


@dataclass(frozen=True)
class Account:
    """All parkings of some calls, in the order in which they were parked.

    missing   calls that were placed and never parked
    refused   calls that Asterisk turned away because it was overloaded itself: there was no channel, nothing
              that could have been parked. No other number has them, neither the calls nor the lost ones
    """

    parkings: tuple[ParkedCall, ...]
    missing: int = 0
    may_hang_up: bool = False
    """The callers hang up while they are parked; otherwise a parked call that goes is a lost one."""
    refused: int = 0

    def having(self, fate: str) -> tuple[ParkedCall, ...]:
        return tuple(one for one in self.parkings if one.fate == fate)

    @property
    def calls(self) -> int:
        return len({one.uniqueid for one in self.parkings}) + self.missing

    @property
    def lost(self) -> int:
        """Calls that reached no destination."""
        return self.missing + len(self.without_destination)

    @property
    def without_destination(self) -> tuple[ParkedCall, ...]:
        """The lost ones that were parked."""
        fates = ("",) if self.may_hang_up else ("", "gone")
        return tuple(one for one in self.parkings if one.fate in fates)

    @property
    def double(self) -> int:
        """Calls that were moved twice, or after they had left."""
        return len(self.moved_twice)

    @property
    def moved_twice(self) -> tuple[ParkedCall, ...]:
        return tuple(one for one in self.parkings if len(one.ends) > 1)

    def parked_between(self, begin: float, end: float = float("inf")) -> "Account":
        """Of the calls parked from one moment on and before another; seconds since the epoch."""
        return Account(
            tuple(one for one in self.parkings if begin <= one.parked_at < end), 0, self.may_hang_up
        )

    def only(self, is_meant: Callable[[ParkedCall], bool]) -> "Account":
        return Account(tuple(one for one in self.parkings if is_meant(one)), 0, self.may_hang_up)

    def share_taken(self, place: str = "") -> float:
        """How many of 1 were taken, to that place where it is told; 1 where nobody called."""
        taken = [one for one in self.having("taken") if place in ("", one.to)]
        return len(taken) / len(self.parkings) if self.parkings else 1.0

    def longest_parked(self) -> float:
        """Seconds; 0 where nobody was parked."""
        return max(
            (seconds for one in self.parkings if (seconds := one.parked_seconds) is not None), default=0.0
        )

    def shortest_parked(self) -> float:
        return min(
            (seconds for one in self.parkings if (seconds := one.parked_seconds) is not None), default=0.0
        )


def account_of(
    lines: Sequence[LedgerLine], placed: int | None = None, *, may_hang_up: bool = False
) -> Account:
    """`placed`: how many calls there should be; None where nobody knows."""
    parkings: dict[ParkingKey, ParkedCall] = {}
    for line in lines:
        key = (line.uniqueid, line.parking)
        if line.what == "parked":
            parkings[key] = ParkedCall(*key, line.at)
        elif (parking := parkings.get(key)) is not None:
            _note(parking, line)
    missing = 0 if placed is None else max(0, placed - len(_uniqueids(parkings)))
    return Account(tuple(parkings.values()), missing, may_hang_up)


def without_refused(account: Account, turned_away: int, begun: int) -> Account:
    """Of the missing calls, those are refused that were answered 503 and for which no channel was begun.

    turned_away   how many callers were answered 503 by SIP
    begun         how many calls the dialplan began with, by Asterisk's own counter: one that began and was
                  not parked stays missing, whatever its caller was answered
    """
    never_begun = max(0, account.calls - begun)
    refused = min(account.missing, turned_away, never_begun)
    return replace(account, missing=account.missing - refused, refused=refused)


def _note(parking: ParkedCall, line: LedgerLine) -> None:
    if line.what == "gone":
        if line.where == "parked":
            parking.ends.append(line)
        parking.is_over = True
    elif line.what in ("taken", "asking") or (line.what == "defaulted" and line.why != "ended"):
        parking.ends.append(line)


def _uniqueids(keys: Iterable[ParkingKey]) -> set[str]:
    return {uniqueid for uniqueid, _ in keys}
