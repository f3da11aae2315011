"""One connection to one Asterisk, from its beginning to its end. A session is never used again.

`open_session` gives one that is logged in and knows whom it talks to. Every action has a limit; when it is
over, the answer is forgotten, and whether the silence ends the connection is the caller's to say (`end`).
Events wait in a bounded intake for one consumer; when it is full the session ends, and a resync finds the
calls.
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from router.ami import outbound
from router.ami.errors import (
    AnswerMissing,
    LinkFailed,
    LinkLost,
    LoginRefused,
    NotAsterisk,
    ServerTooOld,
)
from router.ami.heartbeat import AsteriskClock, ping
from router.ami.messages import AmiMessage
from router.ami.outbound import ActionHeaders
from router.ami.protocol import AmiProtocol, OneConnection, SentAction
from router.ami.tls import refused, tls_context
from router.ami.versions import judge
from router.settings.model import AmiSettings, AsteriskServer

BATCH = 200
"""Events handed on between two looks at everything else that the process has to do."""

NO_ANSWER = AmiMessage({"message": "no answer"})
"""Stands where an answer was not believed, so that the others keep their places."""


class Boot(Struct, frozen=True):
    """What tells one life of an Asterisk from the next."""

    started: str = ""
    """CoreStatus' start, to the second, by Asterisk's clock and zone."""
    uptime_seconds: int | None = None
    """FullyBooted's, which needs `read = system`."""

    def is_restart_of(self, former: "Boot") -> bool:
        if self.started and former.started and self.started != former.started:
            return True
        if self.uptime_seconds is None or former.uptime_seconds is None:
            return False
        return self.uptime_seconds < former.uptime_seconds


class Session:
    """Made by `open_session`."""

    def __init__(self, server: AsteriskServer, ami: AmiSettings) -> None:
        self.protocol = AmiProtocol(server.name, self, self._count_dropped)
        self.problem = ""
        """Why it ended; empty while it lives."""
        self.version = ""
        self.warning = ""
        self.boot = Boot()
        self.has_listed = asyncio.Event()
        """Set when the long answers of a resync no longer stand before every other answer."""
        self.messages_dropped = 0
        self._ami = ami
        self._greeted = asyncio.Event()
        self._events: deque[AmiMessage] = deque()
        self._stirred = asyncio.Event()

    # What the link does with it

    def tell(self, actions: Sequence[ActionHeaders], on_failed: Callable[[str], None]) -> None:
        """Send together and wait for nothing; `on_failed` hears of each that failed. Raises LinkLost."""
        made = self.protocol.send_together(actions)
        loop = asyncio.get_running_loop()
        forgetting = loop.call_later(self._ami.action_seconds, self._forget, made)

        def on_over(_future: "asyncio.Future[Any]", action: SentAction) -> None:
            if action is made[-1]:
                forgetting.cancel()
            problem = _problem_of(action)
            if problem:
                on_failed(problem)

        for action in made:
            action.future.add_done_callback(partial(on_over, action=action))

    async def ask(self, headers: ActionHeaders, seconds: float) -> AmiMessage:
        """Send one action and wait. Raises AnswerMissing, LinkLost."""
        return (await self.ask_together([headers], seconds))[-1]

    async def ask_together(self, actions: Sequence[ActionHeaders], seconds: float) -> list[AmiMessage]:
        """Send together and wait for the last one's answer, which comes after the others'.

        One answer for each action, in order; `NO_ANSWER` is no success. Raises AnswerMissing, LinkLost.
        """
        made = self.protocol.send_together(actions)
        try:
            async with asyncio.timeout(seconds):
                await made[-1].future
        except TimeoutError as error:
            name = actions[-1]["Action"]
            raise AnswerMissing(f"Asterisk did not answer {name} in {seconds:g} s") from error
        finally:
            answers = [_answer_of(action) or NO_ANSWER for action in made]
            self._forget(made)
        return answers

    async def ask_list(self, headers: ActionHeaders, silence_seconds: float) -> list[AmiMessage]:
        """The answer and the events that follow it; a long list may take its time, but not be silent.

        Raises AnswerMissing, LinkLost.
        """
        (action,) = self.protocol.send_together([headers])
        try:
            while not action.future.done():
                received = self.protocol.bytes_received
                await asyncio.wait([action.future], timeout=silence_seconds)
                if not action.future.done() and self.protocol.bytes_received == received:
                    raise AnswerMissing(f"{headers['Action']} was not answered to its end")
            answer = action.future.result()
        finally:
            self.protocol.forget(action)
        return [part.carried for part in (answer if isinstance(answer, list) else [answer])]

    async def next_events(self) -> list[AmiMessage]:
        """Events in order, as soon as there are any; none once it has ended and all were taken."""
        while not self._events:
            if self.problem:
                return []
            self._stirred.clear()
            await self._stirred.wait()
        return [self._events.popleft() for _ in range(min(len(self._events), BATCH))]

    def end(self, problem: str) -> None:
        """Drop the connection. What was sent and not answered stays unknown."""
        self.protocol.end(problem)

    # What the protocol tells

    def on_greeting(self) -> None:
        self._greeted.set()

    def on_event(self, message: AmiMessage) -> None:
        if message.get("event") == "FullyBooted":
            uptime = message.get("uptime")
            self.boot = Boot(self.boot.started, int(uptime) if uptime.isdecimal() else None)
        elif message.get("event") == "UserEvent" and message.get("userevent").startswith("Route"):
            if len(self._events) >= self._ami.events_waiting:
                self.end(f"more than {self._ami.events_waiting} events wait")
                return
            self._events.append(message)
            self._stirred.set()

    def on_end(self, problem: str) -> None:
        self.problem = problem
        self._greeted.set()
        self._stirred.set()

    # How it begins

    async def open(self, server: AsteriskServer, clock: AsteriskClock) -> None:
        await self._connect(server)
        await self._log_in(server)
        await self._inquire(clock)

    async def _connect(self, server: AsteriskServer) -> None:
        """Until Asterisk greets: the secret goes to nobody else."""
        loop = asyncio.get_running_loop()
        tls = tls_context(server)
        try:
            async with asyncio.timeout(self._ami.connect_seconds):
                connecting = loop.create_task(
                    loop.create_connection(lambda: self.protocol, server.host, server.port, ssl=tls)
                )
                await connecting
                OneConnection(loop).adopt(connecting)
                await self._greeted.wait()
        except TimeoutError as error:
            raise LinkFailed(f"no connection in {self._ami.connect_seconds:g} s") from error
        except ssl.SSLError as error:
            raise refused(error, server) or LinkFailed(_reason(error)) from error
        except (OSError, UnicodeError) as error:
            raise LinkFailed(_reason(error)) from error
        if self.problem and self.protocol.splitter.greeting is None and self.protocol.splitter.problem:
            raise NotAsterisk(self.problem)
        if self.problem:
            raise LinkLost(self.problem)

    async def _log_in(self, server: AsteriskServer) -> None:
        answer = await self.ask(outbound.login(server.username, server.secret), self._ami.login_seconds)
        if not answer.is_success:
            raise LoginRefused(answer.get("message") or "the login was refused")

    async def _inquire(self, clock: AsteriskClock) -> None:
        """Who is it, since when is it up, and what time is it there."""
        limit = self._ami.action_seconds
        core, status, _ = await asyncio.gather(
            self.ask(outbound.action("CoreSettings"), limit),
            self.ask(outbound.action("CoreStatus"), limit),
            ping(self, clock, limit),
        )
        self.version = core.get("asteriskversion")
        verdict = judge(self.version)
        if not verdict.is_served:
            raise ServerTooOld(verdict.warning)
        self.warning = verdict.warning
        started = f"{status.get('corestartupdate')} {status.get('corestartuptime')}".strip()
        self.boot = Boot(started, self.boot.uptime_seconds)

    def _forget(self, actions: Sequence[SentAction]) -> None:
        for action in actions:
            self.protocol.forget(action)

    def _count_dropped(self) -> None:
        self.messages_dropped += 1


async def open_session(server: AsteriskServer, ami: AmiSettings, clock: AsteriskClock) -> Session:
    """Connect and log in. Raises LinkFailed, ServerRefused, UnsafeAction."""
    session = Session(server, ami)
    try:
        await session.open(server, clock)
    except BaseException:
        session.end("the session could not begin")
        raise
    return session


def _answer_of(action: SentAction) -> AmiMessage | None:
    future = action.future
    if not future.done() or future.cancelled() or future.exception() is not None:
        return None
    response = future.result()
    # A list where one answer was expected is a fault of Asterisk's; its head is the answer.
    first = response[0] if isinstance(response, list) else response
    message: AmiMessage = first.carried
    return message


def _problem_of(action: SentAction) -> str:
    """Why an action that is over failed; empty when it did not."""
    answer = _answer_of(action)
    if answer is None:
        return "no answer"
    return "" if answer.is_success else answer.get("message") or "refused"


def _reason(error: Exception) -> str:
    """In few words: asyncio's own name the address, which the log has."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
