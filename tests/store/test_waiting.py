"""Who connects when, while a server is away; on virtual time."""

import asyncio

import pytest
from redis import exceptions as redis_errors
from structlog.testing import capture_logs

from router.store.addresses import parse_address
from router.store.connections import STEADY_SECONDS, Connections
from router.store.wires import Wire

AWAY = redis_errors.ConnectionError("refused")
USERS = 16
"""As many as a worker has at a Cluster's shards."""


class MovableRoute:
    """One server that owns every key: at first the old one, which is dead, then the new one."""

    def __init__(self) -> None:
        self.owner, self.known = "old", "old"
        self.attempts: list[tuple[float, str]] = []
        self.servers = 1

    @property
    def names(self) -> set[str]:
        return {self.known}

    def server_of(self, key: str) -> str:
        return self.known

    async def connect(self, key: str) -> Wire:
        self.attempts.append((asyncio.get_running_loop().time(), self.known))
        if self.known == "old":
            raise AWAY
        return Wire(None)  # type: ignore[arg-type]  # nobody sends anything on it

    async def relearn(self) -> None:
        self.known = self.owner


@pytest.fixture
def route() -> MovableRoute:
    return MovableRoute()


@pytest.fixture
def connections(route: MovableRoute) -> Connections:
    made = Connections(parse_address("redis+cluster://127.0.0.1:1"), 0.3, 0.25)
    made.route = route
    return made


async def connected(connections: Connections) -> None:
    """As a listener does it: again and again."""
    while True:
        try:
            await connections.connect("key")
        except redis_errors.ConnectionError:
            continue
        return


async def test_those_who_wait_for_a_dead_server_go_to_its_successor_together(
    connections: Connections, route: MovableRoute
) -> None:
    users = [asyncio.create_task(connected(connections)) for _ in range(USERS)]
    await asyncio.sleep(5.05)
    route.owner = "new"
    moved_at = asyncio.get_running_loop().time()

    await asyncio.gather(*users)

    # One more attempt at the old server teaches where to go.
    assert asyncio.get_running_loop().time() - moved_at < 0.1
    assert [name for at, name in route.attempts if at > moved_at] == ["old"] + ["new"] * USERS


async def test_a_dead_server_is_tried_once_in_100_ms_by_all_together(
    connections: Connections, route: MovableRoute
) -> None:
    users = [asyncio.create_task(connected(connections)) for _ in range(USERS)]
    await asyncio.sleep(10)
    for user in users:
        user.cancel()

    assert len(route.attempts) == pytest.approx(100, abs=2)


async def test_a_server_that_lets_us_in_and_refuses_what_it_is_told_is_told_of_once(
    connections: Connections, route: MovableRoute
) -> None:
    route.owner = route.known = "new"
    with capture_logs() as logs:
        for _ in range(50):
            await connections.connect("key")
            await connections.lost("new", redis_errors.ReadOnlyError("a replica"))
        await connections.connect("key")
        await asyncio.sleep(STEADY_SECONDS + 0.1)

    assert [line["event"] for line in logs] == ["store.lost", "store.back"]
    assert logs[1]["seconds"] == pytest.approx(5, abs=0.2)


async def test_a_late_failure_of_the_old_server_says_nothing_of_the_new_one(
    connections: Connections, route: MovableRoute
) -> None:
    route.owner = "new"
    await connections.relearn()

    await connections.lost("old", AWAY)

    assert connections.gate("key").seconds_closed == 0
