"""Who works on the calls of an Asterisk server: the router that has the server's lease. Pure.

A lease spares work and decides nothing: who may move a call is the claim on its channel alone. So a router
watches only where it knows that another has the lease, and what it knows is good for no longer than the lease
itself. Whoever knows nothing, because the store is away or was not asked yet, works on every call.

Working without the store brings no answers, and the store may be away for this router alone. So a call whose
question cannot be put is left to the others for as long as it can wait, unless there are none: none were
heard of when the store was there last, or one such call was left and nobody took it. Then the next ones are
decided at once, but for one now and then that is left, to see whether somebody is back.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from router.core.identities import ServerName

LEASE_SECONDS = 3.0
"""How long a lease lives, by the store's clock, when it is not renewed."""
TRY_SECONDS = 10.0
"""How often one call is left to others that did not take the one before."""


class Duty(StrEnum):
    WORK = "work"
    WATCH = "watch"
    """Another router works on the call: do nothing until half of its HOLD is over."""


class Known(Struct, frozen=True):
    """What the store said of one server's lease."""

    is_ours: bool
    until: float
    """The monotonic second up to which that may be believed."""
    has_others: bool = False
    """It is ours, and another router hears the server as well."""


Leases = Mapping[ServerName, Known]


class Left(Struct, frozen=True):
    """What came of a server's calls that were left to others, since the store went away."""

    is_alone: bool = False
    """Nobody took the last one."""
    next_at: float = 0.0
    """The monotonic second at which the next one is left, to see whether somebody is back."""


def leave(known: Known | None, left: Left, now: float) -> tuple[bool, Left]:
    """Whether a call that this router has no answer for is left to others; and what to remember of that.

    Who was never told anything by the store knows of no others, nor that there are none: they get the call.
    """
    if known is not None and known.is_ours and not known.has_others:
        return False, left
    if left.is_alone and now < left.next_at:
        return False, left
    return True, replace(left, next_at=now + TRY_SECONDS)


def was_taken(left: Left, by_another: bool, now: float) -> Left:
    """A call was left until its last moment: somebody else took it, or nobody did."""
    return Left() if by_another else Left(is_alone=True, next_at=max(left.next_at, now))


def duty_for(known: Known | None, now: float) -> Duty:
    """`now` is a monotonic second."""
    is_anothers = known is not None and not known.is_ours and now < known.until
    return Duty.WATCH if is_anothers else Duty.WORK


def told(
    before: Leases,
    asked: Iterable[ServerName],
    ours: Collection[ServerName],
    asked_at: float,
    watched: Collection[ServerName] = (),
) -> Leases:
    """What is known after the store was asked for these servers' leases, and gave some to us.

    watched   of ours, those that another router hears as well

    A lease lives from a moment behind `asked_at`, so that is the one to count from.
    """
    until = asked_at + LEASE_SECONDS
    return {**before, **{server: Known(server in ours, until, server in watched) for server in asked}}


def given_up(before: Leases, servers: Collection[ServerName]) -> Leases:
    """What is known once we no longer want these leases; that another has one stays known."""
    return {name: known for name, known in before.items() if name not in servers or not known.is_ours}


def gained(before: Leases, after: Leases) -> list[ServerName]:
    """Servers whose lease is ours now, and was not."""
    return sorted(held(after) - held(before))


def lost(before: Leases, after: Leases) -> list[ServerName]:
    """Servers whose lease was ours, and is not."""
    return sorted(held(before) - held(after))


def held(leases: Leases) -> set[ServerName]:
    return {name for name, known in leases.items() if known.is_ours}
