"""A plain AMI client for the tests of the dialplan: one socket, one thread, no panoramisk and no router.

Events that arrive while an action's answer is awaited are kept for `wait_for`.
"""

import itertools
import socket
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

Message = dict[str, str]


class AmiRefused(Exception):
    """Asterisk answered an action with an error."""


class AmiSocket:
    """Logged in as one of manager.conf's accounts."""

    def __init__(self, port: int, user: str, secret: str) -> None:
        self._link = socket.create_connection(("127.0.0.1", port), 10)
        self._unread = b""
        self._ids = itertools.count(1)
        self.events: deque[Message] = deque()
        self.seen: list[Message] = []
        """Every event ever received, in order."""
        self._read_until(b"\r\n")
        self.act("Login", Username=user, Secret=secret)
        self.wait_for(lambda event: event["Event"] == "FullyBooted")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._link.close()

    def act(self, name: str, **headers: str) -> Message:
        """Send an action and return its answer; raises AmiRefused when that is an error."""
        wanted = str(next(self._ids))
        lines = [
            f"Action: {name}",
            f"ActionID: {wanted}",
            *(f"{key}: {value}" for key, value in headers.items()),
        ]
        self._link.sendall("\r\n".join([*lines, "", ""]).encode())
        while True:
            message = self._read(time.monotonic() + 10)
            if "Event" in message:
                self._keep(message)
            elif message.get("ActionID") == wanted:
                if message["Response"] == "Error":
                    raise AmiRefused(message.get("Message", ""))
                return message

    def wait_for(self, is_wanted: Callable[[Message], bool], seconds: float = 10) -> Message:
        """The first event, kept or to come, that is wanted; it is taken out, the others stay."""
        deadline = time.monotonic() + seconds
        for event in self.events:
            if is_wanted(event):
                self.events.remove(event)
                return event
        while True:
            message = self._read(deadline)
            if "Event" not in message:
                continue
            self._keep(message)
            if is_wanted(message):
                return self.events.pop()

    def user_event(self, name: str, seconds: float = 10, **fields: str) -> Message:
        """The first user event of that name with these fields."""
        return self.wait_for(
            lambda event: (
                event.get("UserEvent") == name
                and all(event.get(key) == value for key, value in fields.items())
            ),
            seconds,
        )

    def set_variable(self, channel: str, name: str, value: str) -> None:
        self.act("Setvar", Channel=channel, Variable=name, Value=value)

    def claim(self, channel: str, parking: str) -> str:
        return self.act("Getvar", Channel=channel, Variable=f"INC(ROUTE_CLAIM_{parking})")["Value"]

    def redirect(self, channel: str, context: str) -> None:
        self.act("Redirect", Channel=channel, Context=context, Exten="s", Priority="1")

    def _keep(self, event: Message) -> None:
        self.events.append(event)
        self.seen.append(event)

    def _read(self, deadline: float) -> Message:
        """One message. A header that comes twice is a forged one: no test of ours expects it."""
        text = self._read_until(b"\r\n\r\n", deadline).decode("utf-8", "replace")
        message: Message = {}
        for line in text.split("\r\n"):
            key, _, value = line.partition(": ")
            if key in message and key != "ChanVariable":
                raise AssertionError(f"header {key} came twice: {text!r}")
            message[key.rstrip(":")] = value
        return message

    def _read_until(self, end: bytes, deadline: float | None = None) -> bytes:
        while end not in self._unread:
            left = 10.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"awaited in vain; the last events were {self.seen[-5:]}")
            self._link.settimeout(left)
            more = self._link.recv(65536)
            if not more:
                raise ConnectionError("Asterisk closed the AMI connection")
            self._unread += more
        found, _, self._unread = self._unread.partition(end)
        return found
