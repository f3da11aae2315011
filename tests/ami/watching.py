"""Waiting for a condition without sleeping: whoever changes something stirs, whoever waits looks again."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from structlog.testing import capture_logs
from structlog.typing import EventDict

from router.ami.seam import ServerNews

GUARD_SECONDS = 20.0
"""Only keeps a failing test from hanging; no test measures time."""

N = TypeVar("N")


class Watch:
    def __init__(self) -> None:
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        self._stirred.set()

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(GUARD_SECONDS):
            while not is_so():
                self._stirred.clear()
                await self._stirred.wait()


def watched_logs(watch: Watch) -> AbstractContextManager[list[EventDict]]:
    """Capture the log; whoever waits looks again at each line."""

    def stir(_logger: object, _method: str, line: EventDict) -> EventDict:
        # The line is in the list by the time that anyone who waits has its turn.
        watch.stir()
        return line

    return capture_logs(processors=[stir])


class NewsBook:
    """Every piece of news of a link, in order."""

    def __init__(self, watch: Watch) -> None:
        self.news: list[ServerNews] = []
        self._watch = watch

    def __call__(self, news: ServerNews) -> None:
        self.news.append(news)
        self._watch.stir()

    def of(self, kind: type[N]) -> list[N]:
        return [news for news in self.news if isinstance(news, kind)]

    async def until(self, kind: type[N], count: int = 1) -> N:
        """The `count`th news of this kind, as soon as it is there."""
        await self._watch.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]
