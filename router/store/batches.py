"""All commands of one turn of the event loop go to a server in one piece, on one connection.

Sent one by one, each would take a connection and wake-ups of its own, and at a hundred calls a second that
is what a router would mostly do. A `Batcher` keeps a lane for each server: while a batch is out, further
commands gather for the next.

A command is answered or fails within `timeout_seconds`, whatever the server does, because its deadline is a
timer and not the connection's health. While a server is away, its commands wait for its return that long;
once it has been away for longer they fail at once. Only a connection that turns out to be closed is worth
one more attempt, which may run a command twice: all of ours may be.
"""

import asyncio
import traceback
from collections import deque
from contextlib import suppress

import structlog
from redis import exceptions as redis_errors

from router.store.connections import LOST_ERRORS, MISPLACED_ERRORS, Connections
from router.store.errors import FOREIGN_ERRORS, StoreOverloaded, StoreUnavailable, translated
from router.store.wires import Command, Reply, Wire

log = structlog.get_logger(__name__)

WAITING_MOST = 20_000
BATCH_MOST = 1_000
MOVES_MOST = 3
"""How often a command follows a Cluster's "moved" before it gives up."""


class _Sent:
    """A command and whoever waits for its reply."""

    __slots__ = ("command", "future", "key", "moves")

    def __init__(self, key: str, command: Command, future: "asyncio.Future[Reply]") -> None:
        self.key = key
        self.command = command
        self.future = future
        self.moves = 0

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Batcher:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lanes: dict[str, _Lane] = {}
        self._is_closed = False

    def submit(self, key: str, *command: str | bytes | int | float) -> "asyncio.Future[Reply]":
        """Queue a command for the server that owns `key`.

        The future brings the raw reply, an error reply of Redis as it is, or `StoreUnavailable`.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        sent = _Sent(key, command, future)
        if self._is_closed:
            sent.fail(StoreUnavailable("the store is closed"))
        else:
            self._lane(key).add(sent)
        return future

    async def call(self, key: str, *command: str | bytes | int | float) -> Reply:
        """The raw reply. Raises `StoreError`."""
        try:
            return await self.submit(key, *command)
        except FOREIGN_ERRORS as error:
            raise translated(error, f"the store's {command[0]!s}") from error

    async def aclose(self) -> None:
        self._is_closed = True
        for lane in list(self._lanes.values()):
            await lane.aclose()

    def _lane(self, key: str) -> "_Lane":
        server = self._connections.route.server_of(key)
        lane = self._lanes.get(server)
        if lane is None:
            lane = self._lanes[server] = _Lane(server, key, self)
        return lane

    def move(self, sent: _Sent) -> None:
        """Into the lane of the server that owns the key by what is known now."""
        self._lane(sent.key).readd(sent)

    @property
    def connections(self) -> Connections:
        return self._connections


class _Lane:
    """The commands for one server, in the order they were given."""

    def __init__(self, server: str, key: str, batcher: Batcher) -> None:
        self._server = server
        self._key = key
        self._batcher = batcher
        self._connections = batcher.connections
        self._waiting: deque[_Sent] = deque()
        self._turn: list[_Sent] = []
        self._wire: Wire | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, sent: _Sent) -> None:
        if len(self._waiting) >= WAITING_MOST:
            sent.fail(StoreOverloaded("too many commands wait for the store"))
            return
        if self._connections.gate(sent.key).seconds_closed > self._connections.timeout_seconds:
            sent.fail(StoreUnavailable(f"the store at {self._server} is away"))
            self._start()
            return
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._flush)
        self._turn.append(sent)

    def readd(self, sent: _Sent) -> None:
        """A command that has a timer already."""
        self._waiting.append(sent)
        self._start()

    async def aclose(self) -> None:
        self._flush()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._fail_waiting(StoreUnavailable("the store is closed"))
        await self._drop_wire()

    def _flush(self) -> None:
        turn, self._turn = self._turn, []
        if turn:
            loop = asyncio.get_running_loop()
            loop.call_later(self._connections.timeout_seconds, self._expire, turn)
            self._waiting.extend(turn)
            self._start()

    def _expire(self, turn: list[_Sent]) -> None:
        late = [sent for sent in turn if not sent.future.done()]
        if late:
            seconds = self._connections.timeout_seconds
            for sent in late:
                sent.fail(StoreUnavailable(f"no answer from {self._server} within {seconds} s"))
            self._waiting = deque(sent for sent in self._waiting if not sent.future.done())

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Send what waits; with nothing waiting, see at least once whether the server is there."""
        try:
            while True:
                with suppress(*FOREIGN_ERRORS):
                    await self._send_waiting()
                if not self._waiting:
                    return
        except Exception as error:
            # A fault of ours must not leave callers waiting. Its trace goes out as plain text: some renderers
            # of exceptions show local variables, and the login is among them.
            trace = "".join(traceback.format_exception(error))
            log.error("store.lane_failed", server=self._server, trace=trace[-4000:])
            self._fail_waiting(StoreUnavailable(f"{type(error).__name__} {error}"))
            await self._drop_wire()
        finally:
            self._task = None

    async def _send_waiting(self) -> None:
        """Raises one of `FOREIGN_ERRORS`: then what still waits is for the next attempt."""
        self._pass_on()
        if self._connections.gate(self._key).seconds_closed:
            # Another connection has heard of the loss. Only a new one can show that the server is back.
            await self._drop_wire()
        is_fresh = self._wire is None
        if is_fresh and not self._is_owner:
            return
        wire = self._wire = self._wire or await self._connections.connect(self._key)
        if not self._is_owner:
            # Connecting took us to the server that owns the key by now, and that has a lane of its own.
            await self._drop_wire()
            self._pass_on()
            return
        while self._waiting and self._wire is wire:
            batch = self._next_batch()
            if not batch:
                continue
            try:
                replies = await self._exchange(wire, batch)
            except redis_errors.ConnectionError as error:
                await self._drop_wire()
                if is_fresh or isinstance(error, redis_errors.BusyLoadingError):
                    await self._lose(batch, error)
                    raise
                # The server has closed an old connection, as it does when it restarts.
                self._waiting.extendleft(reversed(batch))
                return
            except LOST_ERRORS as error:
                await self._drop_wire()
                await self._lose(batch, error)
                raise
            is_fresh = False
            await self._deliver(batch, replies)

    @property
    def _is_owner(self) -> bool:
        return self._connections.route.server_of(self._key) == self._server

    def _pass_on(self) -> None:
        """Commands whose keys have another owner meanwhile go there; the others say where to connect."""
        waiting, self._waiting = self._waiting, deque()
        for sent in waiting:
            if self._connections.route.server_of(sent.key) == self._server:
                self._waiting.append(sent)
                self._key = sent.key
            else:
                self._batcher.move(sent)

    def _next_batch(self) -> list[_Sent]:
        batch: list[_Sent] = []
        while self._waiting and len(batch) < BATCH_MOST:
            sent = self._waiting.popleft()
            if sent.future.done():
                continue
            if self._connections.route.server_of(sent.key) == self._server:
                batch.append(sent)
            else:
                self._batcher.move(sent)
        return batch

    async def _exchange(self, wire: Wire, batch: list[_Sent]) -> list[Reply]:
        try:
            seconds = self._connections.timeout_seconds
            return await wire.exchange([sent.command for sent in batch], seconds)
        except asyncio.CancelledError:
            await self._drop_wire()
            for sent in batch:
                sent.fail(StoreUnavailable("the store is closed"))
            raise

    async def _deliver(self, batch: list[_Sent], replies: list[Reply]) -> None:
        misplaced: Exception | None = None
        for sent, reply in zip(batch, replies, strict=True):
            if not isinstance(reply, Exception):
                if not sent.future.done():
                    sent.future.set_result(reply)
                continue
            if isinstance(reply, MISPLACED_ERRORS):
                misplaced = reply
            if isinstance(reply, redis_errors.MovedError) and sent.moves < MOVES_MOST:
                sent.moves += 1
                self._waiting.append(sent)
            else:
                sent.fail(reply)
        if misplaced is not None:
            await self._relearn(misplaced)

    async def _relearn(self, error: Exception) -> None:
        """The server answers, but is a replica or does not own the key: look for the right one."""
        await self._drop_wire()
        if isinstance(error, redis_errors.MovedError):
            await self._connections.relearn()
        else:
            await self._connections.lost(self._server, error)

    async def _lose(self, batch: list[_Sent], error: BaseException) -> None:
        for sent in batch:
            # One error for each: a raised exception gathers its raiser's traceback.
            ours = translated(error, f"the store at {self._server}")
            ours.__cause__ = error
            sent.fail(ours)
        await self._connections.lost(self._server, error)

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for sent in waiting:
            sent.fail(error)

    async def _drop_wire(self) -> None:
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()
