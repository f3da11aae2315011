"""Repeats what is in Redis: every job of a tenant, and every answer to every router, five times in all."""

import threading
from collections.abc import Sequence
from typing import Any, Self

import redis

from router.core.identities import RouterName, TenantId
from router.store.keys import Keys

COPIES = 4


class Repeater:
    """A thread that reads the streams as they grow; what it has written itself it leaves alone."""

    def __init__(self, url: str, tenant: str, routers: Sequence[str]) -> None:
        keys = Keys("crmroute", 1)
        self.jobs = self.answers = 0
        self._client: redis.Redis = redis.Redis.from_url(url)
        self._jobs = keys.jobs(TenantId(tenant))
        self._answers = [keys.answers(RouterName(router)) for router in routers]
        self._own: set[bytes] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="repeater", daemon=True)

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
        places: dict[Any, Any] = dict.fromkeys((self._jobs, *self._answers), begin)
        while not self._is_over.is_set():
            read: Any = self._client.xread(places, count=100, block=200)
            for name, entries in read:
                for entry_id, fields in entries:
                    places[name.decode()] = entry_id.decode()
                    if entry_id not in self._own:
                        self._repeat(name.decode(), fields)

    def _repeat(self, name: str, fields: dict[Any, Any]) -> None:
        is_job = name == self._jobs
        if is_job:
            self.jobs += 1
        else:
            self.answers += 1
        for target in [self._jobs] if is_job else self._answers:
            for _ in range(COPIES if target == name else COPIES + 1):
                self._own.add(self._client.xadd(target, fields))  # type: ignore[arg-type]  # bytes without decoding
