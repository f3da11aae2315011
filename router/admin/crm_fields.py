"""What CRMs tell of their modules and fields, asked through a worker and kept for a few minutes.

A rule's form asks for the same lists at every change, and some CRMs count each request.
"""

from collections.abc import Callable

from router.core.errands import ErrandFailed, Fields, ListFields, ListModules, Modules
from router.store.seams import Errands

ASKED_SECONDS = 15.0
KEPT_SECONDS = 300.0
FAILURE_KEPT_SECONDS = 20.0
KEPT_MOST = 500

Asked = ListModules | ListFields
Told = Modules | Fields | ErrandFailed


class CrmFields:
    """`clock` gives seconds."""

    def __init__(self, errands: Errands, clock: Callable[[], float]) -> None:
        self._errands = errands
        self._clock = clock
        self._kept: dict[tuple[Asked, int], tuple[float, Told | None]] = {}

    async def told(self, asked: Asked, revision: int) -> Told | None:
        """`revision` is the integration's: other settings, other lists. None: no worker answered.

        Raises StoreError.
        """
        key = (asked, revision)
        until, told = self._kept.get(key, (0.0, None))
        if self._clock() < until:
            return told
        reply = await self._errands.run(asked, ASKED_SECONDS)
        told = reply if isinstance(reply, Modules | Fields | ErrandFailed) else None
        self._keep(key, told)
        return told

    def _keep(self, key: tuple[Asked, int], told: Told | None) -> None:
        while len(self._kept) >= KEPT_MOST:
            del self._kept[next(iter(self._kept))]
        seconds = KEPT_SECONDS if isinstance(told, Modules | Fields) else FAILURE_KEPT_SECONDS
        self._kept[key] = (self._clock() + seconds, told)
