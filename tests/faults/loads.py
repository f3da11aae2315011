"""Faults 22 and 23: more calls than there is room for, of one tenant and of all."""

import time
from collections import Counter

from tests.faults.crms import percentile
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import TAKEN, name_of

RATED_PER_SECOND = 100
"""What `make bench` measures on two cores."""
BURST_PER_SECOND = 500
"""More than an Asterisk parks that shares two cores with all else (it loses calls at 300)."""
RECOVERY_SECONDS = 5.0
NORMAL_ADDED_SECONDS = 0.1


def burst(site: FaultSite, scale: Scale) -> Row:
    """22: one tenant's 5,000 calls at once cost the 199 others next to nothing."""
    finding = Finding(22, "burst of one tenant beside 199 quiet ones")
    count, seconds, rate = scale.of(5000, 300), scale.of(30, 6), scale.of(20, 10)
    quiet = range(1, site.plan.tenants)
    site.ready()
    site.crm.behave(low_ms=50, high_ms=50)
    first_mark = site.mark()
    usual = site.account(first_mark, site.call(seconds * rate, rate, tenants=quiet))

    mark = site.mark()
    others = site.call(seconds * rate, rate, tenants=quiet)
    time.sleep(2)
    noisy = site.call(count, BURST_PER_SECOND, stay_ms=1000)
    account = site.account(mark, others, noisy)

    own = {line.uniqueid for line in site.pbx.ledger()[mark:] if line.tenant == name_of(0)}
    of_others = account.only(lambda one: one.uniqueid not in own)
    of_noisy = account.only(lambda one: one.uniqueid in own)
    finding.most("quiet tenants' p99 rose by", 1000 * (percentile(of_others) - percentile(usual)), 100, " ms")
    finding.taken("of theirs", of_others, TAKEN, 100)
    elsewhere = Counter(one.to or one.fate for one in of_others.parkings if one.to != TAKEN)
    finding.figures.append(f"the rest of theirs: {dict(elsewhere)}" if elsewhere else "none elsewhere")
    finding.figures.append(
        f"of the noisy one's {100 * of_noisy.share_taken(TAKEN):.3g} % by its CRM, "
        f"{100 * of_noisy.share_taken():.3g} % moved"
    )
    return finding.row(account)


def overload(site: FaultSite, scale: Scale) -> Row:
    """23: three times the rated calls; what there is room for is served, and then all is as before."""
    finding = Finding(23, "3 times the rated calls/s")
    rate, seconds = scale.of(RATED_PER_SECOND, 30), scale.of(60, 8)
    before = scale.of(20, 6)
    site.ready()
    site.crm.behave(low_ms=50, high_ms=50)
    first_mark = site.mark()
    usual = site.account(first_mark, site.call(rate * before, rate))

    mark = site.mark()
    heavy_at = time.time()
    heavy = site.call(3 * rate * seconds, 3 * rate)
    time.sleep(seconds)
    over_at = time.time()
    after = site.call(rate * scale.of(20, 10), rate)
    account = site.account(mark, heavy, after)

    served = [
        one
        for one in account.having("taken")
        if one.to == TAKEN and heavy_at <= one.parked_at + (one.parked_seconds or 0) < over_at
    ]
    later = account.parked_between(over_at + RECOVERY_SECONDS)
    finding.least("served of the rated", 100 * len(served) / seconds / rate, 90, " %")
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    added = percentile(later) - percentile(usual)
    finding.most("p99 from 5 s after, above the usual", added, NORMAL_ADDED_SECONDS)
    finding.taken("from 5 s after", later, TAKEN, 99)
    return finding.row(account)
