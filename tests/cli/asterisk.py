"""An Asterisk that answers AMI actions from a table, for the doctor's tests."""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from types import MappingProxyType

from msgspec import Struct

from tests.cli.site import in_thread

EMPTY_START = (("s", 1, "NoOp", ""), ("s", 2, "NoOp", ""))
ALLOWED = {
    "Getvar": "call,reporting,all",
    "Setvar": "call,all",
    "Redirect": "call,all",
    "CoreShowChannels": "system,reporting,all",
    "CoreSettings": "system,reporting,all",
    "ShowDialPlan": "config,reporting,all",
    "Ping": "<none>",
}
PROVERS = {**ALLOWED, "CoreStatus": "system,reporting,all", "Originate": "originate,all"}
"""What the account of test calls may do."""
CONTEXTS: dict[str, tuple[tuple[str, int, str, str], ...]] = {
    **{f"route-{name}": EMPTY_START for name in ("ask", "land", "default", "then")},
    "route-hold": (*EMPTY_START, ("s", 3, "Set", "ROUTE_STATE=${ROUTE_TENANT}|${ROUTE_DID}")),
    "route-gone": (("s", 1, "TryExec", ""),),
    "route-settings": (("hold", 1, "Return", "6"), ("grace", 1, "Return", "2")),
    **{
        f"route-{kind}": EMPTY_START
        for kind in (
            *("queue", "ivr", "voicemail", "playback", "extension", "ring-group"),
            *("conference", "external", "hangup"),
        )
    },
}


class Scripted(Struct):
    """What this Asterisk is like."""

    version: str = "22.10.1~dfsg"
    system_name: str = "pbx-a"
    secret: str = "a-secret"
    banner: str = "Asterisk Call Manager/11.0.0"
    allowed: Mapping[str, str] = MappingProxyType(ALLOWED)
    contexts: Mapping[str, tuple[tuple[str, int, str, str], ...]] = MappingProxyType(CONTEXTS)
    missing: frozenset[str] = frozenset()
    """Places that DIALPLAN_EXISTS denies."""
    functions: frozenset[str] = frozenset({"INC", "DIALPLAN_EXISTS"})
    ahead_seconds: float = 0.0
    live_calls: int = 0
    is_silent: bool = False
    """It takes connections and says nothing."""
    seen: list[str] = []
    """The actions it was asked."""


@contextmanager
def scripted_asterisk(script: Scripted) -> Iterator[int]:
    """Its port."""
    ports: list[int] = []
    listening = Event()

    async def serve(stop: asyncio.Event) -> None:
        writers: list[asyncio.StreamWriter] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await _talk(script, reader, writer)

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        listening.set()
        await stop.wait()
        server.close()
        for writer in writers:
            writer.close()

    with in_thread(serve):
        listening.wait()
        yield ports[0]


async def _talk(script: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if not script.is_silent:
        writer.write(f"{script.banner}\r\n".encode())
    while block := await _read_action(reader):
        if not script.is_silent:
            script.seen.append(block["Action"])
            for message in _answers(script, block):
                lines = "\r\n".join([message[0], f"ActionID: {block['ActionID']}", *message[1:]])
                writer.write(f"{lines}\r\n\r\n".encode())
    writer.close()


async def _read_action(reader: asyncio.StreamReader) -> dict[str, str]:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return {}
    pairs = (line.partition(": ") for line in raw.decode().strip().split("\r\n"))
    return {name: value for name, _, value in pairs}


def _answers(script: Scripted, action: dict[str, str]) -> list[list[str]]:
    name = action["Action"]
    if name == "Login":
        is_right = action["Secret"] == script.secret
        return [["Response: Success"] if is_right else ["Response: Error", "Message: Authentication failed"]]
    if name == "ListCommands":
        return [
            ["Response: Success", *(f"{one}: Does it.  (Priv: {by})" for one, by in script.allowed.items())]
        ]
    if name not in script.allowed:
        return [["Response: Error", "Message: Permission denied"]]
    match name:
        case "CoreSettings":
            names = [f"AsteriskVersion: {script.version}", f"SystemName: {script.system_name}"]
            return [["Response: Success", *names]]
        case "Ping":
            return [["Response: Success", f"Timestamp: {time.time() + script.ahead_seconds:.6f}"]]
        case "CoreShowChannels":
            end = ["Event: CoreShowChannelsComplete", "EventList: Complete"]
            return [["Response: Success", "EventList: start"], end]
        case "CoreStatus":
            return [["Response: Success", f"CoreCurrentCalls: {script.live_calls}"]]
        case "Originate":
            return [["Response: Success", "Message: Originate successfully queued"]]
        case "Getvar":
            return [_getvar(script, action["Variable"])]
        case _:
            return _dialplan(script, action["Context"])


def _getvar(script: Scripted, variable: str) -> list[str]:
    function, argument = re.fullmatch(r"(\w+)\((.*)\)", variable).groups()  # type: ignore[union-attr]
    if function not in script.functions:
        return ["Response: Error", "Message: No such variable"]
    return ["Response: Success", f"Value: {0 if argument in script.missing else 1}"]


def _dialplan(script: Scripted, context: str) -> list[list[str]]:
    steps = script.contexts.get(context)
    if steps is None:
        return [["Response: Error", f"Message: Did not find context {context}"]]
    listed = [
        [
            "Event: ListDialplan",
            f"Extension: {exten}",
            f"Priority: {priority}",
            f"Application: {application}",
            f"AppData: {data}",
        ]
        for exten, priority, application, data in steps
    ]
    end = ["Event: ShowDialPlanComplete", "EventList: Complete"]
    return [["Response: Success", "EventList: start"], *listed, end]
