"""The way from a key to the server that owns it: fixed, named by Sentinel, or by Cluster's table of slots."""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Protocol

import structlog
from redis import exceptions as redis_errors
from redis.crc import key_slot

from router.store.addresses import Address, Host, Scheme
from router.store.errors import FOREIGN_ERRORS
from router.store.wires import Dialer, Wire

log = structlog.get_logger(__name__)


class Route(Protocol):
    """The way from a key to its server."""

    def server_of(self, key: str) -> str:
        """A name for the server that owns the key; empty when it is not known yet."""

    async def connect(self, key: str) -> Wire:
        """A connection on which the key's server has answered. Raises one of `FOREIGN_ERRORS`."""

    async def relearn(self) -> None:
        """Find the servers again, after one was lost or was not the one to ask."""

    @property
    def names(self) -> Collection[str]:
        """What `server_of` may bring at the moment."""

    @property
    def servers(self) -> int: ...


class DirectRoute:
    """One server, by name or socket."""

    def __init__(self, address: Address, dialer: Dialer) -> None:
        self._host = address.hosts[0] if address.hosts else Host("", 0)
        self._name = address.shown
        self._dialer = dialer

    @property
    def names(self) -> Collection[str]:
        return {self._name}

    @property
    def servers(self) -> int:
        return 1

    def server_of(self, key: str) -> str:  # noqa: ARG002 - one server owns every key
        return self._name

    async def connect(self, key: str) -> Wire:  # noqa: ARG002
        return await self._dialer.dial(self._host)

    async def relearn(self) -> None:
        """There is nowhere else to look."""


class SentinelRoute:
    """The master that the Sentinels name; each connection asks them anew."""

    def __init__(self, address: Address, dialer: Dialer) -> None:
        self._address = address
        self._dialer = dialer
        self._sentinels = list(address.hosts)

    @property
    def names(self) -> Collection[str]:
        return {self._address.shown}

    @property
    def servers(self) -> int:
        return 1

    def server_of(self, key: str) -> str:  # noqa: ARG002 - one master owns every key
        return self._address.shown

    async def connect(self, key: str) -> Wire:  # noqa: ARG002
        wire = await self._dialer.dial(await self._master())
        # Just after a failover a Sentinel may still name the old master.
        (role,) = await wire.exchange([("ROLE",)], self._dialer.seconds)
        if isinstance(role, Exception) or role[0] != b"master":
            await wire.close()
            raise redis_errors.ConnectionError("the server that Sentinel names is not a master yet")
        return wire

    async def relearn(self) -> None:
        """Each connection asks the Sentinels anyway."""

    async def _master(self) -> Host:
        problem: BaseException = redis_errors.ConnectionError("no Sentinel knows the service")
        for sentinel in list(self._sentinels):
            try:
                found = await self._ask(sentinel)
            except FOREIGN_ERRORS as error:
                problem = error
                continue
            if found is not None:
                self._sentinels.remove(sentinel)
                self._sentinels.insert(0, sentinel)
                return found
        raise redis_errors.ConnectionError(
            f"no Sentinel gave the master of {self._address.service}"
        ) from problem

    async def _ask(self, sentinel: Host) -> Host | None:
        wire = await self._dialer.dial(sentinel, login=self._address.sentinel_login, db=0)
        try:
            question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)
            (reply,) = await wire.exchange([question], self._dialer.seconds)
        finally:
            await wire.close()
        if isinstance(reply, Exception):
            raise reply
        return Host(reply[0].decode(), int(reply[1])) if reply else None


class ClusterRoute:
    """The master that Cluster's own table gives for the key's slot."""

    def __init__(self, address: Address, dialer: Dialer) -> None:
        self._seeds = address.hosts
        self._dialer = dialer
        self._ranges: list[SlotRange] = []
        self._replicas: frozenset[Host] = frozenset()
        """They know the table as well, and may be all that is left of what we knew."""
        self._is_unknown = False
        """No node gave the table when it was asked for last."""
        self._learning: asyncio.Task[None] | None = None

    @property
    def names(self) -> Collection[str]:
        owners = {_name(host) for _, _, host in self._ranges}
        return owners if _is_whole(self._ranges) else {*owners, ""}

    @property
    def servers(self) -> int:
        return len({host for _, _, host in self._ranges})

    def server_of(self, key: str) -> str:
        owner = self._owner(key)
        return _name(owner) if owner else ""

    async def connect(self, key: str) -> Wire:
        if self._owner(key) is None:
            await self.relearn()
        owner = self._owner(key)
        if owner is None:
            raise redis_errors.ClusterDownError("no node of the Cluster owns this key's slot")
        return await self._dialer.dial(owner)

    async def relearn(self) -> None:
        """Ask the nodes for the table; those who ask at the same time share one asking."""
        if self._learning is None or self._learning.done():
            self._learning = asyncio.ensure_future(self._learn())
        await asyncio.shield(self._learning)

    def _owner(self, key: str) -> Host | None:
        slot = key_slot(key.encode())
        for first, last, host in self._ranges:
            if first <= slot <= last:
                return host
        return None

    async def _learn(self) -> None:
        nodes = list({*self._seeds, *(host for _, _, host in self._ranges), *self._replicas})
        random.shuffle(nodes)  # so that routers do not all ask the same node
        for node in nodes:
            with suppress(*FOREIGN_ERRORS):
                if rows := await self._ask(node):
                    self._take(rows, node)
                    return
        if not self._is_unknown:
            log.warning("store.cluster_unknown", nodes=len(nodes))
        self._is_unknown = True

    async def _ask(self, node: Host) -> list[Any]:
        """The node's table; empty where it has none. Raises one of `FOREIGN_ERRORS`."""
        wire = await self._dialer.dial(node)
        try:
            (reply,) = await wire.exchange([("CLUSTER", "SLOTS")], self._dialer.seconds)
        finally:
            await wire.close()
        return reply if isinstance(reply, list) else []

    def _take(self, rows: list[Any], node: Host) -> None:
        before = self.names
        self._ranges = [(row[0], row[1], _host(row[2], node)) for row in rows]
        self._replicas = frozenset(_host(replica, node) for row in rows for replica in row[3:])
        self._is_unknown = False
        if before != self.names:
            log.info("store.cluster_learned", masters=sorted(self.names))


SlotRange = tuple[int, int, Host]
"""The first slot, the last one, and the master that owns them."""
SLOTS = 16_384


def _host(entry: list[Any], asked: Host) -> Host:
    """Of a row of CLUSTER SLOTS. A node that does not know its own name leaves it out: it is the one we
    asked."""
    name, port = entry[0], entry[1]
    return Host(name.decode() if name else asked.name, port)


def _name(host: Host) -> str:
    return f"{host.name}:{host.port}"


def _is_whole(ranges: list[SlotRange]) -> bool:
    return sum(last - first + 1 for first, last, _ in ranges) >= SLOTS


ROUTES: dict[Scheme, Callable[[Address, Dialer], Route]] = {
    Scheme.SERVER: DirectRoute,
    Scheme.SOCKET: DirectRoute,
    Scheme.SENTINEL: SentinelRoute,
    Scheme.CLUSTER: ClusterRoute,
}
