"""The record of one decision: everything needed to explain it later, and nothing secret.

One record is written for each parking that ended, whoever won. `router.core.explain` turns it into sentences.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from router.core.identities import ChannelName, RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.lookups import CacheState
from router.core.numbers import Caller
from router.core.refusals import Refused
from router.core.rules import Outcome


class Verdict(StrEnum):
    """What became of one test."""

    HELD = "held"
    FAILED = "failed"
    NOT_COMPARABLE = "not_comparable"
    NO_RECORD = "no_record"
    """It tests the CRM's record, and the look-up brought none."""


class TestTrace(Struct, frozen=True, omit_defaults=True):
    left_name: str
    left: str
    operator: str
    right: str
    verdict: Verdict
    why: str = ""
    """Why the two sides cannot be compared."""


class LineTrace(Struct, frozen=True, omit_defaults=True):
    number: int
    """Counted from 1, as the admin sees the lines."""
    held: bool
    tests: tuple[TestTrace, ...]
    join: str = ""
    """`all` or `any` for a line with a group."""


class LookupTrace(Struct, frozen=True, omit_defaults=True):
    integration: str
    by: str
    subject: str
    cache: CacheState | None = None
    age_seconds: float = 0.0
    request: str = ""
    attempts: int = 0
    crm_seconds: float = 0.0
    records: int = 0
    record_chosen: int | None = None
    """Which of the records decided, counted from 1."""
    chosen_why: str = ""
    record_name: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    """The fields read and their values, as shown."""
    problem: str = ""
    worker: str = ""
    refused: Refused | None = None
    """Why the CRM was not asked, or why no new answer was asked for behind an old one."""


class Ending(StrEnum):
    """How the parking ended."""

    TAKEN = "taken"
    """The call reached the destination a router chose."""
    DEFAULTED = "defaulted"
    """The dialplan took it to a default."""
    ABANDONED = "abandoned"
    """The caller hung up first."""
    VANISHED = "vanished"
    """Asterisk restarted under it."""
    UNCONFIRMED = "unconfirmed"
    """Nothing more was heard of it."""
    REHEARSED = "rehearsed"
    """A dry run: no call was moved."""


LATEST_MOMENT = 253_370_764_800
"""Seconds since the epoch of the year 9999, of which every time zone has a date."""


class Decision(Struct, frozen=True, omit_defaults=True, kw_only=True):
    call_id: Uniqueid
    linkedid: Uniqueid
    parking: int
    server: ServerName
    channel: ChannelName
    router: RouterName
    tenant: TenantId
    parked_at: Annotated[float, Meta(ge=0, lt=LATEST_MOMENT)]
    """Seconds since the epoch, by the router's clock."""
    called_received: str
    called: str
    """The number dialled, as understood."""
    entry: str = ""
    caller: Caller
    digits: str = ""
    rule: RuleName | None = None
    plan: str = ""
    """Digest of the tenant's configuration that decided."""
    outcome: Outcome | None = None
    lookup: LookupTrace | None = None
    lines: tuple[LineTrace, ...] = ()
    lines_walked: int = 0
    line_held: int | None = None
    value: str = ""
    """The rule's own field, as shown."""
    asked_target: str = ""
    """The destination in the tenant's words."""
    asked_place: str = ""
    asked_why: str = ""
    """`line 2`, `outcome not_found`, `default` and so on."""
    problem: str = ""
    """What went wrong on our side of the call, if anything."""
    ending: Ending
    defaulted_why: str = ""
    reached_place: str = ""
    won_claim: bool = False
    steps_ms: dict[str, float] = {}
    """Milliseconds from parked to: asked, answered, decided, claimed, greeted, ended."""
