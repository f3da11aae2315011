"""So many calls held at once in one router: what each takes of memory, and how late its event loop ever is.

No worker runs, so every call is held until its look-up is given up, and then all leave.
"""

import time
from typing import Any

import msgspec

from tests.bench.ceilings.loads import Load
from tests.bench.ceilings.scripted_site import (
    rest,
    scripted_site,
    start_watched_router,
    worst_stall_ms,
)
from tests.faults.memory import resident_mb

TENANTS = 20
PARKED_PER_SECOND = 1000
HOLD_SECONDS = 20
LOOKUP_SECONDS = 14
WARM_CALLS = 500


def held(calls: int) -> dict[str, Any]:
    rule = f"lookup_seconds = {LOOKUP_SECONDS}"
    settings = f"\n[router]\nhold_seconds = {HOLD_SECONDS}\n"
    with scripted_site(tenants=TENANTS, rule=rule, settings=settings) as (site, ami):
        worker, router = site.start_worker(), start_watched_router(site)
        ami.play(Load(WARM_CALLS, in_flight=20, first_caller=70_000_000, tenants=TENANTS))
        rest()
        worker.stop()
        said, before = len(router.text()), resident_mb(router.pid)
        ami.begin(Load(calls, rate=PARKED_PER_SECOND, tenants=TENANTS, hold_ms=HOLD_SECONDS * 1000))
        # The last one is parked by then, and the first one has not been given up.
        time.sleep(min(LOOKUP_SECONDS - 2.0, calls / PARKED_PER_SECOND + 1.0))
        at_most = resident_mb(router.pid)
        result = ami.result()
        rest()
        stall = worst_stall_ms(router, said)
    return {
        "what": "held",
        **msgspec.to_builtins(result),
        "kb_per_call": round((at_most - before) * 1024 / result.most_held, 2),
        "resident_mb": {"before": round(before, 1), "holding": round(at_most, 1)},
        "worst_stall_ms": stall,
    }
