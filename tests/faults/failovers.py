"""Fault 8: a replica that heard nothing of its master's last 2 s takes its place.

In three forms, as sites have Redis: an operator moves the address to the replica (8), Sentinels name it (8a),
a Cluster promotes it (8b).
"""

import time
from collections.abc import Callable

from deploy.rig.sample_site import wait_until
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import TAKEN
from tests.store.servers import Server
from tests.store.topologies import MASTERS, is_master, pause_replication, port_of

BEHIND_SECONDS = 2.0
PROMOTED_SECONDS = 20.0
READ_ONLY_SECONDS = 1.0
"""How long an operator's address leads to a replica before that is a master."""
CLUSTER_TENANTS = 3
"""Their numbers; each has its keys on another of the Cluster's masters."""


def address_moved(site: FaultSite, scale: Scale) -> Row:
    """8: the address leads to the replica, which refuses to be written to until it is made a master."""
    finding = Finding(8, "failover to a replica that is 2 s behind")
    address, replica = site.redis_address, site.replica
    assert address is not None
    assert replica is not None

    def move() -> None:
        site.redis.stop()
        address.lead_to(port_of(replica))
        time.sleep(READ_ONLY_SECONDS)
        replica.say(b"REPLICAOF NO ONE\r\n")

    return _failed_over(site, scale, finding, replica, move, rate=scale.of(20, 10))


def sentinels_decide(site: FaultSite, scale: Scale) -> Row:
    """8a: three Sentinels see the master die, and name its replica."""
    finding = Finding(8, "the same by Sentinels", variant="a")
    assert site.replica is not None
    return _failed_over(site, scale, finding, site.replica, site.redis.stop, rate=scale.of(20, 10))


def cluster_promotes(site: FaultSite, scale: Scale) -> Row:
    """8b: one of three masters dies, the one that has the leases and a third of the tenants."""
    finding = Finding(8, "the same in a Cluster of three masters", variant="b")
    master, replica = site.cluster[0], site.cluster[MASTERS]
    return _failed_over(
        site, scale, finding, replica, master.stop, rate=scale.of(50, 15), tenants=CLUSTER_TENANTS
    )


def _failed_over(
    site: FaultSite,
    scale: Scale,
    finding: Finding,
    replica: Server,
    end_master: Callable[[], None],
    *,
    rate: int,
    tenants: int = 1,
) -> Row:
    site.ready()
    site.crm.behave(low_ms=20, high_ms=500)
    mark, seconds = site.mark(), scale.of(30, 15)
    placed = [
        site.call(rate * seconds // tenants, rate / tenants, tenant=number) for number in range(tenants)
    ]

    time.sleep(2)
    pause_replication(replica)
    time.sleep(BEHIND_SECONDS)
    died_at = time.time()
    end_master()
    wait_until(lambda: is_master(replica), PROMOTED_SECONDS, "the failover")
    promoted_at = time.time()
    account = site.account(mark, *placed)

    finding.expect(site.all_alive, "a process ended")
    finding.figures.append(f"a new master after {promoted_at - died_at:.2g} s")
    finding.most("parked", account.longest_parked(), site.plan.hold + 0.5)
    elsewhere = [one.parked_at for one in account.parkings if one.to != TAKEN]
    if elsewhere:
        last = max(elsewhere) - promoted_at
        when = f"{abs(last):.2g} s {'after' if last > 0 else 'before'} it"
        finding.figures.append(f"the last call not by its CRM parked {when}")
    finding.figures.append(f"by their CRM {100 * account.share_taken(TAKEN):.4g} %")
    finding.taken("from 2 s after it", account.parked_between(promoted_at + 2), TAKEN, 99)
    return finding.row(account)
