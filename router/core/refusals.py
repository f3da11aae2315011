"""Why a CRM was not asked, although a call would have needed it."""

from enum import StrEnum

from msgspec import Struct


class Refusal(StrEnum):
    OPEN = "open"
    """It has failed too often, and is left alone for a while."""
    PROBING = "probing"
    """It has failed too often, and one look-up is trying it at this moment."""
    PAUSED = "paused"
    """It has said itself when it may be asked again, and no caller waits so long."""
    CROWDED = "crowded"
    """More was to be asked than it may be asked, and newer calls went first."""


class Refused(Struct, frozen=True, omit_defaults=True):
    why: Refusal
    failures: int = 0
    """Look-ups that failed, in a row or of late."""
    wait_seconds: float = 0.0
    """Until it is tried again."""


def refusal_text(refused: Refused) -> str:
    """In an admin's words; continues "The CRM could not answer: …"."""
    times = f"{refused.failures} time{'' if refused.failures == 1 else 's'}"
    wait = f"{max(refused.wait_seconds, 0.0):.0f} s"
    match refused.why:
        case Refusal.OPEN:
            return f"it was not asked, for it has failed {times}; the next try is in {wait}"
        case Refusal.PROBING:
            return f"it was not asked, for it has failed {times}, and another look-up is trying it"
        case Refusal.PAUSED:
            return f"it was not asked, for it has asked to be left alone for another {wait}"
        case Refusal.CROWDED:
            return "more look-ups waited than the CRM may be asked, and newer calls went first"
