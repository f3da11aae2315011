"""panoramisk's protocol and manager, with the habits taken off that a caller cannot afford.

As they come, they send unanswered actions again after a reconnect, decode each packet by itself, close the
connection when a header repeats or a callback fails, and reconnect on their own. Here they are a transport
and a book of unanswered actions, for one connection: bytes are read by `router.ami.messages`, the end of the
connection is told and nothing more, and everything that was not answered by then fails.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from router.ami.errors import LinkLost
from router.ami.messages import AmiMessage, MessageSplitter, parse_message
from router.ami.outbound import ACTION_NAMES, ActionHeaders

log = structlog.get_logger(__name__)

_LIST_HEADERS = ("event", "response", "actionid", "message", "eventlist")

SentAction = Action
"""panoramisk's record of an action: its `id`, and the `future` of its answer."""


class Listener(Protocol):
    """Whoever owns the connection. Called from the reader: it may do nothing slow, and nothing that waits."""

    def on_greeting(self) -> None: ...

    def on_event(self, message: AmiMessage) -> None: ...

    def on_end(self, problem: str) -> None:
        """Once; nothing is sent or heard afterwards."""


class CarriedMessage(Message):  # type: ignore[misc]  # panoramisk has no types
    """Our message in panoramisk's dress, as its book of actions wants it.

    Only with the headers by which panoramisk tells the end of a list: it looks at others too, and in a row of
    a list a caller may have written them.
    """

    def __init__(self, carried: AmiMessage) -> None:
        super().__init__({name: carried.get(name) for name in _LIST_HEADERS if name in carried.headers})
        self.carried = carried


class OneConnection(Manager):  # type: ignore[misc]  # as above
    """A manager that never connects again, pings by itself, or remembers an action for later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        forgetable = tuple(name.lower() for name in ACTION_NAMES)
        super().__init__(loop=loop, encoding="utf-8", forgetable_actions=forgetable)

    def adopt(self, connecting: "asyncio.Task[Any]") -> None:
        """Take the finished connection over."""
        self.connection_made(connecting)
        if self.pinger is not None:
            self.pinger.cancel()

    def connect(self, *_args: Any, **_options: Any) -> None:
        raise AssertionError("router.ami.link connects")

    def connection_lost(self, _error: BaseException | None) -> None:
        """The protocol tells its listener."""

    def dispatch(self, _event: Message) -> list[str]:
        return []  # events go to the listener

    def ping(self) -> None:
        """`router.ami.heartbeat` does, and reads the answers."""


class AmiProtocol(AMIProtocol):  # type: ignore[misc]  # as above
    def __init__(self, server: str, listener: Listener, on_dropped: Callable[[], None]) -> None:
        self.splitter = MessageSplitter()
        self.bytes_received = 0
        self.has_ended = False
        self.responses: dict[str, Action] = {}
        self._server = server
        self._listener = listener
        self._on_dropped = on_dropped

    def send_together(self, actions: Sequence[ActionHeaders]) -> list[Action]:
        """Write the actions at once and in order; each has a `future`. Raises LinkLost.

        The headers have passed `outbound.action`. Must be called in the event loop.
        """
        if self.has_ended or self.transport.is_closing():
            raise LinkLost("the connection was lost")
        made = [Action(dict(headers)) for headers in actions]
        for action in made:
            self.responses[action.id] = action
        self.transport.write("".join(str(action) for action in made).encode())
        return made

    def forget(self, action: Action) -> None:
        """Stop waiting for an answer; one that comes later is dropped."""
        self.responses.pop(action.id, None)
        action.future.cancel()

    def end(self, problem: str) -> None:
        """Close without sending what still waits to be sent, and fail every unanswered action.

        What waits in the kernel is taken back too, by a TCP reset: it would arrive as soon as a network that
        was away is back, and an old Redirect would cut off a caller who talks already.
        """
        if self.has_ended:
            return
        self.has_ended = True
        self.closed = True
        with suppress(AttributeError):  # never connected
            _reset_on_close(self.transport)
            self.transport.abort()
        for action in self.responses.values():
            if not action.future.done():
                action.future.set_exception(LinkLost(problem))
                action.future.exception()  # an armed fallback's answer is awaited by nobody
        self.responses.clear()
        self._listener.on_end(problem)

    def data_received(self, data: bytes) -> None:
        """Never raises: asyncio would close the connection."""
        if self.has_ended:
            return
        self.bytes_received += len(data)
        is_greeted = self.splitter.greeting is not None
        messages = self.splitter.feed(data)
        if not is_greeted and self.splitter.greeting is not None:
            self._listener.on_greeting()
        for raw in messages:
            try:
                self._read(raw)
            except Exception:
                log.exception("ami.message_failed", server=self._server)
        if self.splitter.problem:
            self.end(self.splitter.problem)

    def connection_lost(self, error: BaseException | None) -> None:
        self.end(f"the connection was lost ({error})" if error else "Asterisk closed the connection")

    def close(self) -> None:
        self.end("the connection was closed")

    def _read(self, raw: bytes) -> None:
        message = parse_message(raw)
        if message is None or self.has_ended:
            return
        if message.repeated:
            # Its writer may be a caller: believing either of the two would be a guess.
            log.warning("ami.message_dropped", server=self._server, repeated=message.repeated)
            self._on_dropped()
            return
        action = self.responses.get(message.get("actionid"))
        if action is not None:
            if action.add_message(CarriedMessage(message)):
                self.forget(action)
        elif message.get("event") == "Shutdown":
            self.end("Asterisk shuts down")
        elif message.get("event"):
            self._listener.on_event(message)


def _reset_on_close(transport: asyncio.BaseTransport) -> None:
    connected = transport.get_extra_info("socket")
    with suppress(OSError):  # closed already
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
