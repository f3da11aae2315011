"""An Asterisk that is none: speaks AMI and plays the holding dialplan, for more calls than SIP brings here.

Calls are parked, claimed, moved, defaulted when HOLD and GRACE are over, and hung up, as `crmroute.conf` has
it; what happens is kept as the lines of a ledger. It runs in a thread of its own. The faults that are about
Asterisk itself never run on it.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import uvloop

from deploy.rig.callers import CallCounts, Caller
from deploy.rig.ledger import LedgerLine
from tests.ami.scripted_server import channel_row, message, parked_event, parked_state, user_event
from tests.faults.tenants import DEFAULTED, did_of, name_of

Action = dict[str, str]


@dataclass
class _Call:
    uniqueid: str
    channel: str
    tenant: str
    number: str
    did: str
    deadline: float
    stay: float
    """Seconds between the landing and the hang-up."""
    over: "asyncio.Future[None]"
    claims: int = 0
    is_parked: bool = True
    variables: dict[str, str] = field(default_factory=dict)


class ScriptedCalls:
    """Calls under way."""

    def __init__(self, over: "Future[int]") -> None:
        self._over = over

    def wait(self) -> CallCounts:
        return CallCounts(self._over.result(600), 0)

    def stop(self) -> None:
        """They end by themselves."""


class ScriptedAsterisk:
    """Has what a site asks of `RunningAsterisk`."""

    name = "pbx-a"
    ami_secret = "scripted"
    sip_port = 0

    def __init__(self, hold: float, grace: float) -> None:
        self.ami_port = 0
        self._hold = hold
        self._grace = grace
        self._lines: list[LedgerLine] = []
        self._calls: dict[str, _Call] = {}
        self._sessions: set[asyncio.StreamWriter] = set()
        self._numbers = itertools.count(1)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted Asterisk", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start()).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # What a site asks

    def ledger(self) -> list[LedgerLine]:
        return list(self._lines)

    def channels(self) -> int:
        return len(self._calls)

    def command(self, _cli: str) -> str:
        return ""

    def place(
        self, callers: Sequence[Caller], tenants: Sequence[int], rate: float, stay_ms: int
    ) -> ScriptedCalls:
        """The tenants' numbers are called in turn."""
        return ScriptedCalls(self._do(self._place(callers, tenants, rate, stay_ms / 1000)))

    # Calls

    async def _place(
        self, callers: Sequence[Caller], tenants: Sequence[int], rate: float, stay: float
    ) -> int:
        begin = self._loop.time()
        left = [self._loop.create_future() for _ in callers]
        for number, (caller, over) in enumerate(zip(callers, left, strict=True)):
            await asyncio.sleep(max(0.0, begin + number / rate - self._loop.time()))
            self._park(caller.number, tenants[number % len(tenants)], stay, over)
        await asyncio.gather(*left)
        return len(callers)

    def _park(self, number: str, tenant_number: int, stay: float, over: "asyncio.Future[None]") -> None:
        did, tenant, serial = did_of(tenant_number), name_of(tenant_number), next(self._numbers)
        uniqueid, channel = f"pbx-a-{int(time.time())}.{serial}", f"PJSIP/trunk-{serial:08x}"
        call = _Call(uniqueid, channel, tenant, number, did, time.time() + self._hold, stay, over)
        self._calls[channel] = call
        self._note("parked", call, tenant=tenant)
        fields = {"Channel": channel, "Tenant": tenant, "Did": did, "From": number}
        self._tell(parked_event(uniqueid, HoldMs=str(round(self._hold * 1000)), **fields))

        self._loop.call_later(self._hold, self._expire, call)

    def _expire(self, call: _Call) -> None:
        if call.is_parked:
            call.claims += 1
            if call.claims == 1:
                self._default(call, "hold")
            else:
                self._loop.call_later(self._grace, self._default, call, "grace")

    def _default(self, call: _Call, why: str) -> None:
        if call.is_parked:
            self._end_parking(call)
            self._note("defaulted", call, why=why, to=DEFAULTED)
            self._tell(self._event("RouteDefaulted", call, Claim=str(call.claims), Why=why, To=DEFAULTED))

    def _land(self, call: _Call) -> None:
        place = call.variables.get("ROUTE_TO", "").replace(",", "/") or DEFAULTED
        self._note("taken", call, to=place)
        self._end_parking(call)
        self._tell(self._event("RouteTaken", call, To=place))

    def _end_parking(self, call: _Call) -> None:
        if call.is_parked:
            call.is_parked = False
            self._loop.call_later(call.stay, self._leave, call)

    def _leave(self, call: _Call) -> None:
        self._calls.pop(call.channel, None)
        self._note("gone", call, where="landed")
        call.over.set_result(None)
        self._tell(self._event("RouteGone", call, Where="landed", Tenant=call.tenant, Secs="1"))

    def _note(self, what: str, call: _Call, **more: str) -> None:
        self._lines.append(LedgerLine(what, call.uniqueid, 1, at=time.time(), **more))

    def _event(self, name: str, call: _Call, **fields: str) -> bytes:
        return user_event(name, call.uniqueid, Channel=call.channel, N="1", **fields)

    def _tell(self, raw: bytes) -> None:
        for writer in self._sessions:
            if not writer.transport.is_closing():
                writer.write(raw)

    # AMI

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.ami_port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._sessions):
            writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                action = _parse(await reader.readuntil(b"\r\n\r\n"))
                writer.write(_ANSWERS[action["Action"]](self, action))
                if action["Action"] == "Login":
                    self._sessions.add(writer)
        self._sessions.discard(writer)
        writer.transport.abort()

    def _on_login(self, action: Action) -> bytes:
        booted = {"Event": "FullyBooted", "Privilege": "system,all", "Uptime": str(int(time.monotonic()))}
        return _success(action, Message="Authentication accepted") + message(booted)

    def _on_settings(self, action: Action) -> bytes:
        return _success(action, AMIversion="9.0.0", AsteriskVersion="22.10.1", SystemName="pbx-a")

    def _on_status(self, action: Action) -> bytes:
        return _success(action, CoreStartupDate="2026-11-23", CoreStartupTime="10:00:00")

    def _on_ping(self, action: Action) -> bytes:
        return _success(action, Ping="Pong", Timestamp=f"{time.time():.6f}")

    def _on_list(self, action: Action) -> bytes:
        number = ("ActionID", action["ActionID"])
        parked = [call for call in self._calls.values() if call.is_parked]
        rows = b"".join(
            message([row[0], number, *row[1:]])
            for row in (channel_row(call.uniqueid, Channel=call.channel) for call in parked)
        )
        head = _success(action, EventList="start", Message="Channels will follow")
        complete = [("Event", "CoreShowChannelsComplete"), ("EventList", "Complete")]
        return head + rows + message([*complete, ("ListItems", str(len(parked))), number])

    def _on_getvar(self, action: Action) -> bytes:
        call = self._calls.get(action["Channel"])
        if call is None:
            return _gone(action)
        if action["Variable"] == "ROUTE_STATE":
            parts = {"tenant": call.tenant, "did": call.did, "caller": call.number}
            holdms = str(round(self._hold * 1000))
            state = parked_state(round(call.deadline), holdms=holdms, **parts) if call.is_parked else ""
            return _success(action, Variable="ROUTE_STATE", Value=state)
        call.claims += 1
        return _success(action, Variable=action["Variable"], Value=str(call.claims))

    def _on_setvar(self, action: Action) -> bytes:
        call = self._calls.get(action["Channel"])
        if call is None:
            return _gone(action)
        call.variables[action["Variable"]] = action.get("Value", "")
        return _success(action, Message="Variable Set")

    def _on_redirect(self, action: Action) -> bytes:
        call = self._calls.get(action["Channel"])
        if call is None:
            return _gone(action)
        self._land(call)
        return _success(action, Message="Redirect successful")

    def _do(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


_ANSWERS: dict[str, Callable[[ScriptedAsterisk, Action], bytes]] = {
    "Login": ScriptedAsterisk._on_login,
    "CoreSettings": ScriptedAsterisk._on_settings,
    "CoreStatus": ScriptedAsterisk._on_status,
    "Ping": ScriptedAsterisk._on_ping,
    "CoreShowChannels": ScriptedAsterisk._on_list,
    "Getvar": ScriptedAsterisk._on_getvar,
    "Setvar": ScriptedAsterisk._on_setvar,
    "Redirect": ScriptedAsterisk._on_redirect,
}


def _success(action: Action, **headers: str) -> bytes:
    return message({"Response": "Success", "ActionID": action["ActionID"], **headers})


def _gone(action: Action) -> bytes:
    problem = f"Channel does not exist: {action['Channel']}"
    return message({"Response": "Error", "ActionID": action["ActionID"], "Message": problem})


def _parse(raw: bytes) -> Action:
    lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)
