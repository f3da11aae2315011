"""Finished calls on their way into a CRM, on Redis: open calls, the queue, and what a person sees of it.

An open call is a hash: the account of its last parking, and of the one whose look-up said most of the caller.
Closing it deletes the hash and queues the call in one step, so that of several routers one does it; the id of
a call that was queued is remembered for as long as it may wait.

The queue keeps calls over an outage of their CRM. Each integration is a lane of its own, and workers take
from the lanes in turn; a lane whose CRM is away rests as a whole. What a worker holds is in its hands for the
time of a lease, and then due again. What a moment is compared with is Redis's own clock always.
`router/store/scripts/log_prelude.lua` tells how a lane is kept.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import structlog
from msgspec.structs import replace

from router.core.call_logs import FinishedCall
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import KeptCall, OpenCall
from router.store.batches import Batcher
from router.store.call_log_seam import IntegrationLog, KeptLog, TakenCall
from router.store.errors import StoreError
from router.store.keys import Keys
from router.store.limits import OPEN_CALL_SECONDS, CallLogLimits, full_log_text, given_up_text
from router.store.packing import Unreadable, pack, unpack_finished_call, unpack_open_call
from router.store.scripts import Scripts

log = structlog.get_logger(__name__)

TURNS_MOST = 256
"""Lanes looked at in one step: it bounds how long the script keeps Redis busy."""
RETRIED_MOST = 200
"""Calls put back in one step, for the same reason."""


def call_log_id(integration: IntegrationName, call_id: Uniqueid) -> str:
    """32 hexadecimal digits that stand for one call in one CRM."""
    return blake2b(f"{integration}\0{call_id}".encode(), digest_size=16).hexdigest()


def caller_id(call: FinishedCall) -> str:
    """32 hexadecimal digits that stand for one caller in one module of one CRM."""
    names = f"{call.integration}\0{call.create_in}\0{call.caller}"
    return blake2b(names.encode(), digest_size=16).hexdigest()


class RedisOpenCalls:
    def __init__(self, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self.limits = CallLogLimits()
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys

    async def open(self, call: OpenCall) -> None:
        await self._scripts.run(
            "log_open",
            (
                *self._keys.call_log(self._keys.shard(call.tenant)),
                self._keys.open_call(call.tenant, call.call_id),
            ),
            self.limits.in_hand,
            call.tenant,
            call_log_id(call.integration, call.call_id),
            pack(call),
            call.rank,
            call.knowledge,
            round(call.started_at * 1000),
            OPEN_CALL_SECONDS * 1000,
        )

    async def find(self, tenant: TenantId, call_id: Uniqueid) -> KeptCall | None:
        key = self._keys.open_call(tenant, call_id)
        latest, known, started_ms = await self._batcher.call(key, "HMGET", key, "latest", "known", "started")
        if latest is None or started_ms is None:
            return None
        try:
            return KeptCall(
                unpack_open_call(latest), unpack_open_call(known) if known else None, int(started_ms) / 1000
            )
        except Unreadable as error:
            log.warning("store.open_call_unreadable", tenant=tenant, uniqueid=call_id, problem=str(error))
            return None

    async def close(self, call: OpenCall, finished: FinishedCall | None) -> bool:
        limits = self.limits
        closed = await self._scripts.run(
            "log_close",
            (
                *self._keys.call_log(self._keys.shard(call.tenant)),
                self._keys.open_call(call.tenant, call.call_id),
            ),
            limits.in_hand,
            call.tenant,
            call.integration,
            call_log_id(call.integration, call.call_id),
            pack(finished) if finished else b"",
            limits.given_up_seconds * 1000,
            (limits.given_up_seconds + limits.failed_seconds) * 1000,
            limits.waiting,
            limits.failed_seconds * 1000,
            limits.failed,
            full_log_text(limits.waiting),
        )
        return bool(closed)


class RedisCallLogQueue:
    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self.limits = CallLogLimits()
        self._scripts = scripts
        self._keys = keys
        self._first = 0

    async def take(self, most: int, lease_seconds: float) -> list[TakenCall]:
        taken: list[TakenCall] = []
        problem: StoreError | None = None
        # Each time another shard comes first, so that no ring is served better.
        self._first = (self._first + 1) % self._keys.shards
        for number in range(self._keys.shards):
            shard = (self._first + number) % self._keys.shards
            if len(taken) < most:
                try:
                    taken += await self._take_from(shard, most - len(taken), lease_seconds)
                except StoreError as error:
                    # On a Cluster the other shards' masters may be well, and what was taken is in our hands.
                    problem = error
        if problem is not None and not taken:
            raise problem
        return taken

    async def _take_from(self, shard: int, most: int, lease_seconds: float) -> list[TakenCall]:
        rows = await self._run("log_take", shard, most, TURNS_MOST, round(lease_seconds * 1000))
        return await self._readable(rows)

    async def done(self, taken: TakenCall) -> None:
        await self._settle("log_done", taken)

    async def postpone(
        self, taken: TakenCall, problem: str, delay_seconds: float, pause_seconds: float = 0.0
    ) -> None:
        limits = self.limits
        await self._settle(
            "log_postpone",
            taken,
            taken.tries,
            problem,
            round(delay_seconds * 1000),
            round(pause_seconds * 1000),
            limits.given_up_seconds * 1000,
            limits.failed_seconds * 1000,
            limits.failed,
            given_up_text(limits.given_up_seconds / 3600, problem),
        )

    async def fail(self, taken: TakenCall, problem: str) -> None:
        kept_ms = self.limits.failed_seconds * 1000
        await self._settle("log_fail", taken, taken.tries, problem, kept_ms, self.limits.failed)

    async def begin_record(self, call: FinishedCall, seconds: float) -> bool:
        lock = self._keys.making(call.tenant, caller_id(call))
        entry_id = call_log_id(call.integration, call.call_id)
        return bool(await self._scripts.run("begin_record", (lock,), entry_id, round(seconds * 1000)))

    async def _settle(self, script: str, taken: TakenCall, *args: str | int) -> None:
        call = taken.call
        await self._run(script, self._keys.shard(call.tenant), call.tenant, call.integration, taken.id, *args)

    async def _run(self, script: str, shard: int, *args: str | int) -> Any:
        return await self._scripts.run(script, self._keys.call_log(shard), self.limits.in_hand, *args)

    async def _readable(self, rows: Sequence[Any]) -> list[TakenCall]:
        taken: list[TakenCall] = []
        for lane, raw_id, raw_call, tries, lost, age_ms, failures, again in rows:
            tenant, _, integration = lane.decode().partition(":")
            call_id = raw_id.decode()
            try:
                call = unpack_finished_call(raw_call)
            except Unreadable as error:
                log.error("store.call_log_unreadable", tenant=tenant, entry=call_id, problem=str(error))
                await self._drop(TenantId(tenant), integration, call_id)
                continue
            call = replace(call, is_repeat=tries > 1 or bool(again))
            taken.append(TakenCall(call_id, call, tries, lost, age_ms / 1000, failures))
        return taken

    async def _drop(self, tenant: TenantId, integration: str, call_id: str) -> None:
        """Nobody could ever write it. Where dropping fails, the end of its lease brings it here again."""
        try:
            await self._run("log_done", self._keys.shard(tenant), tenant, integration, call_id)
        except StoreError as error:
            log.warning("store.call_log_drop_failed", tenant=tenant, entry=call_id, problem=str(error))


class RedisCallLogDesk:
    def __init__(self, batcher: Batcher, scripts: Scripts, keys: Keys) -> None:
        self.limits = CallLogLimits()
        self._batcher = batcher
        self._scripts = scripts
        self._keys = keys

    async def tenants(self) -> list[TenantId]:
        found: list[TenantId] = []
        for shard in range(self._keys.shards):
            key = self._keys.log_tenants(shard)
            found += [TenantId(name.decode()) for name in await self._batcher.call(key, "SMEMBERS", key)]
        return sorted(found)

    async def overview(self, tenant: TenantId) -> list[IntegrationLog]:
        rows = await self._run("log_overview", tenant, self.limits.failed_seconds * 1000)
        logs = [
            IntegrationLog(
                integration=IntegrationName(name.decode()),
                waiting=waiting,
                in_hand=in_hand,
                failed=failed,
                failures=failures,
                paused_seconds=paused_ms / 1000,
                problem=problem.decode(errors="replace"),
            )
            for name, waiting, in_hand, failed, failures, paused_ms, problem in rows
        ]
        return sorted(logs, key=lambda one: one.integration)

    async def waiting(self, tenant: TenantId, most: int) -> list[KeptLog]:
        found = _kept(await self._run("log_list", tenant, "waiting", most))
        return sorted(found, key=lambda one: one.due_seconds)[:most]

    async def failed(self, tenant: TenantId, most: int) -> list[KeptLog]:
        return _kept(await self._run("log_list", tenant, "failed", most))

    async def retry(
        self, tenant: TenantId, integration: IntegrationName | None = None, entry_id: str = ""
    ) -> int:
        kept_ms = (self.limits.given_up_seconds + self.limits.failed_seconds) * 1000
        count, left = 0, 1
        while left:
            back, left = await self._run(
                "log_retry", tenant, integration or "", entry_id, RETRIED_MOST, kept_ms
            )
            count += back
        return count

    async def _run(self, script: str, tenant: TenantId, *args: str | int) -> Any:
        keys = self._keys.call_log(self._keys.shard(tenant))
        return await self._scripts.run(script, keys, self.limits.in_hand, tenant, *args)


def _kept(rows: Sequence[Any]) -> list[KeptLog]:
    found: list[KeptLog] = []
    for raw_id, raw_call, tries, problem, age_ms, due_ms, failed_ms in rows:
        try:
            call = unpack_finished_call(raw_call)
        except Unreadable as error:
            log.error("store.call_log_unreadable", entry=raw_id.decode(), problem=str(error))
            continue
        found.append(
            KeptLog(
                id=raw_id.decode(),
                call=call,
                tries=tries,
                problem=problem.decode(errors="replace"),
                age_seconds=age_ms / 1000,
                due_seconds=due_ms / 1000,
                failed_seconds=failed_ms / 1000,
            )
        )
    return found
