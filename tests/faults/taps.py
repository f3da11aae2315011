"""A tap between a client and its server: counts the connections, and cuts, resets or holds them on command.

It runs in a thread of its own. `AmiTap` reads along what a router asks of Asterisk, action by action.
"""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

T = TypeVar("T")
CHUNK = 65_536


@dataclass(eq=False)
class Flow:
    """One connection through the tap."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    is_mute: bool = False

    def reset(self) -> None:
        abort(self.client)
        abort(self.server)


class Tap:
    """Listens on a port of loopback for as long as its `with` block lasts."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.attempts: list[float] = []
        """When each connection was asked for; seconds since the epoch."""
        self._flows: set[Flow] = set()
        self._is_cut = False
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tap", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # What a test does

    def reset(self) -> None:
        self._do(self._reset_all)

    def cut(self) -> None:
        """Reset what is open, and refuse what comes, until `mend`."""
        self._is_cut = True
        self.reset()

    def go_black(self) -> None:
        """Connections stay open and nothing passes, either way."""
        self._do(self._flowing.clear)

    def mend(self) -> None:
        """As before. What was sent in the black time arrives, as TCP has it, even when its sender has closed
        the connection since; unless it took it back by a reset."""
        self._is_cut = False
        self._do(self._flowing.set)

    def lead_to(self, port: int) -> None:
        """Another server from here on; what is open is reset."""
        self._target = port
        self.reset()

    def _reset_all(self) -> None:
        for flow in list(self._flows):
            flow.reset()

    # Serving

    async def _start(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset_all()
        current = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.attempts.append(time.time())
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        flow = Flow(writer, server_writer)
        self._flows.add(flow)
        tasks = [
            asyncio.create_task(self._upstream(reader, server_writer, flow)),
            asyncio.create_task(self._downstream(server_reader, writer, flow)),
        ]
        try:
            with suppress(asyncio.CancelledError):  # only the end of the tap cancels
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._flows.discard(flow)
            writer.transport.abort()
            server_writer.transport.abort()

    async def _upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._pass(data, reader, writer)

    async def _downstream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._pass(data, reader, writer)

    async def _pass(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises ConnectionResetError when the sender took back what waited."""
        await self._flowing.wait()
        if (problem := reader.exception()) is not None:
            raise problem
        writer.write(data)
        await writer.drain()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _do(self, what: Callable[[], object]) -> None:
        async def do() -> None:
            what()

        self._call(do())


@dataclass(frozen=True)
class SeenAction:
    at: float
    """Seconds since the epoch."""
    fields: dict[str, str]

    @property
    def name(self) -> str:
        return self.fields.get("Action", "")


class AmiTap(Tap):
    """Keeps what routers asked of Asterisk, and may end a connection right behind an action."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.actions: list[SeenAction] = []
        """What Asterisk got, in order."""
        self.came_late: list[SeenAction] = []
        """Of those, what was sent while the tap was black, and reached Asterisk when it was mended."""
        self.events = 0
        """User events that passed to routers."""
        self.resets_behind: Callable[[SeenAction], bool] = lambda _: False
        """True: once Asterisk has the action its client is reset, and never sees the answer."""

    def sent(self, name: str) -> list[SeenAction]:
        return [action for action in list(self.actions) if action.name == name]

    async def _upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                action, was_black = SeenAction(time.time(), _fields(raw)), not self._flowing.is_set()
                is_last = self.resets_behind(action)
                if is_last:
                    flow.is_mute = True
                await self._pass(raw, reader, writer)
                self.actions.append(action)
                if was_black:
                    self.came_late.append(action)
                if is_last:
                    # Asterisk reads what it has got before it sees the orderly end of its side.
                    abort(flow.client)
                    writer.write_eof()
                    await asyncio.sleep(0.1)
                    return

    async def _downstream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow
    ) -> None:
        with suppress(OSError):
            while (data := await reader.read(CHUNK)) and not flow.is_mute:
                self.events += data.count(b"\nUserEvent: ")
                await self._pass(data, reader, writer)
            if flow.is_mute:
                await asyncio.Event().wait()


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset."""
    connected = writer.get_extra_info("socket")
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _fields(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)
