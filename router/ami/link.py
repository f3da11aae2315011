"""The link to one Asterisk server: it connects, keeps the connection, and begins anew for ever.

Each connection is a `Session` of its own, and so is everything that was promised on it: a claim won on one
connection is worth nothing on the next, and nothing is sent twice. What follows a new connection:

    LinkUp -> (ServerRestarted) -> news of calls as it comes
                                   and, beside it, the list of channels, and of each
                                   that waits its ROUTE_STATE -> ParkedList
    Ping every now and then ...................................... any end -> LinkDown -> pause -> again

A claim waits until the list is through, because Asterisk answers one action at a time; when that takes longer
than a claim may, it is lost without being sent. A claim or a Redirect that Asterisk does not answer ends the
connection: what Asterisk will still do with it is unknown, and nothing more should be built on it.
"""

import asyncio
from collections.abc import Coroutine, Sequence

import structlog
from msgspec import Struct

from router.ami import inbound, outbound
from router.ami.claims import WonClaims
from router.ami.errors import AnswerMissing, LinkFailed, LinkLost, ServerRefused, UnsafeAction
from router.ami.heartbeat import AsteriskClock, beat
from router.ami.messages import AmiMessage
from router.ami.pauses import Pauses
from router.ami.resync import Resync
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
from router.ami.session import Boot, Session, open_session
from router.core.destinations import Destination
from router.core.events import CallParked
from router.core.identities import ChannelName, ServerName
from router.settings.model import AmiSettings, AsteriskServer

log = structlog.get_logger(__name__)

NO_LINK = "there is no connection to Asterisk"
NOT_CLAIMED = "no claim was won on this connection a moment ago"
STATE_MISSING_MEND = (
    "the dialplan's crmroute.conf is older than this router: replace it, then dialplan reload"
)

STATES_AT_ONCE = 100
"""Channels asked for their ROUTE_STATE in one write."""


class Counts(Struct):
    """What an operator may want to see growing, since the process began."""

    connections: int = 0
    events_heard: int = 0
    events_refused: int = 0
    messages_dropped: int = 0
    arms_failed: int = 0


class AmiLink:
    """`router.ami.seam.AsteriskLink`, over AMI."""

    def __init__(self, server: AsteriskServer, ami: AmiSettings, on_news: OnNews) -> None:
        self.counts = Counts()
        self._server = server
        self._ami = ami
        self._on_news = on_news
        self._clock = AsteriskClock()
        self._pauses = Pauses(ami.reconnect_first_seconds, ami.reconnect_most_seconds)
        self._session: Session | None = None
        self._boot = Boot()
        self._claims: WonClaims[Session] = WonClaims(ami.action_seconds)
        self._told_problem = ""

    @property
    def name(self) -> ServerName:
        return self._server.name

    async def claim(self, channel: ChannelName, parking: int) -> ClaimAnswer:
        session = self._session
        if session is None:
            return ClaimAnswer(is_won=False, problem=NO_LINK)
        try:
            action = outbound.claim(channel, parking)
            await self._wait_for_list(session)
            sent_at = asyncio.get_running_loop().time()
            answer = await session.ask(action, self._ami.claim_seconds)
        except AnswerMissing as error:
            session.end(str(error))
            return ClaimAnswer(is_won=False, problem=str(error))
        except (LinkFailed, UnsafeAction) as error:
            return ClaimAnswer(is_won=False, problem=str(error))
        judged = _judge_claim(answer)
        if judged.is_won:
            self._claims.put((channel, parking), session, sent_at)
        return judged

    def arm(self, channel: ChannelName, variables: Sequence[tuple[str, str]]) -> None:
        def on_failed(problem: str) -> None:
            self.counts.arms_failed += 1
            log.info("ami.arm_failed", server=self.name, channel=channel, problem=problem)

        try:
            actions = [outbound.set_variable(channel, name, value) for name, value in variables]
            if self._session is None:
                raise LinkLost(NO_LINK)
            if actions:
                self._session.tell(actions, on_failed)
        except (LinkLost, UnsafeAction) as error:
            on_failed(str(error))

    async def move(
        self, channel: ChannelName, parking: int, variables: Sequence[tuple[str, str]], place: Destination
    ) -> MoveAnswer:
        session = self._claims.take((channel, parking), asyncio.get_running_loop().time())
        if session is None:
            return MoveAnswer(is_accepted=False, problem=NOT_CLAIMED)
        try:
            actions = outbound.move_actions(channel, variables, place)
            answers = await session.ask_together(actions, self._ami.action_seconds)
        except AnswerMissing as error:
            session.end(str(error))
            return MoveAnswer(is_accepted=False, problem=str(error))
        except (LinkFailed, UnsafeAction) as error:
            return MoveAnswer(is_accepted=False, problem=str(error))
        for answer in answers[:-1]:
            if not answer.is_success:
                log.info(
                    "ami.setvar_failed", server=self.name, channel=channel, problem=answer.get("message")
                )
        if not answers[-1].is_success:
            return MoveAnswer(is_accepted=False, problem=answers[-1].get("message") or "refused")
        return MoveAnswer(is_accepted=True)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                session = await open_session(self._server, self._ami, self._clock)
            except (ServerRefused, UnsafeAction) as error:
                self._tell_refused(str(error))
                pause = self._ami.refused_wait_seconds
            except LinkFailed as error:
                self._tell_down(str(error))
                pause = self._pauses.draw()
            else:
                began_at = loop.time()
                await self._keep(session)
                if loop.time() - began_at > self._ami.reconnect_most_seconds:
                    self._pauses.begin_anew()
                pause = self._pauses.draw()
            await asyncio.sleep(pause)

    # One connection

    async def _keep(self, session: Session) -> None:
        """Until the session has ended and everything it heard was told."""
        resync = Resync()
        self._tell_up(session)
        self._session = session
        tasks = [
            asyncio.create_task(self._guard(session, beat(self.name, session, self._clock, self._ami))),
            asyncio.create_task(self._guard(session, self._list_parked(session, resync))),
        ]
        try:
            while batch := await session.next_events():
                for message in batch:
                    self._hear(message, resync)
                await asyncio.sleep(0)
        finally:
            self._session = None
            self._claims.clear()
            session.end("crmroute stops")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.counts.messages_dropped += session.messages_dropped
        self._tell_down(session.problem)

    async def _list_parked(self, session: Session, resync: Resync) -> None:
        listing = outbound.action("CoreShowChannels")
        try:
            head, *rows = await session.ask_list(listing, self._ami.action_seconds)
            waiting = [(row, channel) for row in rows if (channel := self._waiting_channel(row)) is not None]
            answers = await self._ask_states(session, [channel for _, channel in waiting])
        except LinkFailed as error:
            session.end(str(error))
            return
        session.has_listed.set()
        if not head.is_success:
            resync.close()
            log.error("ami.list_refused", server=self.name, problem=head.get("message"))
            return
        # A channel that answers an error or nothing has left.
        states = [answer.get("value") if answer.is_success else "" for answer in answers]
        if not any(states) and any(answer.is_success for answer in answers):
            log.error("ami.state_missing", server=self.name, channels=len(waiting), mend=STATE_MISSING_MEND)
        told = [(row, state) for (row, _), state in zip(waiting, states, strict=True) if state]
        parked = [call for row, state in told if (call := self._listed_call(row, state)) is not None]
        self._tell(ParkedList(self.name, resync.merge(parked)))

    async def _ask_states(self, session: Session, channels: Sequence[ChannelName]) -> list[AmiMessage]:
        """One answer for each channel, in order. Raises AnswerMissing, LinkLost."""
        answers: list[AmiMessage] = []
        for begin in range(0, len(channels), STATES_AT_ONCE):
            asked = [outbound.ask_state(channel) for channel in channels[begin : begin + STATES_AT_ONCE]]
            answers += await session.ask_together(asked, self._ami.action_seconds)
        return answers

    def _waiting_channel(self, row: AmiMessage) -> ChannelName | None:
        channel = inbound.waiting_channel(row)
        if isinstance(channel, inbound.Unusable):
            self._refuse(row, channel)
            return None
        return channel

    def _listed_call(self, row: AmiMessage, state: str) -> CallParked | None:
        call = inbound.listed_call(row, state, self.name, self._clock.now())
        if isinstance(call, inbound.Unusable):
            self._refuse(row, call)
            return None
        return call

    def _hear(self, message: AmiMessage, resync: Resync) -> None:
        heard = inbound.hear(message, self.name, self._clock.now())
        if isinstance(heard, inbound.Heard):
            self.counts.events_heard += 1
            resync.note(heard.uniqueid, heard.event)
            self._tell(CallNews(self.name, heard.uniqueid, heard.event))
        elif heard is not None:
            self._refuse(message, heard)

    def _refuse(self, message: AmiMessage, unusable: inbound.Unusable) -> None:
        self.counts.events_refused += 1
        log.warning(
            "ami.event_refused",
            server=self.name,
            uniqueid=message.get("uniqueid"),
            user_event=message.get("userevent") or message.get("event"),
            reason=unusable.reason,
        )

    async def _guard(self, session: Session, work: Coroutine[None, None, None]) -> None:
        """A fault of ours must not leave a connection without its heart."""
        try:
            await work
        except Exception:
            log.exception("ami.link_failed", server=self.name)
            session.end("a fault of crmroute")

    async def _wait_for_list(self, session: Session) -> None:
        if session.has_listed.is_set():
            return
        try:
            async with asyncio.timeout(self._ami.claim_seconds):
                await session.has_listed.wait()
        except TimeoutError as error:
            raise LinkFailed("Asterisk is busy listing its channels") from error

    # News

    def _tell_up(self, session: Session) -> None:
        self.counts.connections += 1
        self._told_problem = ""
        is_restart = session.boot.is_restart_of(self._boot)
        self._boot = session.boot
        if session.warning:
            log.warning("ami.version_warning", server=self.name, warning=session.warning)
        self._tell(LinkUp(self.name, session.version, is_restart, session.warning))
        if is_restart:
            self._tell(ServerRestarted(self.name))

    def _tell_refused(self, problem: str) -> None:
        if problem != self._told_problem:
            log.error("ami.refused", server=self.name, username=self._server.username, problem=problem)
        self._tell_down(problem)

    def _tell_down(self, problem: str) -> None:
        if problem == self._told_problem:
            log.debug("ami.still_down", server=self.name, problem=problem)
            return
        self._told_problem = problem
        self._tell(LinkDown(self.name, problem))

    def _tell(self, news: ServerNews) -> None:
        try:
            self._on_news(news)
        except Exception:
            log.exception("ami.news_failed", server=self.name, news=type(news).__name__)


def _judge_claim(answer: AmiMessage) -> ClaimAnswer:
    if not answer.is_success:
        return ClaimAnswer(is_won=False, problem=answer.get("message") or "the claim was refused")
    value = answer.get("value")
    if value == "1":
        return ClaimAnswer(is_won=True)
    return ClaimAnswer(is_won=False, problem="" if value.isdecimal() else "the claim has no number")
