"""A finished call, as it is written into a CRM, and what a tenant wants written.

The router opens an entry when a call's decision is recorded and closes it when the call is over
(`router.core.open_calls`); a worker writes it into the CRM from a queue of its own, so that routing never
waits for it.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from router.core.identities import IntegrationName, RuleName, TenantId, Uniqueid


class CallEnd(StrEnum):
    """How the call went, for the caller."""

    ANSWERED = "answered"
    """Somebody talked with the caller."""
    MISSED = "missed"
    """It rang or waited somewhere, and nobody took it."""
    ABANDONED = "abandoned"
    """The caller hung up before anybody could take it."""
    VOICEMAIL = "voicemail"
    """It ended at a voicemail box."""


DEFAULT_SUBJECT = "{direction} call from {caller} ({ending})"


class LogOptions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an integration writes into its CRM; nothing, unless `calls` names kinds of calls."""

    calls: tuple[CallEnd, ...] = ()
    create_unknown: str = ""
    """The module in which a record is made for a caller whom the CRM does not know; empty: none is made."""
    subject: Annotated[str, Meta(min_length=1, max_length=200)] = DEFAULT_SUBJECT
    """Its wording: {caller}, {called}, {name}, {destination}, {rule}, {ending}, {direction}."""

    @property
    def is_on(self) -> bool:
        return bool(self.calls)


class FinishedCall(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One call to be written into one CRM. Times are seconds; moments are seconds since the epoch."""

    tenant: TenantId
    integration: IntegrationName
    call_id: Uniqueid
    """Names the entry: the same call is written once."""
    ending: CallEnd
    started_at: float
    seconds: int
    """From the moment the call came in until it ended."""
    talk_seconds: int = 0
    """Of these, with somebody on the line; 0 when nobody answered."""
    caller: str
    """E.164, or as received; empty when withheld."""
    caller_name: str = ""
    called: str
    module: str = ""
    """Of the caller's record, with `record_id`; both are empty when the CRM does not know the caller."""
    record_id: str = ""
    record_name: str = ""
    create_in: str = ""
    """The module in which a record is to be made for the caller first, and the call linked to it.

    Set where the CRM knew nobody of this number when the call came in: look again before one is made, for an
    earlier call of the same caller, or an earlier attempt, may have made it."""
    credentials_of: RuleName | None = None
    """The rule whose user and password stand in for the integration's."""
    subject: str
    decision: str
    """One sentence: where the call went, and why."""
    is_repeat: bool = False
    """An earlier attempt may have written it: look before it is written again."""

    @property
    def is_answered(self) -> bool:
        return self.ending is CallEnd.ANSWERED

    @property
    def spoken_seconds(self) -> int:
        """What a CRM calls the call's duration: the talk, or nothing when nobody answered."""
        return self.talk_seconds if self.is_answered else 0

    @property
    def new_contact(self) -> "NewContact | None":
        """The record to be made first, if any."""
        if not self.create_in or self.record_id:
            return None
        return NewContact(self.create_in, self.caller, self.caller_name or self.caller)


class NewContact(Struct, frozen=True):
    """A record to be made for an unknown caller."""

    module: str
    number: str
    """E.164, or as received."""
    name: str
    """The name that came with the call, else the number."""


class Logged(Struct, frozen=True, omit_defaults=True):
    """What a CRM made of a finished call."""

    id: str
    """The CRM's own id of the activity; empty when it gives none."""
    was_there: bool = False
    """An earlier attempt had written it already."""
