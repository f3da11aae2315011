"""An AMI server that does as a test tells it: real sockets on loopback, no Asterisk behind them.

Left alone it behaves: it greets, lets the account in, says FullyBooted, counts claims, accepts variables and
Redirects, and lists the calls it was given. All it received, over all connections, stands in `received`.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tests.ami.watching import Watch

Headers = Mapping[str, str]

LOGGED_IN = "Authentication accepted"
STATE = "Getvar of ROUTE_STATE"
UNESCAPED_ROW = {
    "ChannelState": "4",
    "ChannelStateDesc": "Ring",
    "CallerIDNum": "33612345678",
    "CallerIDName": "Ada",
    "Context": "route-hold",
    "Exten": "s",
    "Priority": "42",
    "Application": "Wait",
    "ApplicationData": "6",
}


def message(headers: Sequence[tuple[str, str]] | Headers, encoding: str = "utf-8") -> bytes:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return ("".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n").encode(encoding)


def user_event(name: str, uniqueid: str, **fields: str) -> bytes:
    """A UserEvent of a channel, as Asterisk 22 writes it."""
    channel = fields.pop("Channel", f"PJSIP/trunk-{uniqueid}")
    standard = {
        "Event": "UserEvent",
        "Privilege": "user,all",
        "Channel": channel,
        "CallerIDNum": "33612345678",
        "CallerIDName": fields.pop("CallerIDName", "Ada"),
        "Context": "route-hold",
        "Uniqueid": uniqueid,
        "Linkedid": uniqueid,
        "UserEvent": name,
    }
    timestamp = {"Timestamp": fields.pop("Timestamp")} if "Timestamp" in fields else {}
    return message(standard | timestamp | {"V": "1"} | fields)


def parked_event(uniqueid: str, **fields: str) -> bytes:
    ours = {
        "Tenant": "acme",
        "Did": "33180000000",
        "Entry": "",
        "From": "33612345678",
        "Pres": "allowed",
        "N": "1",
        "HoldMs": "6000",
        "Digits": "",
        "Asked": "",
    }
    return user_event("RouteParked", uniqueid, **(ours | fields))


def channel_row(uniqueid: str, **headers: str) -> list[tuple[str, str]]:
    """A row of CoreShowChannels, of a channel that waits for us."""
    usual = {
        "Event": "CoreShowChannel",
        "Channel": f"PJSIP/trunk-{uniqueid}",
        **UNESCAPED_ROW,
        "Uniqueid": uniqueid,
        "Linkedid": uniqueid,
    }
    return list((usual | headers).items())


def parked_state(deadline: int, **parts: str) -> str:
    """ROUTE_STATE as `route-hold` sets it."""
    usual = {
        "tenant": "acme",
        "did": "33180000000",
        "entry": "",
        "caller": "33612345678",
        "pres": "allowed",
        "n": "1",
        "deadline": str(deadline),
        "holdms": "6000",
        "digits": "",
        "asked": "",
    }
    assert parts.keys() <= usual.keys()
    return "|".join((usual | parts).values())


class ScriptedServer:
    def __init__(self, watch: Watch, tls: ssl.SSLContext | None = None) -> None:
        self.greeting = b"Asterisk Call Manager/9.0.0\r\n"
        self.version = "22.10.1~dfsg+~cs6.16.60671435-1"
        self.started = ("2026-11-23", "10:00:00")
        self.uptime: int | None = 1000
        self.timestamp = "1700000000.250000"
        self.login_error = ""
        self.errors: dict[str, str] = {}
        """Action -> the message of the Error that it is answered with. A Getvar of ROUTE_STATE is `STATE`."""
        self.silent: set[str] = set()
        """Actions that are received and never answered."""
        self.late: dict[str, asyncio.Event] = {}
        """Action -> answered only once this is set. The others wait behind it, as in Asterisk."""
        self.gone: set[str] = set()
        self.rows: list[list[tuple[str, str]]] = []
        self.states: dict[str, str] = {}
        """Channel -> its ROUTE_STATE."""
        self.before_states = b""
        """Said between the list and the first channel's ROUTE_STATE."""
        self.before_list = b""
        self.after_list = b""
        """Said between a list and whatever comes next, in one packet with the list."""
        self.piece_bytes = 0
        """Everything is written in pieces of so many bytes."""
        self.received: list[dict[str, str]] = []
        self.connections = 0
        self.resets = 0
        """Connections that their client ended by a TCP reset."""
        self.counters: dict[tuple[str, str], int] = {}
        self.watch = watch
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._is_black = False
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def aclose(self) -> None:
        await self.stop_listening()
        for task in list(self._writers.values()):
            task.cancel()
        await asyncio.gather(*self._writers.values(), return_exceptions=True)

    # What a test looks at

    def names(self) -> list[str]:
        return [_name(action) for action in self.received]

    def sent(self, name: str) -> list[dict[str, str]]:
        return [action for action in self.received if _name(action) == name]

    async def until_received(self, name: str, count: int = 1) -> None:
        await self.watch.until(lambda: len(self.sent(name)) >= count)

    # What a test does

    def park(self, uniqueid: str, deadline: int, **parts: str) -> None:
        """A call that was parked before anybody connected."""
        self.rows.append(channel_row(uniqueid))
        self.states[f"PJSIP/trunk-{uniqueid}"] = parked_state(deadline, **parts)

    def say(self, raw: bytes) -> None:
        for writer in self._writers:
            self._write(writer, raw)

    def claim_elsewhere(self, channel: str, parking: int) -> None:
        self._count(channel, f"INC(ROUTE_CLAIM_{parking})")

    def reset(self) -> None:
        """End every connection with a TCP reset."""
        for writer in list(self._writers):
            connected = writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def hang_up(self) -> None:
        """End every connection in TCP's orderly way."""
        for writer in list(self._writers):
            writer.close()

    def go_black(self) -> None:
        """From here on nothing is read, answered or closed."""
        self._is_black = True
        for writer in self._writers:
            writer.transport.pause_reading()  # type: ignore[attr-defined]

    def come_back(self) -> None:
        self._is_black = False

    # Serving

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers[writer] = task
        self.connections += 1
        self.watch.stir()
        try:
            if self._is_black:
                await asyncio.Event().wait()
            self._write(writer, self.greeting)
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                await self._act(writer, _parse(raw))
        except ConnectionResetError:
            self.resets += 1
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the other side is gone, or the test ends
        finally:
            del self._writers[writer]
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
            self.watch.stir()

    async def _act(self, writer: asyncio.StreamWriter, action: dict[str, str]) -> None:
        name = _name(action)
        self.received.append(action)
        self.watch.stir()
        if name in self.late:
            await self.late[name].wait()
        if self._is_black or name in self.silent:
            return
        answer = self._answer(action)
        self._write(writer, answer)
        if name == "Login" and self.login_error:
            await writer.drain()
            raise BrokenPipeError

    def _answer(self, action: dict[str, str]) -> bytes:
        name = _name(action)
        error = self.login_error if name == "Login" else self.errors.get(name, "")
        if error:
            return _response(action, "Error", Message=error)
        if action.get("Channel") in self.gone:
            return _response(action, "Error", Message=f"Channel does not exist: {action['Channel']}")
        return _ANSWERS[name](self, action)

    def _count(self, channel: str, variable: str) -> int:
        key = (channel, variable)
        self.counters[key] = self.counters.get(key, 0) + 1
        return self.counters[key]

    def _write(self, writer: asyncio.StreamWriter, raw: bytes) -> None:
        for begin in range(0, len(raw), self.piece_bytes or max(len(raw), 1)):
            writer.write(raw[begin : begin + (self.piece_bytes or len(raw))])

    def _on_login(self, action: dict[str, str]) -> bytes:
        answer = _response(action, "Success", Message=LOGGED_IN)
        if self.uptime is None:
            return answer
        booted = {"Event": "FullyBooted", "Privilege": "system,all", "Uptime": str(self.uptime)}
        return answer + message(booted | {"LastReload": "5", "Status": "Fully Booted"})

    def _on_settings(self, action: dict[str, str]) -> bytes:
        return _response(action, "Success", AMIversion="9.0.0", AsteriskVersion=self.version, SystemName="a")

    def _on_status(self, action: dict[str, str]) -> bytes:
        date, time = self.started
        return _response(action, "Success", CoreStartupDate=date, CoreStartupTime=time)

    def _on_ping(self, action: dict[str, str]) -> bytes:
        return _response(action, "Success", Ping="Pong", Timestamp=self.timestamp)

    def _on_list(self, action: dict[str, str]) -> bytes:
        number = [("ActionID", action["ActionID"])]
        rows = b"".join(message([row[0], *number, *row[1:]]) for row in self.rows)
        begin = _response(action, "Success", EventList="start", Message="Channels will follow")
        complete = [("Event", "CoreShowChannelsComplete"), ("EventList", "Complete")]
        end = message([*complete, ("ListItems", str(len(self.rows))), *number])
        return self.before_list + begin + rows + end + self.after_list

    def _on_getvar(self, action: dict[str, str]) -> bytes:
        value = str(self._count(action["Channel"], action["Variable"]))
        return _response(action, "Success", Variable=action["Variable"], Value=value)

    def _on_state(self, action: dict[str, str]) -> bytes:
        said, self.before_states = self.before_states, b""
        value = self.states.get(action["Channel"], "")
        return said + _response(action, "Success", Variable=action["Variable"], Value=value)

    def _on_setvar(self, action: dict[str, str]) -> bytes:
        return _response(action, "Success", Message="Variable Set")

    def _on_redirect(self, action: dict[str, str]) -> bytes:
        return _response(action, "Success", Message="Redirect successful")


_ANSWERS: dict[str, Callable[[ScriptedServer, dict[str, str]], bytes]] = {
    "Login": ScriptedServer._on_login,
    "CoreSettings": ScriptedServer._on_settings,
    "CoreStatus": ScriptedServer._on_status,
    "Ping": ScriptedServer._on_ping,
    "CoreShowChannels": ScriptedServer._on_list,
    "Getvar": ScriptedServer._on_getvar,
    STATE: ScriptedServer._on_state,
    "Setvar": ScriptedServer._on_setvar,
    "Redirect": ScriptedServer._on_redirect,
}


def _name(action: Headers) -> str:
    return STATE if action.get("Variable") == "ROUTE_STATE" else action["Action"]


def _response(action: Headers, response: str, **headers: str) -> bytes:
    return message({"Response": response, "ActionID": action["ActionID"], **headers})


def _parse(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)
