"""A link without Asterisk, for tests of what uses links. `tests/ami/test_contract.py` holds it to the seam.

It plays the dialplan's side of a claim too: a counter for each channel and parking, which the first one to
ask brings to 1.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from router.ami.errors import UnsafeAction
from router.ami.outbound import claim as claim_action
from router.ami.outbound import move_actions, set_variable
from router.ami.seam import (
    CallNews,
    ClaimAnswer,
    LinkDown,
    LinkUp,
    MoveAnswer,
    OnNews,
    ParkedList,
    ServerNews,
    ServerRestarted,
)
from router.core.destinations import Destination
from router.core.events import AsteriskEvent, CallParked
from router.core.identities import ChannelName, ServerName, Uniqueid

ClaimKey = tuple[ChannelName, int]


class Armed(Struct, frozen=True):
    channel: ChannelName
    variables: tuple[tuple[str, str], ...]


class Moved(Struct, frozen=True):
    """A Redirect that Asterisk accepted."""

    channel: ChannelName
    parking: int
    variables: tuple[tuple[str, str], ...]
    place: Destination


class FakeLink:
    """Its Asterisk is up once `come_up` was called; a test tells its news and mistreats it."""

    def __init__(self, name: ServerName, on_news: OnNews | None = None) -> None:
        self._name = name
        self.on_news = on_news
        """May be set later: an engine wants its links when it is built."""
        self.armed: list[Armed] = []
        self.moved: list[Moved] = []
        self.gone: set[ChannelName] = set()
        """Channels that hung up: claims and moves of them answer an error."""
        self.is_silent = False
        """Asterisk answers nothing any more: the first action loses the connection."""
        self.refuse_moves = ""
        """When set, Asterisk answers each Redirect with this error."""
        self.answers_flow = asyncio.Event()
        """Clear it to keep claims and moves waiting for their answers."""
        self.answers_flow.set()
        self.is_up = False
        self._claimed: dict[ClaimKey, int] = {}
        self._won: set[ClaimKey] = set()
        self._connection = 0

    @property
    def name(self) -> ServerName:
        return self._name

    # What a test does to it

    def come_up(
        self, parked: Sequence[CallParked] = (), *, version: str = "22.10.1", is_restart: bool = False
    ) -> None:
        self.is_up = True
        self._connection += 1
        if is_restart:
            self._claimed.clear()
        self.tell(LinkUp(self._name, version, is_restart))
        if is_restart:
            self.tell(ServerRestarted(self._name))
        self.tell(ParkedList(self._name, tuple(parked)))

    def go_down(self, problem: str = "the connection was lost") -> None:
        self.is_up = False
        self._connection += 1
        self._won.clear()
        self.tell(LinkDown(self._name, problem))

    def say(self, uniqueid: Uniqueid, event: AsteriskEvent) -> None:
        """News of one call."""
        self.tell(CallNews(self._name, uniqueid, event))

    def park(self, event: CallParked) -> None:
        self.say(event.uniqueid, event)

    def tell(self, news: ServerNews) -> None:
        if self.on_news is not None:
            self.on_news(news)

    def claim_elsewhere(self, channel: ChannelName, parking: int) -> None:
        """Another router, or the dialplan at the end of HOLD, is first."""
        self._count((channel, parking))

    # The seam

    async def claim(self, channel: ChannelName, parking: int) -> ClaimAnswer:
        try:
            claim_action(channel, parking)
        except UnsafeAction as error:
            return ClaimAnswer(is_won=False, problem=str(error))
        problem = await self._reach(channel)
        if problem:
            return ClaimAnswer(is_won=False, problem=problem)
        if self._count((channel, parking)) != 1:
            return ClaimAnswer(is_won=False)
        self._won.add((channel, parking))
        return ClaimAnswer(is_won=True)

    def arm(self, channel: ChannelName, variables: Sequence[tuple[str, str]]) -> None:
        try:
            for name, value in variables:
                set_variable(channel, name, value)
        except UnsafeAction:
            return
        if self.is_up and not self.is_silent:
            self.armed.append(Armed(channel, tuple(variables)))

    async def move(
        self, channel: ChannelName, parking: int, variables: Sequence[tuple[str, str]], place: Destination
    ) -> MoveAnswer:
        if (channel, parking) not in self._won:
            return MoveAnswer(is_accepted=False, problem="no claim was won on this connection a moment ago")
        self._won.discard((channel, parking))
        try:
            move_actions(channel, variables, place)
        except UnsafeAction as error:
            return MoveAnswer(is_accepted=False, problem=str(error))
        problem = await self._reach(channel) or self.refuse_moves
        if problem:
            return MoveAnswer(is_accepted=False, problem=problem)
        self.moved.append(Moved(channel, parking, tuple(variables), place))
        return MoveAnswer(is_accepted=True)

    async def run(self) -> None:
        """Nothing to keep: a test says when the link is up."""
        await asyncio.Event().wait()

    async def _reach(self, channel: ChannelName) -> str:
        """Let Asterisk answer; returns why it does not, or empty."""
        if not self.is_up:
            return "there is no connection to Asterisk"
        connection = self._connection
        await self.answers_flow.wait()
        if connection != self._connection:
            return "the connection was lost"
        if self.is_silent:
            self.go_down("Asterisk did not answer in time")
            return "Asterisk did not answer in time"
        return f"Channel does not exist: {channel}" if channel in self.gone else ""

    def _count(self, key: ClaimKey) -> int:
        self._claimed[key] = self._claimed.get(key, 0) + 1
        return self._claimed[key]
