"""The store, opened for as long as one command takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.settings.model import RedisSettings
from router.store.redis_store import open_store
from router.store.seams import Store


@asynccontextmanager
async def opened(settings: RedisSettings) -> AsyncIterator[Store]:
    """Raises `StoreMisconfigured`."""
    store = await open_store(settings)
    try:
        yield store
    finally:
        await store.aclose()
