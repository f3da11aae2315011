"""Fault 4: workers that are killed, one after another."""

import itertools
import time

from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import TAKEN

KILL_EVERY_SECONDS = 2.0


def workers_killed_in_turn(site: FaultSite, scale: Scale) -> Row:
    """4: a worker is killed every 2 s and comes back; its look-ups are another's, once."""
    finding = Finding(4, "kill -9 of each worker in turn")
    seconds, rate = scale.of(60, 10), scale.of(50, 15)
    site.ready()
    site.crm.behave(low_ms=20, high_ms=80)
    before = site.crm.seen()
    mark = site.mark()
    placed = site.call(seconds * rate, rate)

    names = itertools.cycle(site.workers)
    until = time.monotonic() + seconds
    while time.monotonic() + KILL_EVERY_SECONDS < until:
        time.sleep(KILL_EVERY_SECONDS)
        name = next(names)
        site.kill(name)
        site.start_worker(name)
    account = site.account(mark, placed)

    asked = [times for caller, times in site.crm.seen().items() if caller not in before]
    finding.taken("", account, "", 99)
    finding.figures.append(f"by their CRM {100 * account.share_taken(TAKEN):.4g} %")
    finding.most("look-ups of one caller", max(asked, default=0), 2, "")
    return finding.row(account)
