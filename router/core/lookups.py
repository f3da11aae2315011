"""Asking a CRM: the job that travels to a worker and the answer that comes back.

All of it crosses Redis as msgpack. Keys name exactly what an answer depends on, so that two calls share an
answer when, and only when, they would have asked the same question.
"""

from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from router.core.allowances import Allowance
from router.core.identities import IntegrationName, RouterName, RuleName, TenantId, Uniqueid
from router.core.numbers import Caller
from router.core.refusals import Refused
from router.core.rules import Outcome
from router.core.tenants import CacheAges

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]
"""One field's value as a CRM gave it: its type is kept."""


class AskedBy(StrEnum):
    NUMBER = "number"
    DIGITS = "digits"


class LookupKey(Struct, frozen=True):
    """What an answer depends on."""

    tenant: TenantId
    integration: IntegrationName
    revision: str
    """Digest of the integration's settings: an edited integration never serves old answers."""
    modules: tuple[str, ...]
    fields: tuple[str, ...]
    by: AskedBy
    subject: str
    """The caller's E.164 number (or the text received when it is none), or the digits keyed."""
    digits_field: str | None = None
    called: str | None = None
    """Set only where the request carries the called number."""
    call_id: str | None = None
    """Set only where the request carries the call's id: such an answer serves one call."""

    def digest(self) -> str:
        """32 hexadecimal digits that stand for this key in Redis."""
        return blake2b(msgspec.msgpack.encode(self), digest_size=16).hexdigest()


class LookupJob(Struct, frozen=True):
    """One question for a worker. It is idempotent: asking twice changes nothing in the CRM."""

    key: LookupKey
    caller: Caller
    called: str
    digits: str
    call_id: Uniqueid
    budget_seconds: float
    """From the moment the job is queued until its caller stops waiting."""
    cache: CacheAges
    credentials_of: RuleName | None = None
    """The rule whose user and password stand in for the integration's."""
    sends_digits: bool = False
    """The rule sits on an IVR with a greeting, so the request carries the digits."""
    allowance: Allowance = Allowance()
    """What may be asked of the integration; not a part of the question."""


class Waiter(Struct, frozen=True):
    """Who waits for an answer: a router, and its own token for the call and parking."""

    router: RouterName
    token: str


class Record(Struct, frozen=True):
    """One record that matched, with the fields that were asked for."""

    values: dict[str, Value]
    id: str = ""
    module: str = ""
    name: str = ""
    link: str = ""
    modified_at: str | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """What came of a look-up. `outcome` is found, not_found, crm_error, timeout or overloaded."""

    outcome: Outcome
    records: tuple[Record, ...] = ()
    problem: str = ""
    """In an admin's words, why there is no record; never holds a secret."""
    request: str = ""
    """The request as the trace shows it, such as `GET https://crm.example/lookup?field_name=status`."""
    attempts: int = 0
    crm_seconds: float = 0.0
    """Spent waiting for the CRM, over all attempts."""
    worker: str = ""
    refused: Refused | None = None
    """Set where the CRM was not asked at all, to keep it or others from harm."""

    @property
    def is_cacheable(self) -> bool:
        return self.outcome in (Outcome.FOUND, Outcome.NOT_FOUND)


class CacheState(StrEnum):
    """How the cache met a question."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    JOINED = "joined"
    """Missing, and the same question was already on its way."""
    REFUSED = "refused"
    """Missing, and the CRM is not to be asked; the answer says why."""


class Asked(Struct, frozen=True):
    """What the store said to a question: an answer at once, or that it is on its way."""

    state: CacheState
    answer: Answer | None = None
    age_seconds: float = 0.0
    refused: Refused | None = None
    """Why no new answer is asked for behind a stale one; None: one is."""


def plain_value(raw: Any, depth: int = 0) -> Value:
    """Bring any decoded JSON value to a `Value`: bounded, and safe to pack.

    Texts are cut at 2,000 characters and lists at 100 items; a whole number beyond 64 bits becomes its
    digits; an object or a nested list becomes its JSON text.
    """
    match raw:
        case None | bool():
            return raw
        case int():
            if -(2**63) <= raw < 2**63:
                return raw
            return format(raw, "d")[:2000] if raw.bit_length() < 8_000 else "a number too large to read"
        case float():
            return raw if raw == raw and abs(raw) != float("inf") else str(raw)
        case str():
            return _packable(raw[:2000])
        case list() | tuple() if depth == 0:
            return [_scalar(item) for item in raw[:100]]
    return _as_json_text(raw)


def _packable(text: str) -> str:
    """The text with `?` for each unpaired surrogate, which JSON may carry and UTF-8 may not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _scalar(raw: Any) -> Scalar:
    value = plain_value(raw, depth=1)
    return value if not isinstance(value, list) else _as_json_text(value)


def _as_json_text(raw: Any) -> str:
    try:
        return msgspec.json.encode(raw).decode()[:2000]
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return "a value that cannot be shown"
