"""Claims that were won and not used yet: which session each belongs to, and whether it is still good. Pure.

The dialplan waits GRACE for the Redirect of a claim's winner. A Redirect that is sent later could cut off a
caller who talks already, so a claim is good for a short time, counted from the moment it was sent.
"""

from typing import Generic, TypeVar

from router.core.identities import ChannelName

ClaimKey = tuple[ChannelName, int]
S = TypeVar("S")


class WonClaims(Generic[S]):
    """Moments are seconds on any one clock."""

    def __init__(self, good_seconds: float) -> None:
        self._good_seconds = good_seconds
        self._won: dict[ClaimKey, tuple[S, float]] = {}

    def __len__(self) -> int:
        return len(self._won)

    def put(self, key: ClaimKey, session: S, sent_at: float) -> None:
        """Claims that nobody used go here; the oldest stand first."""
        while self._won:
            oldest, (_, at) = next(iter(self._won.items()))
            if sent_at - at <= self._good_seconds:
                break
            del self._won[oldest]
        self._won[key] = (session, sent_at)

    def take(self, key: ClaimKey, now: float) -> S | None:
        """The session to move on, once; None when there is no such claim, or it is too old."""
        session, sent_at = self._won.pop(key, (None, 0.0))
        return session if now - sent_at <= self._good_seconds else None

    def clear(self) -> None:
        self._won.clear()
