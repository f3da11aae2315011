"""One connection to Redis, and how it is made.

redis-py gives the connection and the protocol; nothing else of it is used. Its clients bring pools, retries
and timeouts of many seconds, which a caller on the line cannot afford: here a connection belongs to one user,
a command is sent once, and every step has a deadline. A connection counts as made when the server has
answered on it, because the kernel accepts connections for a frozen server.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from router.store.addresses import Address, Host, Login, Scheme
from router.store.errors import FOREIGN_ERRORS, StoreMisconfigured

Command = tuple[str | bytes | int | float, ...]
Reply = Any
"""What RESP2 brings: bytes, a whole number, None, a list of these, or an error as an object."""


class Wire:
    """One connection with raw replies. It belongs to one user at a time."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def exchange(self, commands: Sequence[Command], seconds: float) -> list[Reply]:
        """Send all commands in one piece and read the reply of each; an error reply stands in its place."""
        async with asyncio.timeout(seconds):
            await self._send(commands)
            return [await self._reply() for _ in commands]

    async def _send(self, commands: Sequence[Command]) -> None:
        connection = self._connection
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        except RuntimeError as error:
            # So says uvloop of a connection that was reset while nobody used it.
            raise redis_errors.ConnectionError("the connection was reset") from error

    async def _reply(self) -> Reply:
        try:
            return await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
        except redis_errors.ResponseError as error:
            return error

    async def close(self) -> None:
        with suppress(*FOREIGN_ERRORS):
            await self._connection.disconnect()


class Dialer:
    """Makes connections with the address' login and TLS."""

    def __init__(self, address: Address, connect_seconds: float) -> None:
        self._address = address
        self.seconds = connect_seconds

    async def dial(self, host: Host, login: Login | None = None, db: int | None = None) -> Wire:
        address = self._address
        settings = self._settings(login or address.login, address.db if db is None else db)
        if address.scheme is Scheme.SOCKET:
            connection: AbstractConnection = UnixDomainSocketConnection(path=address.path, **settings)
        elif address.tls:
            options = _tls_options(address)
            connection = SSLConnection(host=host.name, port=host.port, **options, **settings)
        else:
            connection = Connection(host=host.name, port=host.port, **settings)
        return await self._established(connection)

    async def _established(self, connection: AbstractConnection) -> Wire:
        wire = Wire(connection)
        try:
            async with asyncio.timeout(self.seconds):
                await connection.connect()  # type: ignore[no-untyped-call]
                (reply,) = await wire.exchange([("PING",)], self.seconds)
            if isinstance(reply, Exception):
                raise reply
        except BaseException:
            await wire.close()
            raise
        return wire

    def _settings(self, login: Login, db: int) -> dict[str, Any]:
        return {
            "username": login.username,
            "password": login.password,
            "db": db,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            # Deadlines are ours, around each exchange: redis-py's own sends under `asyncio.wait_for`, which
            # on Python 3.11 may swallow a cancellation.
            "socket_timeout": None,
            "socket_connect_timeout": self.seconds,
            "health_check_interval": 0,
            "driver_info": None,
        }


def _tls_options(address: Address) -> dict[str, Any]:
    options: dict[str, Any] = dict(address.tls_options)
    if "ssl_check_hostname" in options:
        options["ssl_check_hostname"] = options["ssl_check_hostname"].lower() not in ("false", "no", "0")
    return options


def check_address(address: Address) -> None:
    """Say now what could only fail later."""
    for option in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        path = address.tls_options.get(option)
        if path is not None:
            try:
                Path(path).read_bytes()
            except OSError as error:
                raise StoreMisconfigured(f"redis.url: {option} cannot be read: {error.strerror}") from error
