"""A worker as the administration sees it: it takes errands, and replies what a test has written down."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from router.core.errands import AnyErrand, Reply
from router.store.seams import Store


@asynccontextmanager
async def replying(store: Store, reply: Callable[[AnyErrand], Reply]) -> AsyncIterator[list[AnyErrand]]:
    """The errands that it took."""
    taken: list[AnyErrand] = []

    async def work() -> None:
        while True:
            errand = await store.errands.take()
            if errand is not None:
                taken.append(errand.errand)
                await store.errands.reply(errand, reply(errand.errand))

    working = asyncio.create_task(work())
    try:
        yield taken
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
