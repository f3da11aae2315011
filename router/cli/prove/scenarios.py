"""What `crmroute prove` does to a server, in the order in which it is told. Nothing here reaches a person."""

from enum import StrEnum

from msgspec import Struct

from router.cli.output import counted

ROUTED, PAUSED, HOSTILE = "route-prove-routed", "route-prove-paused", "route-prove-hostile"
CONTEXTS = ("route-prove", ROUTED, PAUSED, HOSTILE, "route-prove-callers", "route-prove-signs")
HOSTILE_CALLERS = 12
"""Extensions of `route-prove-callers`, from 00 on."""


class Deed(StrEnum):
    """What we do to a call once it is parked."""

    WATCH = "watch"
    CLAIM = "claim"
    """As a router that dies behind its claim."""
    MISLEAD = "mislead"
    """Claim it, and move it to a destination that does not exist."""
    RACE = "race"
    """Two claims at the moment at which the dialplan makes its own."""
    HANG_UP = "hang_up"


class Scenario(Struct, frozen=True):
    key: str
    what: str
    """As the table tells it, short enough for 80 columns."""
    context: str
    calls: int
    ends: tuple[str, ...]
    """How its calls may end: `taken`, `gone`, or a RouteDefaulted's Why."""
    deed: Deed = Deed.WATCH
    may_wait_for_grace: bool = True


def scenarios(burst: int) -> list[Scenario]:
    any_end = ("taken", "hold", "grace")
    return [
        Scenario("routed", "a router takes the call", ROUTED, 5, ("taken",)),
        Scenario("hostile", "hostile names, numbers", HOSTILE, HOSTILE_CALLERS, any_end),
        Scenario("burst", f"{counted(burst, 'call')} at once", ROUTED, burst, any_end),
        Scenario("paused", "no router listens", PAUSED, 10, ("hold",), may_wait_for_grace=False),
        Scenario("claimed", "router dies claiming", PAUSED, 5, ("grace",), Deed.CLAIM),
        Scenario("missing", "no such destination", PAUSED, 5, ("missing",), Deed.MISLEAD),
        Scenario("raced", "claims race at the end", PAUSED, 10, ("taken", "hold"), Deed.RACE),
        Scenario("abandoned", "callers hang up", PAUSED, 10, ("gone",), Deed.HANG_UP),
    ]
