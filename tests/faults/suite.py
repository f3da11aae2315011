"""All faults, in the order in which they run, and the sites that they share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import (
    asterisks,
    callers,
    crms,
    failovers,
    links,
    loads,
    redis_dying,
    routers_dying,
    soaks,
    workers_dying,
)
from tests.faults.plans import Plan, Redis
from tests.faults.rows import Row, Scale
from tests.faults.site import FaultSite


@dataclass(frozen=True)
class Fault:
    number: int
    run: Callable[[FaultSite, Scale], Row]
    group: str = "plain"
    """Faults of one group follow each other on one site."""
    plan: Plan = field(default_factory=Plan)
    is_in_short: bool = True
    """`make test` runs the short form."""
    variant: str = ""
    """A letter behind the number, where a fault runs in several forms."""

    @property
    def label(self) -> str:
        return f"{self.number}{self.variant}"

    @property
    def name(self) -> str:
        return f"{self.number:02d}{self.variant}-{self.run.__name__}"


TAPPED = Plan(taps_redis=True, is_watched=True)
PAIR = Plan(redis=Redis.PAIR)
SENTINEL = Plan(redis=Redis.SENTINEL)
CLUSTER = Plan(redis=Redis.CLUSTER, tenants=failovers.CLUSTER_TENANTS, has_records=True)
LINKED = Plan(taps_ami=True, tenants=2, dialplan=asterisks.NOISE)
PATIENT = Plan(budget_seconds=6.0)
CRMS = Plan(tenants=len(crms.MISBEHAVIOUR), tls_tenant=crms.MISBEHAVIOUR.index("tls"), is_cached=False)
RACING = Plan(
    hold=1,
    taps_ami=True,
    settings="[router]\nhold_margin_seconds = 0.001\n",
)
LOADED = Plan(is_scripted=True, tenants=200)
SOAKED = Plan(taps_ami=True, is_watched=True)
HURRIED = Plan(budget_seconds=0.5)
PUBLISHED = Plan(has_records=True)

FAULTS = (
    Fault(1, routers_dying.no_router),
    Fault(2, routers_dying.only_router_killed),
    Fault(3, routers_dying.one_router_killed),
    Fault(4, workers_dying.workers_killed_in_turn),
    Fault(5, redis_dying.stopped),
    Fault(24, routers_dying.rolling_restart),
    Fault(5, redis_dying.cut_off, "tapped", TAPPED, variant="a"),
    Fault(6, redis_dying.frozen, "tapped", TAPPED),
    Fault(7, redis_dying.emptied, "published", PUBLISHED),
    Fault(8, failovers.address_moved, "pair", PAIR),
    Fault(8, failovers.sentinels_decide, "sentinel", SENTINEL, variant="a"),
    Fault(8, failovers.cluster_promotes, "cluster", CLUSTER, variant="b"),
    Fault(12, links.reset_behind_redirects, "links", LINKED),
    Fault(13, links.black_hole, "links", LINKED),
    Fault(18, links.cut_off, "links", LINKED),
    Fault(15, links.repeated, "links", LINKED),
    Fault(20, callers.hostile_data, "links", LINKED),
    Fault(21, crms.hostile_values, "links", LINKED),
    Fault(19, asterisks.router_stopped, "links", LINKED),
    Fault(17, asterisks.restarted, "links", LINKED),
    Fault(10, crms.misbehaving, "crms", CRMS),
    Fault(9, crms.silent, "crms", CRMS, is_in_short=False),
    Fault(11, crms.around_the_deadline, "hurried", HURRIED, is_in_short=False),
    Fault(14, asterisks.race, "racing", RACING),
    Fault(22, loads.burst, "loaded", LOADED, is_in_short=False),
    Fault(23, loads.overload, "loaded", LOADED, is_in_short=False),
    Fault(16, callers.hanging_up, "patient", PATIENT),
    Fault(25, soaks.soak, "soaked", SOAKED),
)


class Sites:
    """One site at a time: the next group's first fault ends the site of the group before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._group = ""
        self._site: FaultSite | None = None

    def of(self, fault: Fault) -> FaultSite:
        if self._site is None or self._group != fault.group:
            self.close()
            self._group = fault.group
            self._site = FaultSite(self._folder / fault.group, fault.plan).__enter__()
        return self._site

    def close(self) -> None:
        if self._site is not None:
            self._site.__exit__()
            self._site = None


@contextmanager
def sites(folder: Path) -> Iterator[Sites]:
    opened = Sites(folder)
    try:
        yield opened
    finally:
        opened.close()
