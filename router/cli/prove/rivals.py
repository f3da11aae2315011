"""Two routers that exist for test calls only: they claim as a router does, over a router's own link.

They hear all calls of the server and touch none but those they are given.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.ami.link import AmiLink
from router.ami.seam import LinkDown, LinkUp, ServerNews
from router.cli.prove.account import QUESTION_SECONDS, Unfit
from router.cli.prove.ledger import PlacedCall
from router.core.moves import LAND
from router.core.test_calls import TEST_PLACE
from router.settings.model import AmiSettings, AsteriskServer

PARKING = 1
NOWHERE = f"{TEST_PLACE.context},nowhere,1"


class Rival:
    def __init__(self, server: AsteriskServer, ami: AmiSettings) -> None:
        self._link = AmiLink(server, ami, self._hear)
        self._is_settled = asyncio.Event()
        self._problem = ""

    async def run(self) -> None:
        await self._link.run()

    async def wait_connected(self) -> None:
        """Raises Unfit."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                await self._is_settled.wait()
        except TimeoutError as error:
            raise Unfit("a second connection to AMI was not made in time", "Run it again.") from error
        if self._problem:
            raise Unfit(f"a second connection to AMI was not made: {self._problem}", "Run it again.")

    async def claim(self, call: PlacedCall) -> bool:
        """Whether it is ours; counted as one of the call's wins."""
        answer = await self._link.claim(call.channel, PARKING)
        call.wins += answer.is_won
        return answer.is_won

    async def claim_and_move(self, call: PlacedCall, place: str) -> None:
        if await self.claim(call):
            await self._link.move(call.channel, PARKING, [("ROUTE_TO", place)], LAND)

    def _hear(self, news: ServerNews) -> None:
        if isinstance(news, LinkDown):
            self._problem = self._problem or news.problem
        if isinstance(news, LinkUp | LinkDown):
            self._is_settled.set()


@asynccontextmanager
async def two_rivals(server: AsteriskServer, ami: AmiSettings) -> AsyncIterator[tuple[Rival, Rival]]:
    rivals = Rival(server, ami), Rival(server, ami)
    tasks = [asyncio.create_task(rival.run()) for rival in rivals]
    try:
        for rival in rivals:
            await rival.wait_connected()
        yield rivals
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
