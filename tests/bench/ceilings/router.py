"""One router's ceiling: calls as quickly as it decides them, callers known and new."""

from typing import Any

import msgspec

from tests.bench.ceilings.loads import Load, LoadResult
from tests.bench.ceilings.scripted_site import AmiProgram, rest, scripted_site
from tests.bench.processes import cpu_seconds, used_ms

KNOWN_CALLERS = 200
IN_FLIGHT_KNOWN = 64
IN_FLIGHT_NEW = 200
CRM_MS = 20
_KNOWN_FROM, _NEW_FROM = 70_000_000, 10_000_000


def router_ceiling(calls: int) -> list[dict[str, Any]]:
    """Per core: calls for each second of the router's own processor time."""
    results = []
    with scripted_site(crm_ms=CRM_MS) as (site, ami):
        worker, router = site.start_worker(), site.start_router()
        pids = {"router": router.pid, "worker": worker.pid, "redis": site.redis_pid()}
        known = Load(KNOWN_CALLERS, in_flight=20, first_caller=_KNOWN_FROM)
        ami.play(known)
        rest()
        cached = Load(calls, IN_FLIGHT_KNOWN, first_caller=_KNOWN_FROM, callers=KNOWN_CALLERS)
        results.append(_measured(ami, cached, pids, "known"))
        new = Load(calls // 2, IN_FLIGHT_NEW, first_caller=_NEW_FROM)
        results.append(_measured(ami, new, pids, "new"))
    return results


def _measured(ami: AmiProgram, load: Load, pids: dict[str, int], callers: str) -> dict[str, Any]:
    before = cpu_seconds(pids)
    result: LoadResult = ami.play(load)
    rest()
    used = used_ms(before, cpu_seconds(pids), load.calls)
    return {
        "what": "router",
        "callers": callers,
        "in_flight": load.in_flight,
        **msgspec.to_builtins(result),
        "per_second": round(load.calls / result.seconds),
        "cpu_ms": used,
        "per_core": round(1000 / used["router"]) if used["router"] else 0,
    }
