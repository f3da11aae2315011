"""What the engine may ask of one Asterisk server, and what it hears from it. Nothing of AMI shows here.

`router.ami.link` is the real one, over panoramisk; `router.ami.fake` its twin for tests. The same test suite
holds both, so that what stands behind the seam can be replaced.

News comes through one plain callable, in the order in which Asterisk told it. Each connection begins with
`LinkUp` (and `ServerRestarted`, where Asterisk lost its channels); then calls' news flows, and once a
`ParkedList` says which calls wait at this moment. A connection ends with `LinkDown`. Whoever is called must
not raise; if it does, that news is lost and logged.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from router.core.destinations import Destination
from router.core.events import AsteriskEvent, CallParked
from router.core.identities import ChannelName, ServerName, Uniqueid


class ClaimAnswer(Struct, frozen=True):
    is_won: bool
    problem: str = ""
    """Why no claim was had, when Asterisk answered an error or nothing. Empty when another one was first."""


class MoveAnswer(Struct, frozen=True):
    is_accepted: bool
    """Accepted is not landed: only `CallTaken` is believed."""
    problem: str = ""


class LinkUp(Struct, frozen=True, tag=True):
    """The account is logged in. The calls that wait follow as a `ParkedList`."""

    server: ServerName
    version: str
    """As Asterisk writes it, such as `22.10.1~dfsg+~cs6.16.60671435-1`."""
    is_restart: bool = False
    """Asterisk was restarted since the last connection; `ServerRestarted` follows."""
    warning: str = ""
    """Why this version is not to be trusted with calls, or empty."""


class LinkDown(Struct, frozen=True, tag=True):
    """The connection is lost, or cannot be had. Told once for each problem, not once for each try."""

    server: ServerName
    problem: str


class ServerRestarted(Struct, frozen=True, tag=True):
    """Every call heard of before is gone, and its channel's name may be a stranger's."""

    server: ServerName


class CallNews(Struct, frozen=True, tag=True):
    server: ServerName
    uniqueid: Uniqueid
    event: AsteriskEvent


class ParkedList(Struct, frozen=True, tag=True):
    """All calls that wait in `route-hold`, once after each connection.

    A call may be told twice, by its own event and here. One told as left since the connection is not in it.
    """

    server: ServerName
    calls: tuple[CallParked, ...]


ServerNews = LinkUp | LinkDown | ServerRestarted | CallNews | ParkedList

OnNews = Callable[[ServerNews], None]


class AsteriskLink(Protocol):
    """One server. No method raises for what Asterisk or the network does."""

    @property
    def name(self) -> ServerName: ...

    async def claim(self, channel: ChannelName, parking: int) -> ClaimAnswer:
        """Try to become this parking's one winner.

        Asks once. Silence is a lost claim and ends the connection.
        """

    def arm(self, channel: ChannelName, variables: Sequence[tuple[str, str]]) -> None:
        """Set variables at once and wait for nothing. A failure is counted and logged."""

    async def move(
        self, channel: ChannelName, parking: int, variables: Sequence[tuple[str, str]], place: Destination
    ) -> MoveAnswer:
        """Set variables and redirect, sent together; only for a claim just won on this very connection.

        A claim serves one move. Nothing is ever sent again.
        """

    async def run(self) -> None:
        """Connect, keep the connection and reconnect, for ever; ends by cancellation."""
