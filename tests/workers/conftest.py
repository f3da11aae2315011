"""Tests that meet a server run on uvloop, as a worker does; every other one on virtual time."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.virtual_time import LOOPS

WITH_SERVERS = ("test_http", "test_process", "test_sample_crm")


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in WITH_SERVERS:
        return {"uvloop": uvloop.new_event_loop}
    return LOOPS
