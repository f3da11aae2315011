"""Who works on the calls of an Asterisk server: the router that has the server's lease. Pure.

A lease spares work and decides nothing: who may move a call is the claim on its channel alone. So a router
watches only where it knows that another has the lease, and what it knows is good for no longer than the lease
itself. Whoever knows nothing, because the store is away or was not asked yet, works on every call.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from router.core.identities import ServerName

LEASE_SECONDS = 3.0
"""How long a lease lives, by the store's clock, when it is not renewed."""


class Duty(StrEnum):
    WORK = "work"
    WATCH = "watch"
    """Another router works on the call: do nothing until half of its HOLD is over."""


class Known(Struct, frozen=True):
    """What the store said of one server's lease."""

    is_ours: bool
    until: float
    """The monotonic second up to which that may be believed."""


Leases = Mapping[ServerName, Known]


def duty_for(known: Known | None, now: float) -> Duty:
    """`now` is a monotonic second."""
    is_anothers = known is not None and not known.is_ours and now < known.until
    return Duty.WATCH if is_anothers else Duty.WORK


def told(
    before: Leases, asked: Iterable[ServerName], ours: Collection[ServerName], asked_at: float
) -> Leases:
    """What is known after the store was asked for these servers' leases, and gave some to us.

    A lease lives from a moment behind `asked_at`, so that is the one to count from.
    """
    until = asked_at + LEASE_SECONDS
    return {**before, **{server: Known(server in ours, until) for server in asked}}


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
