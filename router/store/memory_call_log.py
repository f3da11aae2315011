"""The CRM's call log in one process' memory: the twin of `router.store.call_log` for tests."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from router.core.call_logs import FinishedCall
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import KeptCall, OpenCall
from router.store.call_log import call_log_id, caller_id
from router.store.call_log_seam import IntegrationLog, KeptLog, TakenCall
from router.store.limits import OPEN_CALL_SECONDS, CallLogLimits, full_log_text, given_up_text

_Lane = tuple[TenantId, IntegrationName]
_CallName = tuple[TenantId, str]


@dataclass
class _Entry:
    id: str
    call: FinishedCall
    queued_at: float
    due_at: float
    tries: int = 0
    lost: int = 0
    held_until: float | None = None
    problem: str = ""
    is_again: bool = False
    failed_at: float = 0.0

    @property
    def lane(self) -> _Lane:
        return self.call.tenant, self.call.integration


@dataclass
class _LaneState:
    failures: int = 0
    until: float = 0.0
    served_at: float = -1.0
    problem: str = ""


@dataclass
class _Open:
    accounts: list[OpenCall] = field(default_factory=list)
    opened_at: float = 0.0


class MemoryCallLog:
    """`check` raises while the store is to be away."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.limits = CallLogLimits()
        self._check = check
        self._open: dict[_CallName, _Open] = {}
        self._seen: dict[_CallName, float] = {}
        self._queued: dict[_CallName, _Entry] = {}
        self._failed: dict[_CallName, _Entry] = {}
        self._lanes: dict[_Lane, _LaneState] = {}
        self._making: dict[_CallName, tuple[str, float]] = {}

    def clear(self) -> None:
        """FLUSHALL."""
        for kept in (self._open, self._seen, self._queued, self._failed, self._lanes, self._making):
            kept.clear()

    # A router's side

    async def open(self, call: OpenCall) -> None:
        self._check()
        if self._is_seen(call):
            return
        kept = self._open.setdefault((call.tenant, call.call_id), _Open())
        kept.accounts.append(call)
        kept.opened_at = _now()

    async def find(self, tenant: TenantId, call_id: Uniqueid) -> KeptCall | None:
        self._check()
        kept = self._open.get((tenant, call_id))
        if kept is None or _now() - kept.opened_at >= OPEN_CALL_SECONDS:
            return None
        # Of equals the last one counts, as the script has it.
        latest = max(reversed(kept.accounts), key=lambda one: one.rank)
        known = max(reversed(kept.accounts), key=lambda one: (one.knowledge, one.rank))
        started_at = min(one.started_at for one in kept.accounts)
        return KeptCall(latest, known if known.knowledge else None, started_at)

    async def close(self, call: OpenCall, finished: FinishedCall | None) -> bool:
        self._check()
        if self._open.pop((call.tenant, call.call_id), None) is None or self._is_seen(call):
            return False
        entry_id = call_log_id(call.integration, call.call_id)
        self._seen[call.tenant, entry_id] = _now()
        if finished is None:
            return True
        entry = _Entry(entry_id, finished, _now(), _now())
        if len(self._of(entry.lane)) >= self.limits.waiting:
            self._give_up(entry, full_log_text(self.limits.waiting))
        else:
            self._queued[call.tenant, entry_id] = entry
        return True

    def _is_seen(self, call: OpenCall) -> bool:
        seen_at = self._seen.get((call.tenant, call_log_id(call.integration, call.call_id)))
        return seen_at is not None and _now() - seen_at < self.limits.given_up_seconds

    # A worker's side

    async def take(self, most: int, lease_seconds: float) -> list[TakenCall]:
        self._check()
        self._release()
        taken: list[TakenCall] = []
        while len(taken) < most and (entry := self._next()) is not None:
            state = self._state(entry.lane)
            entry.tries += 1
            entry.held_until = _now() + lease_seconds
            state.served_at = _now()
            call = replace(entry.call, is_repeat=entry.tries > 1 or entry.is_again)
            age = _now() - entry.queued_at
            taken.append(TakenCall(entry.id, call, entry.tries, entry.lost, age, state.failures))
            # Within one moment the lanes come round in the order in which they were served.
            self._lanes[entry.lane] = self._lanes.pop(entry.lane)
        return taken

    async def done(self, taken: TakenCall) -> None:
        self._check()
        name = (taken.call.tenant, taken.id)
        self._queued.pop(name, None)
        self._failed.pop(name, None)
        state = self._state((taken.call.tenant, taken.call.integration))
        state.failures, state.until, state.problem = 0, 0.0, ""

    async def postpone(
        self, taken: TakenCall, problem: str, delay_seconds: float, pause_seconds: float = 0.0
    ) -> None:
        self._check()
        entry = self._in_hand(taken)
        if entry is None:
            return
        entry.held_until, entry.due_at = None, _now() + delay_seconds
        entry.problem, entry.lost = problem, 0
        if pause_seconds > 0:
            state = self._state(entry.lane)
            state.until = max(state.until, _now() + pause_seconds)
            state.failures += 1
            state.problem = problem
            self._give_up_old(entry.lane, problem)

    async def fail(self, taken: TakenCall, problem: str) -> None:
        self._check()
        entry = self._in_hand(taken)
        if entry is not None:
            del self._queued[taken.call.tenant, taken.id]
            self._give_up(entry, problem)

    async def begin_record(self, call: FinishedCall, seconds: float) -> bool:
        self._check()
        caller = (call.tenant, caller_id(call))
        mine = call_log_id(call.integration, call.call_id)
        holder, until = self._making.get(caller, ("", 0.0))
        if until > _now() and holder != mine:
            return False
        self._making[caller] = (mine, _now() + seconds)
        return True

    def _give_up_old(self, lane: _Lane, problem: str) -> None:
        oldest = _now() - self.limits.given_up_seconds
        for entry in self._of(lane):
            if entry.held_until is None and entry.due_at <= oldest:
                del self._queued[entry.call.tenant, entry.id]
                self._give_up(entry, given_up_text(self.limits.given_up_seconds / 3600, problem))

    def _release(self) -> None:
        for entry in self._queued.values():
            if entry.held_until is not None and entry.held_until <= _now():
                entry.held_until, entry.due_at = None, _now()
                entry.lost += 1

    def _next(self) -> _Entry | None:
        """The first due call of the lane whose turn it is."""
        held = Counter(entry.lane for entry in self._queued.values() if entry.held_until is not None)
        lanes: dict[_Lane, _Entry] = {}
        for entry in self._queued.values():
            if entry.held_until is not None or entry.due_at > _now():
                continue
            first = lanes.get(entry.lane)
            if self._has_room(entry.lane, held) and (first is None or entry.due_at < first.due_at):
                lanes[entry.lane] = entry
        order = list(self._lanes)
        turns = sorted(lanes, key=lambda one: (max(self._turn(one), lanes[one].due_at), order.index(one)))
        return lanes[turns[0]] if turns else None

    def _turn(self, lane: _Lane) -> float:
        return self._state(lane).served_at

    def _has_room(self, lane: _Lane, held: Counter[_Lane]) -> bool:
        state = self._state(lane)
        most = 1 if state.failures else self.limits.in_hand
        return state.until <= _now() and held[lane] < most

    def _in_hand(self, taken: TakenCall) -> _Entry | None:
        entry = self._queued.get((taken.call.tenant, taken.id))
        if entry is None or entry.held_until is None or entry.tries != taken.tries:
            return None
        return entry

    def _give_up(self, entry: _Entry, problem: str) -> None:
        entry.problem, entry.failed_at, entry.held_until = problem, _now(), None
        self._failed[entry.call.tenant, entry.id] = entry
        mine = [name for name in self._failed if name[0] == entry.call.tenant]
        for name in mine[: max(len(mine) - self.limits.failed, 0)]:
            del self._failed[name]

    # A person's side

    async def tenants(self) -> list[TenantId]:
        self._check()
        return sorted({name[0] for name in (*self._queued, *self._kept_failed())})

    async def overview(self, tenant: TenantId) -> list[IntegrationLog]:
        self._check()
        entries = [one for one in self._queued.values() if one.call.tenant == tenant]
        failed = [one for name, one in self._kept_failed().items() if name[0] == tenant]
        found: list[IntegrationLog] = []
        for integration in sorted({one.call.integration for one in (*entries, *failed)}):
            mine = [one for one in entries if one.call.integration == integration]
            state = self._state((tenant, integration)) if mine else _LaneState()
            in_hand = sum(one.held_until is not None for one in mine)
            found.append(
                IntegrationLog(
                    integration=integration,
                    waiting=len(mine) - in_hand,
                    in_hand=in_hand,
                    failed=sum(one.call.integration == integration for one in failed),
                    failures=state.failures,
                    paused_seconds=max(state.until - _now(), 0.0),
                    problem=state.problem,
                )
            )
        return found

    async def waiting(self, tenant: TenantId, most: int) -> list[KeptLog]:
        self._check()
        mine = [one for one in self._queued.values() if one.call.tenant == tenant]
        due = sorted(
            mine, key=lambda one: 0.0 if one.held_until is not None else max(one.due_at - _now(), 0.0)
        )
        return [_kept(one) for one in due[:most]]

    async def failed(self, tenant: TenantId, most: int) -> list[KeptLog]:
        self._check()
        mine = [one for name, one in self._kept_failed().items() if name[0] == tenant]
        return [_kept(one) for one in reversed(mine[-most:])]

    async def retry(
        self, tenant: TenantId, integration: IntegrationName | None = None, entry_id: str = ""
    ) -> int:
        self._check()
        wanted = [
            name
            for name, one in self._kept_failed().items()
            if name[0] == tenant and integration in (None, one.call.integration) and entry_id in ("", one.id)
        ]
        for name in wanted:
            entry = self._failed.pop(name)
            self._queued[name] = _Entry(
                entry.id, entry.call, _now(), _now(), is_again=True, problem=entry.problem
            )
        for lane, state in self._lanes.items():
            if lane[0] == tenant and integration in (None, lane[1]):
                state.failures, state.until = 0, 0.0
        return len(wanted)

    def _kept_failed(self) -> dict[_CallName, _Entry]:
        oldest = _now() - self.limits.failed_seconds
        return {name: one for name, one in self._failed.items() if one.failed_at > oldest}

    def _of(self, lane: _Lane) -> list[_Entry]:
        return [one for one in self._queued.values() if one.lane == lane]

    def _state(self, lane: _Lane) -> _LaneState:
        return self._lanes.setdefault(lane, _LaneState())


def _kept(entry: _Entry) -> KeptLog:
    is_failed = entry.failed_at > 0
    is_waiting = not is_failed and entry.held_until is None
    return KeptLog(
        id=entry.id,
        call=entry.call,
        tries=entry.tries,
        problem=entry.problem,
        age_seconds=_now() - entry.queued_at,
        due_seconds=max(entry.due_at - _now(), 0.0) if is_waiting else 0.0,
        failed_seconds=_now() - entry.failed_at if is_failed else 0.0,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
