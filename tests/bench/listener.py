"""Hears an Asterisk's own account of each call over AMI: when it was parked and when it landed.

The times are Asterisk's (`timestampevents`), so that nothing of ours adds to them. A thread of its own reads
with plain sockets: the listener must cost next to nothing beside what it measures.
"""

import socket
import threading
from dataclasses import dataclass
from typing import Self


@dataclass
class Parking:
    """One call's way through the holding context; moments in seconds by Asterisk's clock."""

    parked_at: float | None = None
    landed_at: float | None = None
    defaulted_at: float | None = None
    place: str = ""

    @property
    def held_seconds(self) -> float | None:
        if self.parked_at is None or self.landed_at is None:
            return None
        return self.landed_at - self.parked_at


class Listener:
    """A session on the account `router-b`, whose filters let crmroute's events through and nothing else."""

    def __init__(self, port: int, secret: str) -> None:
        self.parkings: dict[str, Parking] = {}
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        login = f"Action: Login\r\nUsername: router-b\r\nSecret: {secret}\r\nEvents: on\r\n\r\n"
        self._socket.sendall(login.encode())
        self._thread = threading.Thread(target=self._read, name="listener", daemon=True)
        self._is_logged_in = threading.Event()

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
        if message.get(b"Response") == b"Success" or b"FullyBooted" in message.values():
            self._is_logged_in.set()
        event = message.get(b"UserEvent")
        if event is None:
            return
        at = float(message[b"Timestamp"])
        parking = self.parkings.setdefault(message[b"Uniqueid"].decode(), Parking())
        match event:
            case b"RouteParked":
                parking.parked_at = at
            case b"RouteTaken":
                parking.landed_at = at
                parking.place = message[b"To"].decode()
            case b"RouteDefaulted" if parking.landed_at is None:
                parking.defaulted_at = at
                parking.place = message[b"To"].decode()
