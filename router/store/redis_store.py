"""The store on Redis: all seams over one set of connections, and how it is opened."""

import asyncio

from router.core.identities import RouterName
from router.settings.model import RedisSettings
from router.store.addresses import Scheme, parse_address
from router.store.answers import RedisAnswers
from router.store.batches import Batcher
from router.store.call_log import RedisCallLogDesk, RedisCallLogQueue, RedisOpenCalls
from router.store.connections import Connections
from router.store.crm_health import RedisCrmHealth
from router.store.decision_stream import RedisDecisionStream
from router.store.embedded import Embedded, join_embedded
from router.store.errand_queue import RedisErrands
from router.store.grant_store import RedisGrantStore
from router.store.job_queue import RedisJobQueue
from router.store.keys import Keys
from router.store.lanes import RedisLanes
from router.store.lookup_queue import RedisLookupQueue
from router.store.plan_board import RedisPlanBoard
from router.store.scripts import Scripts
from router.store.seams import StoreHealth
from router.store.server_leases import RedisServerLeases
from router.store.status_board import RedisStatusBoard
from router.store.telling import Teller
from router.store.wires import check_address

CLUSTER_SHARDS = 16

_MODES = {
    Scheme.SERVER: "standalone",
    Scheme.SOCKET: "standalone",
    Scheme.SENTINEL: "sentinel",
    Scheme.CLUSTER: "cluster",
}


class RedisStore:
    """Needs a running event loop, and no server yet: what cannot be reached makes the single call fail.

    `embedded` tells which server was started on this machine, and is None where `redis.url` names one.
    """

    def __init__(self, settings: RedisSettings, embedded: Embedded | None = None) -> None:
        address = parse_address(embedded.url if embedded else settings.url)
        check_address(address)
        shards = settings.shards or (CLUSTER_SHARDS if address.scheme is Scheme.CLUSTER else 1)
        self.embedded = embedded
        self._scheme = address.scheme
        self._keys = Keys(settings.prefix, shards)
        self._connections = Connections(address, settings.timeout_seconds, settings.connect_seconds)
        self._batcher = Batcher(self._connections)
        self._scripts = Scripts(self._batcher)
        teller = Teller(self._batcher, self._keys)
        self.lookups = RedisLookupQueue(self._batcher, self._scripts, self._keys, teller, settings.jobs_kept)
        self.jobs = RedisJobQueue(self._connections, self._batcher, self._scripts, self._keys, teller)
        self.lanes = RedisLanes(self._scripts, self._keys)
        self.errands = RedisErrands(self._connections, self._batcher, self._keys)
        self.crm_health = RedisCrmHealth(self._scripts, self._keys)
        self.grants = RedisGrantStore(self._batcher, self._scripts, self._keys)
        self.open_calls = RedisOpenCalls(self._batcher, self._scripts, self._keys)
        self.call_log = RedisCallLogQueue(self._scripts, self._keys)
        self.call_log_desk = RedisCallLogDesk(self._batcher, self._scripts, self._keys)
        self.plans = RedisPlanBoard(self._connections, self._batcher, self._scripts, self._keys)
        self.statuses = RedisStatusBoard(self._batcher, self._scripts, self._keys)
        self.leases = RedisServerLeases(self._scripts, self._keys)
        self.decisions = RedisDecisionStream(
            self._connections, self._batcher, self._scripts, self._keys, settings.decisions_kept
        )

    def answers(self, router: RouterName) -> RedisAnswers:
        return RedisAnswers(self._connections, self._scripts, self._keys, router)

    async def health(self) -> StoreHealth:
        loop = asyncio.get_running_loop()
        key = self._keys.decisions
        info = _info(await self._batcher.call(key, "INFO"))
        started = loop.time()
        seconds, microseconds = await self._batcher.call(key, "TIME")
        round_trip = loop.time() - started
        is_valkey = "valkey_version" in info
        return StoreHealth(
            server="valkey" if is_valkey else "redis",
            version=info.get("valkey_version") or info.get("redis_version", ""),
            mode="embedded" if self.embedded else _MODES[self._scheme],
            role=info.get("role", ""),
            nodes=self._connections.route.servers,
            appends_only=info.get("aof_enabled") == "1",
            memory_policy=info.get("maxmemory_policy", ""),
            time=int(seconds) + int(microseconds) / 1_000_000,
            round_trip_ms=round(round_trip * 1000, 3),
        )

    async def aclose(self) -> None:
        await self.jobs.aclose()
        await self.errands.aclose()
        await self._batcher.aclose()
        if self.embedded is not None:
            self.embedded.leave()


async def open_store(settings: RedisSettings) -> RedisStore:
    """The store that the settings name; without an address, on the embedded server of this machine.

    Raises `StoreMisconfigured`.
    """
    embedded = None if settings.url else await asyncio.to_thread(join_embedded, settings.embedded_folder)
    try:
        return RedisStore(settings, embedded)
    except BaseException:
        if embedded is not None:
            embedded.leave()
        raise


def _info(raw: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in raw.decode(errors="replace").splitlines())
    return {name: text for name, separator, text in lines if separator}
