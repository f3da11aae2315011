"""The store in each of its forms, held to the same suite."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop

from router.store.memory import MemoryStore
from router.store.redis_store import RedisStore
from tests.store.rigs import MemoryRig, RedisRig, Rig
from tests.store.servers import SERVERS, Server, running_server, settings_for
from tests.store.topologies import running_cluster
from tests.virtual_time import LOOPS

ON_UVLOOP = ("test_redis_faults", "test_topologies")
"""What a server's end looks like is said by the loop that the programs run on."""


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in ON_UVLOOP:
        return {"uvloop": uvloop.new_event_loop}
    return LOOPS if item.path.stem == "test_waiting" else {"asyncio": asyncio.new_event_loop}


FORMS = ("memory", *SERVERS, "cluster")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Servers"]:
    with ExitStack() as stack:
        yield Servers(stack, tmp_path_factory.mktemp("servers"))


class Servers:
    """One server of each form for the whole run, started when it is first needed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._running: dict[str, tuple[str, list[Server]]] = {}

    def of(self, form: str) -> tuple[str, list[Server]]:
        if form not in self._running:
            if form == "cluster":
                self._running[form] = self._stack.enter_context(running_cluster(self._folder / form))
            else:
                server = self._stack.enter_context(running_server(self._folder / form, SERVERS[form]))
                self._running[form] = server.url, [server]
        return self._running[form]


@pytest.fixture(params=FORMS)
async def rig(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = MemoryStore(jobs_kept=100)
        yield MemoryRig(memory)
        await memory.aclose()
        return
    url, running = servers.of(request.param)
    for server in running:
        server.say(b"FLUSHALL\r\n")
    store = RedisStore(settings_for(url, jobs_kept=100))
    yield RedisRig(store, running)
    await store.aclose()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server of the test's own, to be mistreated."""
    with running_server(tmp_path) as running:
        yield running
