"""Hears Asterisk's own account of each call over AMI: when it came in, was parked, and landed.

The times are Asterisk's (`timestampevents`), so that nothing of ours adds to them. A thread of its own reads
with plain sockets: the listener must cost next to nothing beside what it measures.
"""

import socket
import threading
from dataclasses import dataclass
from typing import Self


@dataclass
class CallTimes:
    """One call's way; moments in seconds by Asterisk's clock."""

    caller: str
    did: str
    entered_at: float | None = None
    parked_at: float | None = None
    """Of a call that waits in `route-hold`."""
    landed_at: float | None = None
    place: str = ""

    @property
    def held_seconds(self) -> float | None:
        return _between(self.entered_at, self.landed_at)

    @property
    def parked_seconds(self) -> float | None:
        return _between(self.parked_at, self.landed_at)


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


class Listener:
    """A session on the account `bench`, whose filters let the benchmark's events through and nothing else."""

    def __init__(self, port: int, secret: str) -> None:
        self._calls: dict[bytes, CallTimes] = {}
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        login = f"Action: Login\r\nUsername: bench\r\nSecret: {secret}\r\nEvents: on\r\n\r\n"
        self._socket.sendall(login.encode())
        self._thread = threading.Thread(target=self._read, name="listener", daemon=True)
        self._is_logged_in = threading.Event()

    @property
    def calls(self) -> list[CallTimes]:
        return list(self._calls.values())

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_logged_in.wait(10):
            raise RuntimeError("the listener could not log in")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _read(self) -> None:
        self._socket.settimeout(None)
        with self._socket.makefile("rb") as lines:
            message: dict[bytes, bytes] = {}
            for line in lines:
                name, separator, value = line.rstrip(b"\r\n").partition(b": ")
                if separator:
                    message.setdefault(name, value)
                elif message:
                    self._take(message)
                    message = {}

    def _take(self, message: dict[bytes, bytes]) -> None:
        event = message.get(b"UserEvent")
        if event is None:
            if message.get(b"Response") == b"Success":
                self._is_logged_in.set()
            return
        at = float(message[b"Timestamp"])
        if (call := self._calls.get(message[b"Uniqueid"])) is None:
            caller, did = message[b"CallerIDNum"].decode(), message[b"Exten"].decode()
            call = self._calls[message[b"Uniqueid"]] = CallTimes(caller, did)
        match event:
            case b"BenchEntered":
                call.entered_at = at
            case b"RouteParked":
                call.parked_at = at
            case b"BenchLanded":
                call.landed_at = at
                call.place = message[b"At"].decode()
