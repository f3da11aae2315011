"""From the records to the board: publications are handed to routers and workers, and the board is kept whole.

SQL is the truth and Redis has a copy. Whoever publishes hands the plan over at once; any number of publishers
run beside that, and each makes good what was missed: a process that died between the two, a Redis that was
away, was emptied, or was restored from an old backup. They do the same in any order and any number of times.
"""

import asyncio
from collections.abc import Iterable
from secrets import token_hex

import msgspec
import structlog

from router.core.identities import TenantId
from router.records import publications
from router.records.database import Database
from router.records.errors import RecordsError
from router.records.publications import Publication
from router.settings.trouble import Trouble
from router.store.errors import StoreError
from router.store.plan_seam import PlanBoard, PublishedPlan

log = structlog.get_logger(__name__)

EVERY_SECONDS = 0.5
"""How often new publications are looked for, and the board's mark: an emptied one is whole in a second."""
COMPARE_SECONDS = 300.0
"""How often the whole board is compared although it has its mark."""
GONE = 0
"""The number of a tenant that the records never had; every publication has a higher one."""


class EmptyRecords(RecordsError):
    """Another database than the one that was published from: nobody's calls are to suffer from that."""

    def __init__(self, tenants: int) -> None:
        super().__init__(
            f"the records are empty, and {tenants} tenants are in force: nothing is taken away"
            " (is records.url right?)"
        )


class Publisher:
    def __init__(self, database: Database, board: PlanBoard) -> None:
        self._database = database
        self._board = board
        self._last_id: int | None = None
        self._trouble = Trouble(log, "plans.failing", "plans.working", (RecordsError, StoreError))

    async def hand_over(self, publication: Publication | None) -> bool:
        """At once, after its commit. False when the board is away: `run` makes it good, in any process."""
        if publication is None:
            return True
        try:
            await self._board.put(plan_of(publication))
        except StoreError as error:
            log.warning("plans.not_handed_over", tenant=publication.tenant, problem=str(error)[:256])
            return False
        return True

    async def run(self) -> None:
        """For ever; ends by cancellation."""
        compare_at = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            try:
                has_mark = bool((await self._board.numbers()).mark)
                if not has_mark or now >= compare_at:
                    await self.compare()
                    compare_at = now + COMPARE_SECONDS
                else:
                    await self._hand_over_new()
                self._trouble.worked()
            except Exception as error:  # whatever it is, publishing goes on with the next attempt
                self._trouble.failed(error)
                self._last_id = None  # compare everything: what cannot be read is passed over there
            await asyncio.sleep(EVERY_SECONDS)

    async def compare(self) -> int:
        """Make the board what the records say; how many plans differed. Raises RecordsError, StoreError."""
        last_id, numbers = await self._numbers_in_force()
        board = await self._board.numbers()
        if not last_id and any(number != GONE for number in board.numbers.values()):
            raise EmptyRecords(len(board.numbers))
        count = 0
        for tenant, number in numbers.items():
            there = board.numbers.get(tenant)
            if there != number:
                count += await self._put(tenant, there)
        for tenant, there in board.numbers.items():
            if tenant not in numbers and there != GONE:
                count += await self._board.put(PublishedPlan(tenant, GONE, None), replacing=there)
        await self._board.finish(token_hex(8))
        self._last_id = last_id
        if count or not board.mark:
            log.info(
                "plans.compared", tenants=len(numbers), handed_over=count, board_was_empty=not board.mark
            )
        return count

    async def _put(self, tenant: TenantId, there: int | None) -> bool:
        try:
            async with self._database.reading() as connection:
                publication = await publications.in_force(connection, tenant)
        except msgspec.DecodeError as error:  # of one tenant; the others are not to wait for it
            log.error("plans.unreadable", tenant=tenant, problem=str(error)[:256])
            return False
        return publication is not None and await self._board.put(plan_of(publication), replacing=there)

    async def _numbers_in_force(self) -> tuple[int, dict[TenantId, int]]:
        async with self._database.reading() as connection:
            return await publications.last_id(connection), await publications.numbers_in_force(connection)

    async def _hand_over_new(self) -> None:
        if self._last_id is None:
            await self.compare()
            return
        async with self._database.reading() as connection:
            new = await publications.after(connection, self._last_id)
        for publication in newest_of_each(new):
            await self._board.put(plan_of(publication))
        if new:
            self._last_id = new[-1].id


def plan_of(publication: Publication) -> PublishedPlan:
    return PublishedPlan(publication.tenant, publication.number, publication.document)


def newest_of_each(listed: Iterable[Publication]) -> list[Publication]:
    """Of each tenant the last one; older ones were never to be seen again."""
    return list({publication.tenant: publication for publication in listed}.values())
