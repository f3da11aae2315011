"""Answers on their way to routers, on Redis: one entry in a router's own stream for all of its waiters."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

import structlog

from router.core.identities import RouterName
from router.core.lookups import Answer, Waiter
from router.store.batches import Batcher
from router.store.errors import FOREIGN_ERRORS, translated
from router.store.keys import Keys
from router.store.limits import ANSWERS_KEPT
from router.store.packing import Unreadable, pack, unpack_waiter

log = structlog.get_logger(__name__)

Sent = list["asyncio.Future[object]"]


class Teller:
    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys

    def send(self, waiters: Iterable[Waiter], answer: Answer) -> Sent:
        """With the commands of this turn of the loop; `all_sent` awaits them."""
        tokens: defaultdict[RouterName, list[str]] = defaultdict(list)
        for waiter in waiters:
            tokens[waiter.router].append(waiter.token)
        packed = pack(answer)
        return [self._add(router, pack(named), packed) for router, named in tokens.items()]

    def tell_soon(self, raw_waiters: Iterable[bytes], answer: Answer) -> None:
        """For callers who are refused. Where it fails they notice by themselves that their time is over."""
        for sending in self.send(readable(raw_waiters), answer):
            sending.add_done_callback(_note_failure)

    def _add(self, router: RouterName, tokens: bytes, answer: bytes) -> "asyncio.Future[object]":
        key = self._keys.answers(router)
        capped = ("NOMKSTREAM", "MAXLEN", "~", ANSWERS_KEPT, "*")
        return self._batcher.submit(key, "XADD", key, *capped, "t", tokens, "a", answer)


def _note_failure(sending: "asyncio.Future[object]") -> None:
    error = None if sending.cancelled() else sending.exception()
    if error is not None:
        log.warning("store.refusal_untold", problem=str(error)[:256])


async def all_sent(sent: Sent) -> None:
    """Raises `StoreError`."""
    for result in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(result, FOREIGN_ERRORS):
            raise translated(result, "the store's answer to a router") from result
        if isinstance(result, BaseException):
            raise result


def readable(raw_waiters: Iterable[bytes]) -> list[Waiter]:
    return [waiter for raw in raw_waiters if (waiter := waiter_or_none(raw)) is not None]


def waiter_or_none(raw: bytes) -> Waiter | None:
    """None for a refresh, which nobody waits for, and for what nobody can read."""
    if not raw:
        return None
    try:
        return unpack_waiter(raw)
    except Unreadable as error:
        log.warning("store.waiter_unreadable", problem=str(error))
        return None
