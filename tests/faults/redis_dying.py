"""Faults 5 to 7: a Redis that is stopped, out of one router's reach, frozen or emptied."""

import time
from collections.abc import Sequence

from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import TAKEN

ATTEMPTS_PER_SECOND = 10


def stopped(site: FaultSite, scale: Scale) -> Row:
    """5: Redis ends, and is there again after 20 s, empty."""
    finding = Finding(5, "Redis stopped for 20 s")
    away, rate = scale.of(20.0, 4.0), scale.of(20, 10)
    site.ready()
    mark = site.mark()
    placed = site.call(round((away + scale.of(20, 8)) * rate), rate)

    time.sleep(3)
    site.redis.stop()
    time.sleep(away)
    site.redis.start()
    back_at = time.time()
    account = site.account(mark, placed)

    finding.expect(site.all_alive, "a process ended")
    finding.most("parked", account.longest_parked(), site.plan.hold + 0.5)
    finding.taken("from 3 s after its return", account.parked_between(back_at + 3), TAKEN, 99)
    return finding.row(account)


def cut_off(site: FaultSite, scale: Scale) -> Row:
    """5a: the router that works on the calls reaches Redis no more for 20 s; the other one does."""
    finding = Finding(5, "one of two routers cut off from Redis", variant="a")
    away, rate = scale.of(20.0, 6.0), scale.of(20, 10)
    site.ready()
    mark = site.mark()
    placed = site.call(round((away + scale.of(20, 8)) * rate), rate)
    site.wait_parked(2 * rate, mark)

    tap = site.redis_taps[_holder(site)]
    tap.cut()
    cut_at = time.time()
    time.sleep(away)
    tap.mend()
    account = site.account(mark, placed)

    finding.expect(site.all_alive, "a process ended")
    finding.most("parked", account.longest_parked(), site.plan.hold + 0.5)
    # Answers that were on their way when it was cut off reach nobody.
    finding.taken("from 0.5 s after it", account.parked_between(cut_at + 0.5), TAKEN, 99)
    return finding.row(account)


def _holder(site: FaultSite) -> str:
    """The router that has the server's lease."""
    said = site.redis.say(f"GET crmroute:{{w}}:lease:{site.pbx.name}\r\n".encode()).decode()
    return said.splitlines()[1]


def frozen(site: FaultSite, scale: Scale) -> Row:
    """6: Redis accepts connections and answers nothing for 20 s."""
    finding = Finding(6, "Redis frozen for 20 s")
    away, rate = scale.of(20.0, 4.0), scale.of(20, 10)
    site.ready()
    mark = site.mark()
    stalls = _stalls(site)
    placed = site.call(round((away + scale.of(20, 8)) * rate), rate)

    time.sleep(3)
    frozen_at = time.time()
    site.redis.freeze()
    time.sleep(away)
    site.redis.thaw()
    back_at = time.time()
    account = site.account(mark, placed)

    attempts = {
        name: _closest([at for at in tap.attempts if frozen_at <= at < back_at])
        for name, tap in site.redis_taps.items()
    }
    finding.expect(site.all_alive, "a process ended")
    finding.most("parked", account.longest_parked(), site.plan.hold + 0.5)
    finding.taken("from 3 s after its return", account.parked_between(back_at + 3), TAKEN, 99)
    finding.most("loop stalls over 100 ms", len(_stalls(site)) - len(stalls), 0, "")
    finding.most("attempts in a second of one process", max(attempts.values()), ATTEMPTS_PER_SECOND, "")
    return finding.row(account)


def _stalls(site: FaultSite) -> list[str]:
    said = site.logs("router-a", "router-b", *(f"worker-{number}" for number in range(site.plan.workers)))
    return [line for line in said.splitlines() if "loop.stalled" in line]


def _closest(moments: Sequence[float]) -> int:
    """The most connection attempts in any second."""
    return max((sum(begin <= at < begin + 1 for at in moments) for begin in moments), default=0)


def emptied(site: FaultSite, scale: Scale) -> Row:
    """7: FLUSHALL while 100 calls are parked, on a site whose tenants come from the board in Redis."""
    finding = Finding(7, "FLUSHALL with 100 calls parked")
    count = scale.of(100, 30)
    site.ready()
    site.crm.behave(low_ms=1000, high_ms=1300)
    mark = site.mark()
    parked = site.call(count, 100)
    site.wait_parked(count, mark)

    site.redis.say(b"FLUSHALL\r\n")
    emptied_at = time.time()
    back_after = _seconds_until_whole(site)
    site.crm.behave()
    time.sleep(max(0.0, emptied_at + 1 - time.time()))
    later = site.call(scale.of(100, 30), 50)
    account = site.account(mark, parked, later)

    finding.most("plans back after", back_after, 1.0)
    finding.taken("from 1 s after", account.parked_between(emptied_at + 1), TAKEN, 100)
    first = account.parked_between(0, emptied_at)
    finding.figures.append(
        f"of the parked {100 * first.share_taken(TAKEN):.3g} % by their CRM, "
        f"{100 * first.share_taken():.3g} % by their rule"
    )
    return finding.row(account)


def _seconds_until_whole(site: FaultSite) -> float:
    """Until the board has every tenant's plan and its mark again."""
    began = time.monotonic()
    entries = site.plan.tenants + 1
    while time.monotonic() - began < 10:
        said = site.redis.say(b"HLEN crmroute:{p}:plan-numbers\r\n")
        if said.startswith(b":") and int(said[1:]) >= entries:
            break
        time.sleep(0.01)
    return time.monotonic() - began
