"""A quick AMI server in a process of its own: parks calls, counts claims, lands what is moved.

    python -m tests.bench.ceilings.ami_program

It says `{"port": …}`, then reads one JSON object a line: a load of calls (`Load`), which it answers with
what became of them. `tests.faults.scripted` plays the whole dialplan; this one plays what a call in good
health needs.
"""

import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import uvloop

from tests.ami.scripted_server import message
from tests.bench.ceilings.loads import Load, LoadResult
from tests.bench.dialplan import did_of, expected
from tests.bench.figures import percentiles

STAY_SECONDS = 0.5
GRACE_SECONDS = 2.0
PLACE_OF_DEFAULT = "bench-land/default/1"

_EVENT = (
    "Event: UserEvent\r\nPrivilege: user,all\r\nTimestamp: {at:.6f}\r\nChannel: {call.channel}\r\n"
    "ChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: {call.number}\r\nCallerIDName: <unknown>\r\n"
    "ConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n"
    "Context: route-hold\r\nExten: s\r\nPriority: 27\r\nUniqueid: {call.uniqueid}\r\n"
    "Linkedid: {call.uniqueid}\r\nUserEvent: {name}\r\nV: 1\r\nN: 1\r\n{more}\r\n"
)
"""What Asterisk 22 sends with a UserEvent of a channel."""


@dataclass
class Call:
    serial: int
    number: str
    tenant: int
    uniqueid: str
    channel: str
    parked_at: float
    claims: int = 0
    is_parked: bool = True
    variables: dict[str, str] = field(default_factory=dict)


class Ami:
    """All sessions hear every call."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.sessions: set[Session] = set()
        self.loop = asyncio.get_running_loop()
        self._serial = 0
        self._load = Load(calls=0)
        self._result = LoadResult()
        self._delays: list[float] = []
        self._is_over: asyncio.Future[None] = self.loop.create_future()
        self._begun = 0

    # A load

    async def play(self, load: Load) -> LoadResult:
        self._load, self._result, self._delays, self._begun = load, LoadResult(calls=load.calls), [], 0
        self._is_over = self.loop.create_future()
        began = time.perf_counter()
        if load.rate:
            while self._begun < load.calls:
                due = min(load.calls, int((time.perf_counter() - began) * load.rate) + 1)
                while self._begun < due:
                    self._park()
                await asyncio.sleep(0.002)
        else:
            for _ in range(min(load.in_flight, load.calls)):
                self._park()
        await self._is_over
        self._result.seconds = time.perf_counter() - began
        self._result.delay_ms = percentiles(self._delays)
        return self._result

    def _park(self) -> None:
        load, number = self._load, self._begun
        self._begun += 1
        self._serial += 1
        caller = f"+336{load.first_caller + number % (load.callers or load.calls):08d}"
        name = f"{self._serial:08x}"
        call = Call(
            self._serial,
            caller,
            number % load.tenants,
            f"pbx-a-{int(time.time())}.{self._serial}",
            f"PJSIP/trunk-{name}",
            time.perf_counter(),
        )
        self.calls[call.channel] = call
        self._result.most_held = max(self._result.most_held, self._begun - self._ended)
        more = (
            f"Tenant: bench{call.tenant}\r\nDid: {did_of('crmroute', call.tenant)}\r\nEntry: \r\n"
            f"From: {caller}\r\nPres: allowed\r\nHoldMs: {load.hold_ms}\r\nDigits: \r\nAsked: \r\n"
        )
        self._say("RouteParked", call, more)
        self.loop.call_later(load.hold_ms / 1000, self._expire, call)

    @property
    def _ended(self) -> int:
        return self._result.arrived + self._result.elsewhere + self._result.defaulted

    def _expire(self, call: Call) -> None:
        if call.is_parked:
            call.claims += 1
            if call.claims == 1:
                self._default(call)
            else:
                self.loop.call_later(GRACE_SECONDS, self._default, call)

    def _default(self, call: Call) -> None:
        if call.is_parked:
            self._result.defaulted += 1
            more = f"Claim: {call.claims}\r\nWhy: hold\r\nTo: {PLACE_OF_DEFAULT}\r\n"
            self._say("RouteDefaulted", call, more)
            self._end(call)

    def land(self, call: Call, exten: str) -> None:
        place = (call.variables.get("ROUTE_TO") or exten).replace(",", "/")
        if not call.is_parked:
            return
        self._delays.append((time.perf_counter() - call.parked_at) * 1000)
        if expected(call.number) in place:
            self._result.arrived += 1
        else:
            self._result.elsewhere += 1
        self._say("RouteTaken", call, f"To: {place}\r\n")
        self._end(call)

    def _end(self, call: Call) -> None:
        call.is_parked = False
        self.loop.call_later(STAY_SECONDS, self._leave, call)
        if self._ended == self._load.calls:
            self._is_over.set_result(None)
        elif not self._load.rate and self._begun < self._load.calls:
            self.loop.call_soon(self._park)

    def _leave(self, call: Call) -> None:
        self.calls.pop(call.channel, None)
        ours = f"Where: landed\r\nTenant: bench{call.tenant}\r\n"
        self._say("RouteGone", call, f"{ours}Secs: 1\r\nTalkMs: 0\r\nMoved: 0\r\nCaller: 1\r\n")

    def _say(self, name: str, call: Call, more: str) -> None:
        raw = _EVENT.format(at=time.time(), call=call, name=name, more=more).encode()
        for session in self.sessions:
            session.say(raw)


class Session(asyncio.Protocol):
    """One AMI connection; what it says in one turn of the loop leaves in one write."""

    def __init__(self, ami: Ami) -> None:
        self._ami = ami
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._transport.write(b"Asterisk Call Manager/9.0.0\r\n")

    def connection_lost(self, _error: Exception | None) -> None:
        self._ami.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        *whole, self._received = (self._received + data).split(b"\r\n\r\n")
        for raw in whole:
            lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
            action = dict(line.split(": ", 1) for line in lines if ": " in line)
            self.say(self._answer(action))

    def say(self, raw: bytes) -> None:
        if not self._out:
            self._ami.loop.call_soon(self._flush)
        self._out.append(raw)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _answer(self, action: dict[str, str]) -> bytes:
        number = action.get("ActionID", "")
        match action["Action"]:
            case "Login":
                self._ami.sessions.add(self)
                booted = {"Event": "FullyBooted", "Privilege": "system,all", "Uptime": "1000"}
                return _success(number, Message="Authentication accepted") + message(booted)
            case "CoreSettings":
                return _success(number, AMIversion="9.0.0", AsteriskVersion="22.10.1", SystemName="pbx-a")
            case "CoreStatus":
                return _success(number, CoreStartupDate="2026-11-23", CoreStartupTime="10:00:00")
            case "Ping":
                return _success(number, Ping="Pong", Timestamp=f"{time.time():.6f}")
            case "CoreShowChannels":
                end = {"Event": "CoreShowChannelsComplete", "EventList": "Complete", "ListItems": "0"}
                started = _success(number, EventList="start", Message="Channels will follow")
                return started + message(end | {"ActionID": number})
        call = self._ami.calls.get(action.get("Channel", ""))
        if call is None:
            problem = f"Channel does not exist: {action.get('Channel', '')}"
            return message({"Response": "Error", "ActionID": number, "Message": problem})
        match action["Action"]:
            case "Getvar":
                call.claims += 1
                return _success(number, Variable=action["Variable"], Value=str(call.claims))
            case "Setvar":
                call.variables[action["Variable"]] = action.get("Value", "")
                return _success(number, Message="Variable Set")
            case "Redirect":
                self._ami.land(call, action["Exten"])
                return _success(number, Message="Redirect successful")
        return message({"Response": "Error", "ActionID": number, "Message": "Invalid/unknown command"})


def _success(number: str, **headers: str) -> bytes:
    return message({"Response": "Success", "ActionID": number, **headers})


async def serve() -> None:
    ami = Ami()
    server = await ami.loop.create_server(lambda: Session(ami), "127.0.0.1", 0)
    _tell({"port": server.sockets[0].getsockname()[1]})
    lines = asyncio.StreamReader()
    await ami.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        _tell(await ami.play(msgspec.json.decode(line, type=Load)))


def _tell(what: Any) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve())
