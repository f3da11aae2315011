"""How a call ended, for its caller: decided from the dialplan's last word. Pure.

When a call is over `route-gone` says what Asterisk's own applications left on its channel
(docs/channel-protocol.md, `RouteGone`): Dial() and Queue() how long somebody talked, VoiceMail() and
ConfBridge() that they were there. From that, and from whether the rule sent the call to a voicemail box,
follows one of four endings:

- voicemail, where the rule sent it to a box and it stayed there, whoever answers for the box
- else answered, when somebody talked with the caller, however the call went on
- else voicemail, when it came to a box in another way
- else the caller hung up (abandoned), or the call ended by itself (missed). A caller who hangs up while a
  phone rings is missed: there was somebody who could have taken it
"""

from enum import StrEnum

from msgspec import Struct

from router.core.call_logs import CallEnd
from router.core.identities import TenantId


class CallStage(StrEnum):
    """Where a call was last, as our dialplan knows it."""

    PARKED = "parked"
    ASKING = "asking"
    LANDED = "landed"
    DEFAULTED = "defaulted"


class CallSummary(Struct, frozen=True, kw_only=True):
    """What the dialplan says of a whole call when it is over."""

    tenant: TenantId
    stage: CallStage
    seconds: int
    """From its first parking on; Asterisk counts whole seconds."""
    talk_seconds: float = 0.0
    """With somebody of Dial() or Queue() on the line, over all destinations."""
    is_transferred: bool = False
    """Somebody who talked with the caller handed the call on; how long they talked is not known."""
    is_hung_up: bool = False
    """By the caller, as far as Asterisk knows."""
    dial_status: str = ""
    """Dial()'s DIALSTATUS, the last one's; empty where none dialled."""
    voicemail_status: str = ""
    """VoiceMail()'s VMSTATUS: `SUCCESS`, `USEREXIT` or `FAILED`."""
    conference_result: str = ""
    """ConfBridge()'s CONFBRIDGE_RESULT."""

    @property
    def was_in_conference(self) -> bool:
        return self.conference_result not in ("", "FAILED")

    @property
    def is_talked(self) -> bool:
        return self.talk_seconds > 0 or self.is_transferred or self.was_in_conference


RINGING_CANCELLED = "CANCEL"
LEFT_THE_BOX = "USEREXIT"
"""The caller pressed a key that leads out of the box."""


def end_of(summary: CallSummary, is_for_voicemail: bool) -> CallEnd:
    """`is_for_voicemail`: the destination that was chosen is a voicemail box."""
    stayed = summary.stage is CallStage.LANDED and summary.voicemail_status != LEFT_THE_BOX
    if is_for_voicemail and stayed:
        return CallEnd.VOICEMAIL
    if summary.is_talked:
        return CallEnd.ANSWERED
    if _came_to_a_box(summary):
        return CallEnd.VOICEMAIL
    if summary.stage in (CallStage.PARKED, CallStage.ASKING):
        return CallEnd.ABANDONED
    if summary.is_hung_up and summary.dial_status != RINGING_CANCELLED:
        return CallEnd.ABANDONED
    return CallEnd.MISSED


def _came_to_a_box(summary: CallSummary) -> bool:
    """VoiceMail() fails for a box that does not exist, and also when the caller hangs up in its greeting."""
    return summary.voicemail_status == "SUCCESS" or (
        summary.voicemail_status == "FAILED" and summary.is_hung_up
    )


def talk_seconds_of(summary: CallSummary, seconds_to_destination: float) -> int:
    """Whole seconds, never more than the call had.

    In a conference nobody counts them: they run from the moment at which the caller reached the destination.
    """
    talked = summary.talk_seconds
    if summary.was_in_conference and not talked:
        talked = summary.seconds - seconds_to_destination
    return max(min(round(talked), summary.seconds), 0)
