"""What a fault's run comes to: a row of the table, and what it missed."""

from dataclasses import dataclass, field
from typing import TypeVar

from deploy.rig.accounts import Account

T = TypeVar("T")

REFUSED_MOST = 0.02
"""Of all calls, or one: an Asterisk that turns more away is busy with itself, and nothing is proved."""


@dataclass(frozen=True)
class Scale:
    """The full form, as the specification has it, or the short one of `make test`."""

    is_full: bool
    soak_seconds: int = 600

    def of(self, full: T, short: T) -> T:
        return full if self.is_full else short


FULL, SHORT = Scale(is_full=True), Scale(is_full=False)


@dataclass(frozen=True)
class Row:
    number: int
    fault: str
    calls: int
    lost: int
    double: int
    figure: str
    misses: tuple[str, ...]
    variant: str = ""
    """A letter behind the number, where a fault runs in several forms."""
    refused: int = 0
    """Calls that Asterisk turned away before they were any; `calls` is without them."""

    @property
    def is_passed(self) -> bool:
        return not self.misses

    @property
    def verdict(self) -> str:
        return "pass" if self.is_passed else "MISS: " + "; ".join(self.misses)


@dataclass
class Finding:
    """Gathers what was seen of one fault; `row` closes it."""

    number: int
    fault: str
    figures: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    variant: str = ""

    def expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.misses.append(otherwise)

    def most(self, what: str, value: float, limit: float, unit: str = " s") -> None:
        """A figure that must not be above its limit."""
        self.figures.append(f"{what} {value:.4g}{unit}")
        self.expect(value <= limit, f"{what} {value:.4g}{unit}, at most {limit:.4g}{unit}")

    def least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        self.figures.append(f"{what} {value:.4g}{unit}")
        self.expect(value >= limit, f"{what} {value:.4g}{unit}, at least {limit:.4g}{unit}")

    def taken(self, when: str, account: Account, place: str, least_percent: float) -> None:
        """How many of the calls went where the CRM says."""
        what = f"taken {when}".strip()
        self.expect(bool(account.parkings), f"nobody called {when}")
        self.least(what, 100 * account.share_taken(place), least_percent, " %")

    def row(self, account: Account) -> Row:
        never = f", {account.missing} of them never parked" if account.missing else ""
        self.expect(account.lost == 0, f"{account.lost} lost{never}")
        self.expect(account.double == 0, f"{account.double} double")
        placed = account.calls + account.refused
        self.expect(
            account.refused <= max(1, REFUSED_MOST * placed),
            f"Asterisk refused {account.refused} of {placed} calls: too many to say what became of calls",
        )
        return Row(
            self.number,
            self.fault,
            account.calls,
            account.lost,
            account.double,
            ", ".join(self.figures),
            tuple(self.misses),
            self.variant,
            account.refused,
        )
