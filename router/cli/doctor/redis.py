"""Redis or Valkey: can it be used, and will it keep what it is given."""

import time

from router.cli.doctor.findings import Area, Finding, judge_clock
from router.settings.model import RedisSettings
from router.store.errors import StoreError, StoreMisconfigured, StoreRefused
from router.store.redis_store import open_store
from router.store.seams import Store, StoreHealth

OLDEST = (7, 0)
SLOW_MS = 20.0


async def redis_findings(settings: RedisSettings) -> list[Finding]:
    area = Area("redis")
    try:
        store: Store = await open_store(settings)
    except StoreMisconfigured as error:
        area.wrong("address", str(error), "Change it in local.toml, [redis].")
        return area.findings
    try:
        await examine_store(area, store)
    finally:
        await store.aclose()
    return area.findings


async def examine_store(area: Area, store: Store) -> None:
    try:
        health = await store.health()
    except StoreRefused as error:
        area.wrong("login", str(error), "Check user and password in redis.url, and the server's ACL.")
        return
    except StoreError as error:
        mend = (
            "Check redis.url, that the server runs, and the way to it. Calls take their defaults meanwhile."
        )
        area.wrong("reachable", str(error), mend)
        return
    _judge_round_trip(area, health)
    _judge_version(area, health)
    _judge_role(area, health)
    _judge_memory(area, health)
    judge_clock(area, health.time - time.time(), "Redis")


def _judge_round_trip(area: Area, health: StoreHealth) -> None:
    found = f"{health.mode}, {health.nodes} servers" if health.nodes > 1 else health.mode
    if health.round_trip_ms < SLOW_MS:
        area.ok("reachable", found, health.round_trip_ms)
    else:
        mend = "Every look-up takes a few round trips: put Redis near the routers."
        area.warn("reachable", f"{found}, but slow", mend, health.round_trip_ms)


def _judge_version(area: Area, health: StoreHealth) -> None:
    numbers = tuple(int(part) for part in health.version.split(".")[:2] if part.isdecimal())
    found = f"{health.server} {health.version}".strip()
    if numbers and numbers < OLDEST:
        area.wrong("version", found, "Use Redis or Valkey 7.0 or newer.")
    else:
        area.ok("version", found)


def _judge_role(area: Area, health: StoreHealth) -> None:
    if health.role == "master":
        area.ok("role", "master")
    else:
        area.wrong("role", f"{health.role}: it takes no writes", "Name the master, or use redis+sentinel://.")


def _judge_memory(area: Area, health: StoreHealth) -> None:
    if health.appends_only:
        area.ok("persistence", "append-only file")
    else:
        mend = (
            "Set appendonly yes; without it a restart forgets the cache and the decisions of `crmroute why`."
        )
        area.warn("persistence", "no append-only file", mend)
    if health.memory_policy.startswith("allkeys"):
        mend = "Set maxmemory-policy noeviction (or a volatile- one): this one throws jobs away."
        area.wrong("memory policy", health.memory_policy, mend)
    else:
        area.ok("memory policy", health.memory_policy or "noeviction")
