"""Redis as it runs where a server's death is survived: with a replica, under Sentinels, as a Cluster."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.store.servers import Server, free_ports, running_server

TOGETHER_SECONDS = 30.0
MASTERS = 3
SLOTS = 16_384
SENTINELS = 3


def wait_for(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s in vain")
        time.sleep(0.05)


@contextmanager
def running_pair(folder: Path) -> Iterator[tuple[Server, Server]]:
    """A master and its replica."""
    master_port, replica_port = free_ports(2)
    with ExitStack() as stack:
        master = stack.enter_context(running_server(folder / "master", port=master_port))
        following = ("--replicaof", f"127.0.0.1 {master_port}", "--repl-diskless-sync-delay", "0")
        replica = stack.enter_context(running_server(folder / "replica", "", *following, port=replica_port))
        wait_for(lambda: is_following(replica))
        yield master, replica


@contextmanager
def running_sentinel(folder: Path) -> Iterator[tuple[str, Server, Server]]:
    """A master, a replica and three Sentinels, two of which decide: the address, and the first two."""
    with ExitStack() as stack:
        master, replica = stack.enter_context(running_pair(folder))
        sentinels = []
        for number, port in enumerate(free_ports(SENTINELS)):
            sentinel = _sentinel(folder / f"sentinel-{number}", port, master)
            stack.callback(sentinel.stop)
            sentinel.start()
            sentinels.append(sentinel)
        others = f"sentinels={SENTINELS}".encode()
        for sentinel in sentinels:
            wait_for(lambda told=sentinel: _sees(told, b"slaves=1", others))  # type: ignore[misc]
        hosts = ",".join(place_of(sentinel) for sentinel in sentinels)
        yield f"redis+sentinel://{hosts}/main", master, replica


def _sentinel(home: Path, port: int, master: Server) -> Server:
    home.mkdir()
    (home / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {home}\n"
        f"sentinel monitor main 127.0.0.1 {port_of(master)} 2\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
    )
    command = [master.command[0], str(home / "sentinel.conf"), "--sentinel"]
    return Server(f"redis://127.0.0.1:{port}", command, home)


def _sees(sentinel: Server, *what: bytes) -> bool:
    said = sentinel.say(b"INFO sentinel\r\n")
    return all(text in said for text in what)


@contextmanager
def running_cluster(folder: Path, *, has_replicas: bool = False) -> Iterator[tuple[str, list[Server]]]:
    """A Cluster of three masters on loopback: its address, and its servers.

    With replicas there are six, and the replica of each master stands three behind it.
    """
    count = 2 * MASTERS if has_replicas else MASTERS
    ports = free_ports(2 * count)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running_server(folder / str(port), "", *_clustered(bus), port=port))
            for port, bus in zip(ports[:count], ports[count:], strict=True)
        ]
        for number, server in enumerate(servers[:MASTERS]):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            server.say(f"CLUSTER ADDSLOTSRANGE {first} {last}\r\n".encode())
            server.say(f"CLUSTER SET-CONFIG-EPOCH {number + 1}\r\n".encode())
        for port, bus in zip(ports[1:count], ports[count + 1 :], strict=True):
            servers[0].say(f"CLUSTER MEET 127.0.0.1 {port} {bus}\r\n".encode())
        wait_for(lambda: all(_knows(server, count) for server in servers), TOGETHER_SECONDS)
        for master, replica in zip(servers, servers[MASTERS:], strict=False):
            _follow(replica, master)
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports[:MASTERS]), servers


def _clustered(bus: int) -> tuple[str, ...]:
    """A master is taken for dead after two seconds, as docs/configuration.md advises."""
    return (
        *("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", str(bus)),
        *("--repl-diskless-sync-delay", "0"),
    )


def _follow(replica: Server, master: Server) -> None:
    command = f"CLUSTER REPLICATE {node_id(master)}\r\n".encode()
    wait_for(lambda: replica.say(command).startswith(b"+OK"))
    wait_for(lambda: is_following(replica), TOGETHER_SECONDS)


def _knows(server: Server, count: int) -> bool:
    said = server.say(b"CLUSTER INFO\r\n")
    return b"cluster_state:ok" in said and f"cluster_known_nodes:{count}".encode() in said


# What a test asks of them, and does to them


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def place_of(server: Server) -> str:
    """As a Cluster's table names it."""
    return server.url.removeprefix("redis://")


def node_id(server: Server) -> str:
    found = re.search(r"[0-9a-f]{40}", server.say(b"CLUSTER MYID\r\n").decode())
    assert found is not None
    return found[0]


def is_following(replica: Server) -> bool:
    return b"master_link_status:up" in replica.say(b"INFO replication\r\n")


def is_master(server: Server) -> bool:
    return b"role:master" in server.say(b"INFO replication\r\n")


def pause_replication(replica: Server) -> None:
    """It hears nothing of its master any more, which lives on but lets it in no more."""
    replica.say(b"CONFIG SET masteruser nobody masterauth wrong\r\n")
    replica.say(b"CLIENT KILL TYPE master\r\n")
    wait_for(lambda: not is_following(replica))
