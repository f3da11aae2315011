"""Faults 14, 17 and 19: Asterisk races the routers, restarts, and waits for a router that stands still."""

import signal
import time
from collections import Counter

from tests.faults.links import most_of_one, redirects
from tests.faults.memory import MemoryWatch
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import OTHER, TAKEN

LOOPS = 44
NOISE = """
; Each of these says nearly fifty user events a second, which a router's filters let through.
[fault-noise]
exten => s,1,Answer()
 same => n(again),UserEvent(RouteNoise,V: 1,Filler: 0123456789012345678901234567890123456789)
 same => n,Wait(0.02)
 same => n,Goto(again)
"""


def race(site: FaultSite, scale: Scale) -> Row:
    """14: answers come when HOLD ends, so that both routers and the dialplan want each call at once."""
    finding = Finding(14, "two routers and the dialplan race for the claim")
    count, rate = scale.of(10_000, 100), scale.of(50, 20)
    site.ready()
    hold_ms = site.plan.hold * 1000
    # A router hears of the call and asks some milliseconds after it was parked.
    site.crm.behave(low_ms=hold_ms - 8, high_ms=hold_ms + 2)
    mark, before = site.mark(), len(redirects(site))

    account = site.account(mark, site.call(count, rate))

    finding.figures.append(
        f"{len(account.having('taken'))} to a router, {len(account.having('defaulted'))} to the dialplan"
    )
    if scale.is_full:
        finding.expect(bool(account.having("defaulted")), "there was no race")
    finding.expect(bool(account.having("taken")), "no router took part")
    finding.most("Redirects of one call", most_of_one(redirects(site)[before:]), 1, "")
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    return finding.row(account)


def restarted(site: FaultSite, scale: Scale) -> Row:
    """17: Asterisk restarts under parked calls; new calls get the channel names that those had."""
    finding = Finding(17, "Asterisk restarted with 100 calls parked")
    count = scale.of(100, 30)
    site.ready()
    site.restart_asterisk()
    site.wait_connected()
    # The old calls' CRM says GOLD, and says it when the new ones are parked already; theirs says SILVER.
    site.crm.behave(low_ms=1100, high_ms=1200)
    mark = site.mark()
    old = site.call(count, 100)
    site.wait_parked(count, mark)
    old_names = site.channel_names()

    old.stop()
    site.restart_asterisk()
    site.crm.behave("text", low_ms=1100, high_ms=1200, text="SILVER")
    new_mark = site.mark()
    new = site.call(count, 100)
    site.wait_parked(count, new_mark)
    new_names = site.channel_names()
    site.wait_connected()
    account = site.account(new_mark, new)

    finding.least("channel names used again", len(old_names & new_names), count)
    finding.most("moved by a decision of before", sum(one.to == TAKEN for one in account.parkings), 0, "")
    finding.figures.append(f"by its own decision {100 * account.share_taken(OTHER):.4g} %")
    return finding.row(account)


def router_stopped(site: FaultSite, scale: Scale) -> Row:
    """19: a router stands still for 5 s while Asterisk has 2,000 events a second for it."""
    finding = Finding(19, "router stopped 5 s under 2,000 events/s")
    loops, rate = scale.of(LOOPS, LOOPS // 2), 10
    site.ready()
    site.pbx.command("dialplan reload")
    for _ in range(loops):
        site.asterisk.originate("s", context="fault-noise", app="Wait", data="600")
    heard_per_second = _events_in_a_second(site, scale.of(1900, 950))
    mark = site.mark()
    # The calls outlast what the steps take on a busy machine, so that some are parked when all is over.
    placed = site.call(rate * scale.of(20, 15), rate)
    site.wait_parked(rate * scale.of(4, 1), mark)

    with MemoryWatch({"asterisk": site.asterisk.pid}) as memory:
        site.signal("router-a", signal.SIGSTOP)
        time.sleep(5)
        site.signal("router-a", signal.SIGCONT)
        woken_at = time.time()
        time.sleep(2)
    placed.wait()
    site.pbx.command("channel request hangup all")
    account = site.account(mark, placed)

    finding.least("events heard in a second", heard_per_second, scale.of(1900, 500), "")
    finding.most("Asterisk's memory grew by", memory.grown_mb(), 50, " MB")
    after = account.parked_between(woken_at + 2)
    elsewhere = Counter(one.to or one.fate for one in after.parkings if one.to != TAKEN)
    finding.taken("from 2 s after", after, "", 99)
    if elsewhere:
        finding.figures.append(f"not by their CRM: {dict(elsewhere)}")
    finding.expect(site.all_alive, "a process ended")
    return finding.row(account)


def _events_in_a_second(site: FaultSite, least: int) -> float:
    """Once they are as many as that: the loops begin one after the other. What they come to within 10 s."""
    tap, heard = site.ami_taps["router-a"], 0.0
    for _ in range(10):
        before, began = tap.events, time.monotonic()
        time.sleep(1)
        heard = (tap.events - before) / (time.monotonic() - began)
        if heard >= least:
            break
    return heard
