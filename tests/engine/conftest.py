"""Every test of the engine runs on virtual time."""

from collections.abc import Mapping

from tests.virtual_time import LOOPS, VirtualTimeLoop


def pytest_asyncio_loop_factories() -> Mapping[str, type[VirtualTimeLoop]]:
    return LOOPS
