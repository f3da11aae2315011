"""One worker's ceiling, and how look-ups grow with the workers when the CRM takes a second."""

from typing import Any

from deploy.rig.sample_site import Site
from router.settings.model import RedisSettings
from tests.bench.ceilings.lookups import ask
from tests.bench.ceilings.scripted_site import scripted_site
from tests.bench.processes import cpu_seconds, used_ms
from tests.store.servers import settings_for

TENANTS = 20
IN_FLIGHT = 100
WARM_LOOKUPS = 300
SLOTS = 50
"""Of each worker where the CRM takes a second: eight of them then are no more than two cores carry."""
CRM_MS = 1000
RAMP_SECONDS, COUNTED_SECONDS = 3.0, 10.0


def worker_ceiling(calls: int) -> dict[str, Any]:
    """Per core: look-ups for each second of the worker's own processor time."""
    with scripted_site(tenants=TENANTS) as (site, _):
        worker = site.start_worker()
        redis = _redis(site)
        pids = {"worker": worker.pid, "redis": site.redis_pid(), "crm": site.processes["crm"].pid}
        ask(redis, TENANTS, IN_FLIGHT, count=WARM_LOOKUPS)
        before = cpu_seconds(pids)
        asked = ask(redis, TENANTS, IN_FLIGHT, count=calls)
        used = used_ms(before, cpu_seconds(pids), calls)
    return {
        "what": "worker",
        "lookups": calls,
        "found": asked.found,
        "in_flight": IN_FLIGHT,
        "per_second": round(calls / asked.answered_at[-1]),
        "cpu_ms": used,
        "per_core": round(1000 / used["worker"]) if used["worker"] else 0,
    }


def workers(number: int) -> dict[str, Any]:
    settings = f"\n[worker]\nlookups = {SLOTS}\n"
    with scripted_site(tenants=TENANTS, crm_ms=CRM_MS, settings=settings) as (site, _):
        pids = {}
        for one in range(number):
            pids[f"worker-{one}"] = site.start_worker(f"worker-{one}").pid
        # Enough wait in the queue for every slot to be filled again at once.
        seconds = RAMP_SECONDS + COUNTED_SECONDS
        asked = ask(_redis(site), TENANTS, 2 * SLOTS * number, seconds=seconds)
    return {
        "what": "workers",
        "workers": number,
        "slots": SLOTS,
        "crm_ms": CRM_MS,
        "found": asked.found,
        "other": asked.other,
        "per_second": round(asked.per_second(RAMP_SECONDS, seconds), 1),
    }


def _redis(site: Site) -> RedisSettings:
    return settings_for(f"unix://{site.folder / 'redis' / 'redis.sock'}")
