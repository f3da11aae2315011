"""Faults 1 to 3 and 24: routers that are absent, killed or restarted."""

import random
import time

from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import TAKEN


def no_router(site: FaultSite, scale: Scale) -> Row:
    """1: no router runs; every call is at the default once HOLD is over."""
    finding = Finding(1, "no router running")
    hold = site.plan.hold
    for name in site.routers:
        site.stop(name)
    mark, count = site.mark(), scale.of(200, 30)

    account = site.account(mark, site.call(count, 50))

    finding.least("defaulted", len(account.having("defaulted")), count)
    finding.least("parked at least", account.shortest_parked(), hold - 0.01, " s")
    finding.most("at most", account.longest_parked(), hold + 0.5)
    return finding.row(account)


def only_router_killed(site: FaultSite, scale: Scale) -> Row:
    """2: the only router is killed at a random moment and comes back 5 s later."""
    finding = Finding(2, "kill -9 of the only router")
    seconds, rate = scale.of(60, 10), scale.of(20, 10)
    site.ready(routers=1)
    mark = site.mark()
    placed = site.call(seconds * rate, rate)

    time.sleep(random.uniform(*scale.of((5.0, 30.0), (1.0, 2.0))))
    site.kill("router-a")
    time.sleep(scale.of(5, 2))
    restarted_at = time.time()
    site.start_router("router-a")
    account = site.account(mark, placed)

    # The short form runs beside other tests, and a process takes as long to start as they let it.
    connected_at = max(site.moments("router-a", "asterisk.connected"))
    after = account.parked_between(scale.of(restarted_at + 2, connected_at + 0.5))
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    finding.taken("from 2 s after the restart", after, TAKEN, 99)
    return finding.row(account)


def one_router_killed(site: FaultSite, scale: Scale) -> Row:
    """3: one of two routers is killed under load; the other goes on."""
    finding = Finding(3, "kill -9 of one of two routers")
    seconds, rate = scale.of(30, 8), scale.of(50, 15)
    site.ready()
    mark = site.mark()
    placed = site.call(seconds * rate, rate)

    time.sleep(scale.of(8.0, 2.0))
    killed_at = time.time()
    site.kill("router-a")
    account = site.account(mark, placed)

    finding.taken("", account, TAKEN, 0)
    finding.taken("from 3 s after the kill", account.parked_between(killed_at + 3), TAKEN, 99)
    return finding.row(account)


def rolling_restart(site: FaultSite, scale: Scale) -> Row:
    """24: every process of ours is stopped and started again, one after the other, under load."""
    finding = Finding(24, "rolling restart (SIGTERM) of everything")
    rate = scale.of(50, 12)
    site.ready()
    site.crm.behave(low_ms=20, high_ms=80)
    mark = site.mark()
    names = [*site.routers, *scale.of(site.workers, site.workers[:2])]
    placed = site.call(rate * scale.of(60, 14), rate)

    slowest = 0.0
    for name in names:
        time.sleep(scale.of(2.0, 0.5))
        slowest = max(slowest, site.stop(name))
        site.ready()
    account = site.account(mark, placed)

    finding.most("gone after", slowest, site.plan.hold)
    finding.taken("", account, "", 99.5)
    finding.figures.append(f"by their CRM {100 * account.share_taken(TAKEN):.4g} %")
    return finding.row(account)
