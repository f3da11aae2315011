"""Asterisk's CLI over AMI, on the rig's own account: a millisecond where `asterisk -rx` costs fifty."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from typing import IO

from deploy.rig.errors import AsteriskFailed

_BOOTED = b"Event: FullyBooted"


@contextlib.contextmanager
def _ami_session(port: int, secret: str, timeout_seconds: float) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    with socket.create_connection(("127.0.0.1", port), timeout_seconds) as link, link.makefile("rb") as lines:
        lines.readline()
        link.sendall(f"Action: Login\r\nUsername: rig\r\nSecret: {secret}\r\n\r\n".encode())
        yield link, lines


def says_fully_booted(port: int, secret: str, deadline: float) -> bool:
    with _ami_session(port, secret, max(0.1, deadline - time.monotonic())) as (_, lines):
        return any(line.startswith(_BOOTED) for line in lines)


def command_by_ami(port: int, secret: str, cli: str, timeout_seconds: float) -> list[str]:
    if re.search(r"[\r\n\0]", cli):
        raise ValueError("a CLI command is one line")
    try:
        with _ami_session(port, secret, timeout_seconds) as (link, lines):
            link.sendall(f"Action: Command\r\nActionID: rig\r\nCommand: {cli}\r\n\r\n".encode())
            return _answer(lines)
    except OSError as error:
        raise AsteriskFailed(f"the CLI did not answer: {error}") from error


def _answer(lines: IO[bytes]) -> list[str]:
    """The message with our ActionID; the login's answer and FullyBooted come before it."""
    message: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line:
            message.append(line)
        elif "ActionID: rig" in message:
            return message
        else:
            message = []
    raise AsteriskFailed("the AMI connection was closed")
