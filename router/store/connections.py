"""The connections of one store: a route to the servers, and a gate before each of them.

Once a server is lost, its users make one attempt to connect each 100 ms between them, and the first that
succeeds lets the others in. Where a Cluster gives all that a server owned to another one, those who wait for
the old one go there at once.
"""

import asyncio
from contextlib import suppress

import structlog
from redis import exceptions as redis_errors

from router.store.addresses import Address
from router.store.errors import FOREIGN_ERRORS, translated
from router.store.routes import ROUTES
from router.store.wires import Dialer, Reply, Wire

log = structlog.get_logger(__name__)

ATTEMPTS_EVERY_SECONDS = 0.1
STEADY_SECONDS = 1.0
"""A server that is lost again sooner was not back: one that refuses what it is told lets us in each time."""

LOST_ERRORS = (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError, TimeoutError)
"""After one of these the connection is of no use."""

MISPLACED_ERRORS = (
    redis_errors.ReadOnlyError,
    redis_errors.MovedError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
)
"""Replies of a server that is not, or not at the moment, the one to ask."""


class Gate:
    """Who may try to connect, while a server is away."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._next_attempt_at = 0.0
        self._lost_at = 0.0
        self._told_at = 0.0
        """When the loss that was told began."""
        self._steady: asyncio.TimerHandle | None = None
        """Runs from the server's return until that is told."""
        self.is_retired = False
        """Its server owns nothing any more."""

    @property
    def seconds_closed(self) -> float:
        return 0.0 if self._is_open.is_set() else asyncio.get_running_loop().time() - self._lost_at

    async def turn(self) -> None:
        """Return at once while the server is there, else when it is the caller's turn to try."""
        loop = asyncio.get_running_loop()
        while not self._is_open.is_set():
            wait = self._next_attempt_at - loop.time()
            if wait <= 0:
                self._next_attempt_at = loop.time() + ATTEMPTS_EVERY_SECONDS
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._is_open.wait()

    def succeeded(self) -> None:
        if not self._is_open.is_set():
            self._is_open.set()
            loop = asyncio.get_running_loop()
            away = loop.time() - self._told_at
            self._steady = loop.call_later(STEADY_SECONDS, self._tell_back, away)

    def failed(self, error: BaseException) -> None:
        now = asyncio.get_running_loop().time()
        self._next_attempt_at = max(self._next_attempt_at, now + ATTEMPTS_EVERY_SECONDS)
        if not self._is_open.is_set():
            return
        self._is_open.clear()
        self._lost_at = now
        if self._steady is None:
            self._told_at = now
            log.warning("store.lost", server=self._server, problem=str(translated(error, "store")))
        else:
            self._steady.cancel()
            self._steady = None

    def retire(self) -> None:
        self.is_retired = True
        self._is_open.set()

    def _tell_back(self, seconds: float) -> None:
        self._steady = None
        log.info("store.back", server=self._server, seconds=round(seconds, 3))


class Connections:
    """The route to an address, with a gate before each of its servers."""

    def __init__(self, address: Address, timeout_seconds: float, connect_seconds: float) -> None:
        self.address = address
        self.timeout_seconds = timeout_seconds
        dialer = Dialer(address, connect_seconds)
        self.route = ROUTES[address.scheme](address, dialer)
        self._gates: dict[str, Gate] = {}

    def gate(self, key: str) -> Gate:
        return self._gate_of(self.route.server_of(key))

    async def connect(self, key: str) -> Wire:
        """Wait for our turn, and connect. Raises one of `FOREIGN_ERRORS`."""
        while True:
            gate = self.gate(key)
            await gate.turn()
            if not gate.is_retired:
                break
        server = self.route.server_of(key)
        try:
            wire = await self.route.connect(key)
        except FOREIGN_ERRORS as error:
            await self.lost(server, error)
            raise
        self._gate_of(server).succeeded()
        return wire

    async def lost(self, server: str, error: BaseException) -> None:
        """This server does not answer, or is not the one to ask. `server` is what the route calls it."""
        self._gate_of(server).failed(error)
        await self.relearn()

    async def relearn(self) -> None:
        await self.route.relearn()
        for name in self._gates.keys() - self.route.names:
            self._gates.pop(name).retire()

    def _gate_of(self, server: str) -> Gate:
        if server not in self._gates:
            self._gates[server] = Gate(server)
        return self._gates[server]


class Listener:
    """A connection of its own for commands that wait on the server."""

    def __init__(self, connections: Connections, key: str) -> None:
        self._connections = connections
        self._key = key
        self._wire: Wire | None = None
        self._server = ""

    async def call(self, *command: str | bytes | int | float, wait_seconds: float) -> Reply:
        """The reply to a command that waits on the server for that long. Raises `StoreError`.

        While the server is away it takes as long as our turn to connect takes to come.
        """
        try:
            if self._wire is None:
                self._wire = await self._connections.connect(self._key)
                self._server = self._connections.route.server_of(self._key)
            seconds = wait_seconds + self._connections.timeout_seconds
            (reply,) = await self._wire.exchange([command], seconds)
            if isinstance(reply, Exception):
                raise reply
        except FOREIGN_ERRORS as error:
            had_wire = self._wire is not None
            await self.close()
            if had_wire:
                await self._connections.lost(self._server, error)
            raise translated(error, f"the store's {command[0]!s}") from error
        except BaseException:
            await self.close()
            raise
        return reply

    async def close(self) -> None:
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()
