"""Repeats what is in Redis: every job of a tenant, and every answer to every router, five times in all."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import redis

from router.core.identities import RouterName
from router.store.keys import Keys

COPIES = 4
LOOK_SECONDS = 0.01

AGAIN = """
-- Of a tenant's jobs in workers' hands those that are to be handed out again: back among those that wait.
-- KEYS: the shard's queue; ARGV: tenant, integration, copies, how often each was repeated as id and number
local tenant, lane, copies = ARGV[1], ARGV[2], tonumber(ARGV[3])
local made = {}
for i = 4, #ARGV, 2 do made[ARGV[i]] = tonumber(ARGV[i + 1]) end
local held, waiting = KEYS[8] .. tenant .. ':' .. lane, KEYS[7] .. tenant .. ':' .. lane
local again = {}
for _, id in ipairs(redis.call('ZRANGE', held, 0, -1)) do
  if (made[id] or 0) < copies and not redis.call('ZSCORE', waiting, id) then
    redis.call('ZADD', waiting, redis.call('ZSCORE', held, id), id)
    redis.call('ZADD', KEYS[6] .. tenant, 'NX', 0, lane)
    if redis.call('SADD', KEYS[2], tenant) == 1 then redis.call('RPUSH', KEYS[1], tenant) end
    again[#again + 1] = id
  end
end
return again
"""


class Repeater:
    """A thread that reads what there is as it grows; what it has written itself it leaves alone."""

    def __init__(self, url: str, tenant: str, integration: str, routers: Sequence[str]) -> None:
        keys = Keys("crmroute", 1)
        self.answers = 0
        self._client: redis.Redis = redis.Redis.from_url(url)
        self._again: Any = self._client.register_script(AGAIN)
        self._queue = keys.queue(0)
        self._lane = (tenant, integration)
        self._repeated: Counter[str] = Counter()
        self._answers = [keys.answers(RouterName(router)) for router in routers]
        self._own: set[bytes] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="repeater", daemon=True)

    @property
    def jobs(self) -> int:
        """Those that were handed out again, each counted once."""
        return len(self._repeated)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(10)
        self._client.close()

    def _run(self) -> None:
        seconds, micros = self._client.time()
        begin = f"{seconds}{micros // 1000:03d}-0"
        places: dict[Any, Any] = dict.fromkeys(self._answers, begin)
        while not self._is_over.is_set():
            self._repeat_jobs()
            read: Any = self._client.xread(places, count=100)
            for name, entries in read:
                for entry_id, fields in entries:
                    places[name.decode()] = entry_id.decode()
                    if entry_id not in self._own:
                        self._repeat_answer(name.decode(), fields)
            self._is_over.wait(LOOK_SECONDS)

    def _repeat_jobs(self) -> None:
        latest = list(self._repeated.items())[-500:]
        told = [part for pair in latest for part in pair]
        for raw in self._again(keys=self._queue, args=[*self._lane, COPIES, *told]):
            self._repeated[raw.decode()] += 1

    def _repeat_answer(self, name: str, fields: dict[Any, Any]) -> None:
        self.answers += 1
        for target in self._answers:
            for _ in range(COPIES if target == name else COPIES + 1):
                self._own.add(self._client.xadd(target, fields))  # type: ignore[arg-type]  # bytes without decoding
