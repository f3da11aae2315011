"""Asterisk's bytes: split, read, heard, and decided as a call of a tenant.

Callers write into these bytes. Whatever they write, a message is the same in any pieces, no event carries a
line end into what we send, and a call that is heard ends at a place of its own tenant's.
"""

import asyncio
from collections.abc import Sequence

from router.ami.inbound import Heard, Unusable, hear, listed_call, waiting_channel
from router.ami.messages import AmiMessage, MessageSplitter, parse_message
from router.ami.outbound import ask_state, login
from router.ami.protocol import AmiProtocol
from router.ami.versions import judge
from router.core.events import CallParked
from router.core.identities import ServerName
from router.core.plans import TenantPlan
from tests.ami.scripted_server import channel_row, message, parked_event, parked_state, user_event
from tests.core import makers
from tests.fuzz.mutations import bend_text
from tests.fuzz.targets import Target
from tests.hostile.callers import CALLERS, announced
from tests.hostile.promises import NOT_FOUND, TEMPLATES, require_wire, routed

GREETING = b"Asterisk Call Manager/9.0.0\r\n"
SERVER = ServerName("pbx-a")
NOW = 1_700_000_000.0
STATE_ACTION = "7"


def read_stream(data: bytes) -> None:
    whole, pieced = MessageSplitter(), MessageSplitter()
    messages = whole.feed(GREETING + data)
    parts = [pieced.feed(piece) for piece in _pieces(GREETING + data)]
    assert [one for part in parts for one in part] == messages
    assert pieced.problem == whole.problem
    for raw in messages:
        parsed = parse_message(raw)
        if parsed is not None and not parsed.repeated:
            _hear(parsed)


def _pieces(data: bytes) -> list[bytes]:
    size = 1 + len(data) % 61
    return [data[at : at + size] for at in range(0, len(data), size)]


def _hear(parsed: AmiMessage) -> None:
    heard = hear(parsed, SERVER, NOW)
    if isinstance(heard, Heard) and isinstance(heard.event, CallParked):
        plan = TenantPlan(makers.tenant(makers.rule(), id=heard.event.tenant), TEMPLATES, makers.ZURICH)
        routed(heard.event, plan, NOT_FOUND)
    listed = waiting_channel(parsed)
    if isinstance(listed, str):
        require_wire([ask_state(listed)])
        call = listed_call(parsed, parsed.get("value"), SERVER, NOW)
        assert isinstance(call, CallParked | Unusable)
    judge(parsed.get("asteriskversion"))


class _Listener:
    """Takes the protocol's news as a session does."""

    def __init__(self) -> None:
        self.problem = ""

    def on_greeting(self) -> None:
        pass

    def on_event(self, message: AmiMessage) -> None:
        hear(message, SERVER, NOW)

    def on_end(self, problem: str) -> None:
        assert not self.problem, "an end is told once"
        self.problem = problem


class _Transport(asyncio.Transport):
    def write(self, _data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def read_answers(data: bytes) -> None:
    """With two actions that wait: an answer reaches its own action, and nothing else ends the connection."""
    asyncio.run(_read_answers(data))


async def _read_answers(data: bytes) -> None:
    protocol = AmiProtocol("pbx-a", _Listener(), lambda: None)
    protocol.connection_made(_Transport())
    asked = protocol.send_together([login("router", "secret"), ask_state_of_a_channel()])
    named = data
    for number, action in enumerate(asked, 1):
        named = named.replace(b"ActionID: %d\r\n" % number, f"ActionID: {action.id}\r\n".encode())
    for raw in protocol.splitter.feed(GREETING + named):
        protocol._read(raw)
    protocol.end("the test is over")
    for action in asked:
        if action.future.done() and not action.future.cancelled():
            action.future.exception()


def ask_state_of_a_channel() -> dict[str, str]:
    (name,) = [value for header, value in channel_row("pbx-a-1.7") if header == "Channel"]
    listed = waiting_channel(AmiMessage({"channel": name, "context": "route-hold", "application": "Wait"}))
    assert isinstance(listed, str)
    return ask_state(listed)


def _streams() -> Sequence[bytes]:
    usual = [
        parked_event("pbx-a-1700000000.17"),
        parked_event("pbx-a-1700000000.18", Timestamp="1699999999.5", Did="+33142345001", From="anonymous"),
        user_event("RouteAsking", "pbx-a-1.2", N="1"),
        user_event("RouteTaken", "pbx-a-1.2", N="1", To="route-queue,gold,1"),
        user_event("RouteDefaulted", "pbx-a-1.2", N="1", Why="late", To="route-ivr,main,1"),
        user_event(
            "RouteGone", "pbx-a-1.2", N="1", Tenant="acme", Where="answered", Secs="10", TalkMs="9000",
            Moved="0", Caller="1", Dial="ANSWER", Mail="", Conf="",
        ),
        message(channel_row("pbx-a-1.5", Value=parked_state(1_700_000_003))),
        message({"Event": "FullyBooted", "Uptime": "1000", "Status": "Fully Booted"}),
        message({"Response": "Success", "AsteriskVersion": "22.10.1~dfsg+~cs6.16.60671435-1"}),
    ]  # fmt: skip
    return [*usual, b"".join(usual), *(announced(one) for one in CALLERS[::9])]


def _answers() -> Sequence[bytes]:
    row = message([("ActionID", "2"), *channel_row("pbx-a-1.5")])
    return [
        message({"Response": "Success", "ActionID": "1", "Message": "Authentication accepted"}),
        message({"Response": "Error", "ActionID": "1", "Message": "Authentication failed"}),
        message({"Response": "Success", "ActionID": "2", "Variable": "ROUTE_STATE", "Value": "a|b"}),
        message({"Response": "Success", "ActionID": "2", "EventList": "start"})
        + row
        + message({"Event": "CoreShowChannelsComplete", "ActionID": "2", "EventList": "Complete"}),
        message({"Event": "Shutdown", "Shutdown": "Cleanly"}),
        parked_event("pbx-a-1.9", ActionID="1"),
    ]


TARGETS = (
    Target("ami-stream", "Asterisk's bytes, to calls", read_stream, _streams, bend_text),
    Target("ami-answers", "Asterisk's answers to actions", read_answers, _answers, bend_text),
)
