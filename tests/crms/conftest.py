"""Tests with local CRMs run on uvloop, as a worker does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.crms.product import Product, running
from tests.crms.rig import CrmRig


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def product(rig: CrmRig) -> AsyncIterator[Product]:
    async with running(rig) as made:
        yield made
        assert made.crm.broken == []
