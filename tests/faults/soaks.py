"""Fault 25: the soak. Calls come all the time, and each minute something else breaks."""

import random
import signal
import statistics
import time
from collections.abc import Callable
from typing import Any

import redis

from router.store.keys import Keys
from tests.faults.memory import resident_mb
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite

MEASURED = ("router-a", "worker-0", "worker-1", "worker-2")
"""Never killed, so that their memory tells of the whole time; the others are."""
PENDING_MS = 60_000
HELD = 7
"""Where the stem of jobs in workers' hands stands among the keys of a queue."""
SAMPLE_SECONDS = 5.0


def soak(site: FaultSite, scale: Scale) -> Row:
    """25: 20 calls/s with a random fault each minute, and a clock that jumps by an hour."""
    finding = Finding(25, "soak with random faults and a clock jump")
    seconds, every, rate = scale.of(scale.soak_seconds, 24), scale.of(60, 8), scale.of(20, 10)
    site.ready()
    chance = random.Random()
    # The jump is always among them.
    faults = [clocks_jump, *chance.sample(FAULTS, len(FAULTS))]
    mark = site.mark()
    placed = site.call(seconds * rate, rate)
    memory: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURED}
    done: list[str] = []

    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until - every / 2:
        began = time.monotonic()
        fault = faults[number % len(faults)]
        number += 1
        _sample(site, memory, chance.uniform(0.2, 0.5) * every)
        fault(site)
        done.append(fault.__name__)
        _sample(site, memory, began + every - time.monotonic())
    account = site.account(mark, placed)

    finding.figures.append(f"{len(done)} faults ({', '.join(done)})")
    finding.expect(site.all_alive, "a process ended by itself")
    finding.figures.append(f"taken {100 * account.share_taken():.4g} %")
    finding.most("parked", account.longest_parked(), site.plan.hold + site.plan.grace + 0.5)
    finding.most("pending over 60 s", _pending(site), 0, "")
    sizes = {name: [size for _, size in points] for name, points in memory.items()}
    finding.figures += [f"{name} {size[0]:.1f} to {size[-1]:.1f} MB" for name, size in sizes.items()]
    if scale.is_full:
        slopes = {name: _slope(points) for name, points in memory.items()}
        steepest = max(slopes, key=lambda name: slopes[name])
        finding.most(f"memory's slope of {steepest}", slopes[steepest], 1.0, " MB/h")
    return finding.row(account)


def _sample(site: FaultSite, memory: dict[str, list[tuple[float, float]]], seconds: float) -> None:
    """Look at the processes' memory for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for name, points in memory.items():
            points.append((time.monotonic(), resident_mb(site.processes[name].pid)))
        time.sleep(min(SAMPLE_SECONDS, left))


def _slope(points: list[tuple[float, float]]) -> float:
    """MB an hour over the second half: the first one fills caches and pools."""
    half = points[len(points) // 2 :]
    moments, sizes = [at for at, _ in half], [size for _, size in half]
    return statistics.linear_regression(moments, sizes).slope * 3600


def _pending(site: FaultSite) -> int:
    """Jobs that a worker took over a minute ago, and that nobody ended."""
    client: Any = redis.Redis.from_url(site.redis_url)
    try:
        seconds, _ = client.time()
        held = client.scan_iter(match=f"{Keys('crmroute', 1).queue(0)[HELD]}*")
        return sum(client.zcount(key, "-inf", seconds * 1000 - PENDING_MS) for key in held)
    finally:
        client.close()


# What breaks


def router_killed(site: FaultSite) -> None:
    site.kill("router-b")
    time.sleep(1)
    site.start_router("router-b")


def worker_killed(site: FaultSite) -> None:
    site.kill("worker-3")
    site.start_worker("worker-3")


def redis_gone(site: FaultSite) -> None:
    site.redis.stop()
    time.sleep(3)
    site.redis.start()


def redis_frozen(site: FaultSite) -> None:
    site.redis.freeze()
    time.sleep(3)
    site.redis.thaw()


def redis_emptied(site: FaultSite) -> None:
    site.redis.say(b"FLUSHALL\r\n")


def link_reset(site: FaultSite) -> None:
    for tap in site.ami_taps.values():
        tap.reset()


def link_black(site: FaultSite) -> None:
    tap = site.ami_taps["router-a"]
    tap.go_black()
    time.sleep(5)
    tap.mend()


def link_cut(site: FaultSite) -> None:
    for tap in site.ami_taps.values():
        tap.cut()
    time.sleep(3)
    for tap in site.ami_taps.values():
        tap.mend()


def router_stopped(site: FaultSite) -> None:
    site.signal("router-b", signal.SIGSTOP)
    time.sleep(5)
    site.signal("router-b", signal.SIGCONT)


def crm_silent(site: FaultSite) -> None:
    site.crm.behave("silent")
    time.sleep(5)
    site.crm.behave()


def clocks_jump(site: FaultSite) -> None:
    """An hour, in every process but Redis."""
    for name in (*site.routers, *site.workers):
        site.signal(name, signal.SIGUSR1)


FAULTS: tuple[Callable[[FaultSite], None], ...] = (
    router_killed, worker_killed, redis_gone, redis_frozen, redis_emptied, link_reset, link_black, link_cut,
    router_stopped, crm_silent,
)  # fmt: skip
