"""How jobs, waiters, answers, decisions, calls and errands are packed into Redis: msgpack, by msgspec.

What cannot be unpacked is not ours, or of a version that we do not understand: `Unreadable` says so, and
the reader drops that one entry.
"""

import struct
from typing import TypeVar

import msgspec
from msgspec.msgpack import Decoder, Encoder

from router.core.call_logs import FinishedCall
from router.core.decisions import Decision
from router.core.errands import AnyErrand, Reply
from router.core.lookups import Answer, LookupJob, Waiter
from router.core.open_calls import OpenCall
from router.core.rules import Outcome
from router.core.statuses import RouterStatus
from router.store.plan_seam import PublishedPlan

T = TypeVar("T")

_encoder = Encoder()
_jobs = Decoder(LookupJob)
_waiters = Decoder(Waiter)
_answers = Decoder(Answer)
_decisions = Decoder(Decision)
_tokens = Decoder(list[str])
_open_calls = Decoder(OpenCall)
_finished_calls = Decoder(FinishedCall)
_plans = Decoder(PublishedPlan)
_statuses = Decoder(RouterStatus)
_errands = Decoder(tuple[str, AnyErrand])
_replies = Decoder(Reply)

_head = struct.Struct(">cI")
_ABSENT = b"a"
_PRESENT = b"p"


class Unreadable(ValueError):
    """These bytes are not what their place in Redis says."""


Packed = (
    LookupJob
    | Waiter
    | Answer
    | Decision
    | list[str]
    | OpenCall
    | FinishedCall
    | PublishedPlan
    | RouterStatus
    | tuple[str, AnyErrand]
    | Reply
)


def pack(value: Packed) -> bytes:
    return _encoder.encode(value)


def unpack_plan(raw: bytes) -> PublishedPlan:
    return _unpack(_plans, raw)


def unpack_status(raw: bytes) -> RouterStatus:
    return _unpack(_statuses, raw)


def unpack_job(raw: bytes) -> LookupJob:
    return _unpack(_jobs, raw)


def unpack_waiter(raw: bytes) -> Waiter:
    return _unpack(_waiters, raw)


def unpack_answer(raw: bytes) -> Answer:
    return _unpack(_answers, raw)


def unpack_decision(raw: bytes) -> Decision:
    return _unpack(_decisions, raw)


def unpack_tokens(raw: bytes) -> list[str]:
    return _unpack(_tokens, raw)


def unpack_open_call(raw: bytes) -> OpenCall:
    return _unpack(_open_calls, raw)


def unpack_finished_call(raw: bytes) -> FinishedCall:
    return _unpack(_finished_calls, raw)


def unpack_errand(raw: bytes) -> tuple[str, AnyErrand]:
    """With the id that names its reply."""
    return _unpack(_errands, raw)


def unpack_reply(raw: bytes) -> Reply:
    reply: Reply = _unpack(_replies, raw)
    return reply


def pack_cached(answer: Answer, kept_ms: int) -> bytes:
    """An answer as the cache keeps it: `ask.lua` reads the head, a letter and how long it is kept."""
    kind = _ABSENT if answer.outcome is Outcome.NOT_FOUND else _PRESENT
    return _head.pack(kind, kept_ms) + pack(answer)


def unpack_cached(raw: bytes) -> Answer:
    return unpack_answer(raw[_head.size :])


def _unpack(decoder: Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)[:256]) from error
