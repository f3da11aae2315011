"""The whole path on Redis as larger sites have it: under Sentinels, and as a Cluster of three masters.

Real processes: two routers, workers, and the admin process with its publisher and its recorder.
Each of the three tenants has its keys on another of the Cluster's masters.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.rig.accounts import Account
from deploy.rig.sample_site import wait_until
from tests.faults.failovers import CLUSTER_TENANTS
from tests.faults.plans import Plan, Redis
from tests.faults.site import FaultSite
from tests.faults.tenants import ERROR, OTHER, TAKEN, name_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

TENANTS = range(CLUSTER_TENANTS)
EACH = 8
"""Calls of each tenant, more than it takes to open a breaker."""


@pytest.fixture(params=[Redis.SENTINEL, Redis.CLUSTER])
def site(rig: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FaultSite]:
    plan = Plan(redis=request.param, tenants=CLUSTER_TENANTS, has_records=True, workers=2)
    with FaultSite(tmp_path / "site", plan) as opened:
        opened.ready()
        yield opened


def call_all(site: FaultSite) -> Account:
    """Callers of every tenant, whom nobody has heard of."""
    mark = site.mark()
    return site.account(mark, *(site.call(EACH, 8, tenant=tenant) for tenant in TENANTS))


def places(account: Account) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in account.parkings:
        found[one.to] = found.get(one.to, 0) + 1
    return found


def recorded(site: FaultSite) -> set[str]:
    with closing(sqlite3.connect(f"file:{site.folder}/records.db?mode=ro", uri=True)) as records:
        return {call for (call,) in records.execute("select call from decisions")}


def published_level(site: FaultSite, level: str) -> None:
    for path in (site.config / "tenants").glob("*.toml"):
        path.write_text(path.read_text().replace('value = "GOLD"', f'value = "{level}"'))
    site.apply()


def test_whole_path(site: FaultSite) -> None:
    """One story, because a site takes longer to start than each of its parts to be seen."""
    everyone = EACH * CLUSTER_TENANTS

    # Look-ups of all tenants, by workers who wait at all shards.
    first = call_all(site)
    assert (first.lost, first.double, places(first)) == (0, 0, {TAKEN: everyone})

    # One router has the lease and did all the work; every decision reaches the records.
    decisions = site.decisions(2 * everyone)
    assert len({one["router"] for one in decisions}) == 1
    wanted = {one.uniqueid for one in first.parkings}
    wait_until(lambda: wanted <= recorded(site), 20, "every decision is in the records")

    # A publication reaches routers and workers.
    published_level(site, "PLATINUM")
    wait_until(
        lambda: all(len(site.events(name, "tenant.loaded")) >= CLUSTER_TENANTS for name in site.routers),
        20,
        "every router has the new plans",
    )
    assert places(call_all(site)) == {OTHER: everyone}

    # A CRM that fails is left alone by all workers, whichever asked it.
    site.crm.behave("failed")
    assert places(call_all(site)) == {ERROR: everyone}
    left_alone = {
        line.fields["tenant"] for name in site.workers for line in site.events(name, "crm.left_alone")
    }
    assert left_alone == {name_of(tenant) for tenant in TENANTS}
    site.crm.behave()

    # The lease passes on when its router dies.
    (holder,) = {str(one["router"]) for one in decisions}
    (other,) = [name for name in site.routers if name != holder]
    site.kill(holder)
    wait_until(lambda: bool(site.events(other, "lease.gained")), 20, "the other router has the lease")
    last = call_all(site)
    assert (last.lost, last.double, len(last.having("taken"))) == (0, 0, everyone)

    said = site.logs("router-a", "router-b", "worker-*", "admin")
    assert "CROSSSLOT" not in said
    assert "Traceback" not in said
    assert '"level": "error"' not in said
