"""A CRM as a script, in place of the HTTP client: what each attempt brings, and how long it takes."""

import asyncio
from collections.abc import Callable

from workers.connectors.steps import Request, Response
from workers.errors import AttemptTimedOut

FOR_EVER = 1e9
Brought = Response | BaseException


class Script:
    """Each attempt takes the next entry, the last one again and again. Time limits hold as in `http`."""

    def __init__(self, *entries: Brought | tuple[float, Brought]) -> None:
        self._entries = [entry if isinstance(entry, tuple) else (0.0, entry) for entry in entries]
        self.requests: list[Request] = []
        self.seconds: list[float] = []
        self.began_at: list[float] = []
        self.under_way = 0
        self.most_under_way = 0

    async def send(self, request: Request, seconds: float) -> Response:
        takes, brought = self._entries[min(len(self.requests), len(self._entries) - 1)]
        self.requests.append(request)
        self.seconds.append(seconds)
        self.began_at.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(takes)
        except TimeoutError as error:
            raise AttemptTimedOut("no answer in time") from error
        finally:
            self.under_way -= 1
        if isinstance(brought, BaseException):
            raise brought
        return brought


class ByHost:
    """Another script for each address."""

    def __init__(self, choose: Callable[[str], Script]) -> None:
        self._choose = choose

    async def send(self, request: Request, seconds: float) -> Response:
        return await self._choose(request.url).send(request, seconds)
