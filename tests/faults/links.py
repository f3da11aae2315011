"""Faults 12, 13, 15 and 18: what happens to the link between a router and Asterisk, and to answers."""

import random
import time
from collections import Counter

from tests.faults.repeating import Repeater
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.taps import SeenAction
from tests.faults.tenants import INTEGRATION, TAKEN, name_of

OURS = {
    "Login", "CoreSettings", "CoreStatus", "Ping", "CoreShowChannels", "Getvar", "Setvar", "Redirect"
}  # fmt: skip
"""What a router ever asks of Asterisk."""
RESETS_OF_100 = 10
NOTICED_SECONDS = 3.0


def reset_behind_redirects(site: FaultSite, scale: Scale) -> Row:
    """12: a router's connection is reset when Asterisk has its Redirect and has not answered it."""
    finding = Finding(12, "AMI reset while a Redirect is unanswered")
    count, rate = scale.of(500, 60), scale.of(20, 15)
    site.ready()
    chance = random.Random(12)
    resets: list[SeenAction] = []

    def resets_behind(action: SeenAction) -> bool:
        if action.name != "Redirect" or chance.randrange(100) >= RESETS_OF_100:
            return False
        resets.append(action)
        return True

    mark, before = site.mark(), len(redirects(site))
    for tap in site.ami_taps.values():
        tap.resets_behind = resets_behind
    account = site.account(mark, site.call(count, rate))
    for tap in site.ami_taps.values():
        tap.resets_behind = lambda _: False

    finding.expect(bool(resets), "no connection was reset")
    finding.figures.append(f"{len(resets)} resets")
    finding.most("Redirects of one call", most_of_one(redirects(site)[before:]), 1, "")
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    finding.figures.append(f"taken {100 * account.share_taken():.4g} %")
    return finding.row(account)


def redirects(site: FaultSite) -> list[SeenAction]:
    """Those that Asterisk got, from all routers."""
    return [action for tap in site.ami_taps.values() for action in tap.sent("Redirect")]


def most_of_one(actions: list[SeenAction]) -> int:
    return max(Counter(action.fields["Channel"] for action in actions).values(), default=0)


def black_hole(site: FaultSite, scale: Scale) -> Row:
    """13: the links pass nothing for 30 s and then everything that their senders still stand by."""
    finding = Finding(13, "AMI black hole")
    black, rate = scale.of(30.0, 4.0), scale.of(20, 10)
    site.ready()
    # Decisions fall into the black time, so that there is something to come late.
    site.crm.behave(low_ms=100, high_ms=600)
    mark = site.mark()
    placed = site.call(round((black + scale.of(15, 11)) * rate), rate)

    time.sleep(3)
    black_at = time.time()
    for tap in site.ami_taps.values():
        tap.go_black()
    time.sleep(black)
    mended_at = time.time()
    for tap in site.ami_taps.values():
        tap.mend()
    account = site.account(mark, placed)

    downs = [_first(site.moments(name, "asterisk.disconnected"), black_at) for name in site.routers]
    late = [action for tap in site.ami_taps.values() for action in tap.came_late if action.name != "Login"]
    finding.most("noticed after", max(downs) - black_at if all(downs) else 99, NOTICED_SECONDS)
    finding.most("actions of before that ran after", len(late), 0, "")
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    finding.taken("from 6 s after its end", account.parked_between(mended_at + 6), TAKEN, 99)
    return finding.row(account)


def _first(moments: list[float], begin: float) -> float:
    """The first from a moment on; 0 when there is none."""
    return min((at for at in moments if at >= begin), default=0)


def repeated(site: FaultSite, scale: Scale) -> Row:
    """15: each job and each answer comes five times, the answers to both routers."""
    finding = Finding(15, "every job and answer five times")
    site.ready()
    site.crm.behave(low_ms=20, high_ms=200)
    mark, before = site.mark(), len(redirects(site))

    with Repeater(site.redis_url, name_of(), INTEGRATION, site.routers) as repeater:
        account = site.account(mark, site.call(scale.of(500, 60), scale.of(25, 15)))

    finding.figures.append(f"{repeater.jobs} jobs and {repeater.answers} answers repeated")
    finding.expect(repeater.jobs > 0 and repeater.answers > 0, "nothing was repeated")
    finding.most("Redirects of one call", most_of_one(redirects(site)[before:]), 1, "")
    finding.taken("", account, TAKEN, 99)
    return finding.row(account)


def cut_off(site: FaultSite, scale: Scale) -> Row:
    """18: the only router is cut off for 3 s, and 50 callers come meanwhile."""
    finding = Finding(18, "router cut off for 3 s, 50 calls parked")
    count = scale.of(50, 20)
    site.ready(routers=1)
    tap = site.ami_taps["router-a"]
    before = site.crm.seen()
    mark = site.mark()

    tap.cut()
    cut_at = time.monotonic()
    placed = site.call(count, 50)
    site.wait_parked(count, mark)
    time.sleep(max(0.0, cut_at + 3 - time.monotonic()))
    resynced = sum(line.fields.get("calls", 0) for line in site.events("router-a", "calls.resynced"))
    tap.mend()
    account = site.account(mark, placed)

    found = sum(line.fields.get("calls", 0) for line in site.events("router-a", "calls.resynced")) - resynced
    finding.least("found by the resync", found, count)
    finding.least("looked up", sum(caller not in before for caller in site.crm.seen()), count)
    finding.taken("", account, TAKEN, 95)
    finding.most("parked", account.longest_parked(), site.plan.hold)
    return finding.row(account)
