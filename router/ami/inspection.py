"""The doctor's questions to an Asterisk server: none of them changes anything there.

A session of its own over AMI, logged in as the router would be, with events off unless somebody listens. What
the account may do is asked of Asterisk itself (`ListCommands` lists the actions that the account is allowed,
each with the classes that allow it), so no forbidden action is ever tried. The calls' own sessions are the
business of `router.ami.link`.

What AMI cannot tell: whether the account has `read = user`, which only a call proves.
"""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from router.ami.errors import AnswerMissing, LinkFailed, LinkLost, LoginRefused, NotAsterisk, UnsafeAction
from router.ami.tls import refused, tls_context
from router.core.destinations import Destination
from router.settings.model import AsteriskServer

BANNER = b"Asterisk Call Manager"
MESSAGE_BYTES = 1 << 20
LIST_LINE = re.compile(r"\(Priv: ([^)]*)\)\s*$")
UNSAFE = re.compile(r"[\r\n\0]")

Headers = dict[str, list[str]]
OnEvent = Callable[[Headers], None]


class Reply(Struct, frozen=True):
    """What Asterisk answered to one action, its list of events included."""

    is_success: bool
    message: str
    headers: Headers
    events: tuple[Headers, ...] = ()

    def header(self, name: str) -> str:
        return first(self.headers, name)


class Core(Struct, frozen=True):
    """What the server says of itself."""

    version: str
    system_name: str


class Step(Struct, frozen=True):
    """One priority of the dialplan."""

    exten: str
    priority: int
    application: str
    data: str


def first(headers: Headers, name: str) -> str:
    values = headers.get(name)
    return values[0] if values else ""


class Inspection:
    """One logged-in session. Every question has the same time limit; a server that is silent raises."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seconds: float,
        on_event: OnEvent | None = None,
    ) -> None:
        self._on_event = on_event
        self._reader = reader
        self._writer = writer
        self._seconds = seconds
        self._numbers = 0
        self._waiting: dict[str, tuple[asyncio.Future[Reply], list[Headers]]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def greet(self) -> None:
        """Read Asterisk's first line; raises NotAsterisk when it is another program's."""
        try:
            async with asyncio.timeout(self._seconds):
                banner = await self._reader.readline()
        except (OSError, TimeoutError, ValueError) as error:
            raise NotAsterisk("nothing is said there, not even a greeting") from error
        if not banner.startswith(BANNER):
            raise NotAsterisk(f"what answers there is not AMI: it says {banner[:40]!r}")
        self._listening = asyncio.create_task(self._listen())

    async def log_in(self, username: str, secret: str) -> None:
        reply = await self.ask(
            "Login", Username=username, Secret=secret, Events="on" if self._on_event else "off"
        )
        if not reply.is_success:
            raise LoginRefused(reply.message or "no reason was given")

    async def core(self) -> Core:
        reply = await self.ask("CoreSettings")
        return Core(reply.header("AsteriskVersion"), reply.header("SystemName"))

    async def allowed_actions(self) -> dict[str, frozenset[str]]:
        """Every action the account may use, with the classes any of which allows it."""
        reply = await self.ask("ListCommands")
        allowed = {}
        for name, values in reply.headers.items():
            found = LIST_LINE.search(values[0])
            if found:
                allowed[name] = frozenset(found[1].split(",")) - {"all", "<none>"}
        return allowed

    async def clock(self) -> tuple[float, float]:
        """Seconds that the server's clock is ahead of this host's, and the round trip in seconds."""
        sent_at, started = time.time(), time.monotonic()
        reply = await self.ask("Ping")
        round_trip = time.monotonic() - started
        return float(reply.header("Timestamp") or "nan") - (sent_at + round_trip / 2), round_trip

    async def context(self, name: str) -> tuple[Step, ...] | None:
        """The steps of a context, or None when there is no such context."""
        reply = await self.ask("ShowDialPlan", Context=name)
        if not reply.is_success:
            return None
        return tuple(_step(event) for event in reply.events if first(event, "Priority").isdecimal())

    async def evaluate(self, function: str) -> str | None:
        """A dialplan function that needs no channel; None when Asterisk does not have it or refuses."""
        reply = await self.ask("Getvar", Variable=function)
        return reply.header("Value") if reply.is_success else None

    async def missing_places(self, places: Iterable[Destination]) -> list[Destination]:
        """Those to which the dialplan has no way, patterns considered."""
        asked = list(places)
        values = await asyncio.gather(*(self.evaluate(f"DIALPLAN_EXISTS({place})") for place in asked))
        return [place for place, value in zip(asked, values, strict=True) if value == "0"]

    async def ask(self, action: str, **fields: str) -> Reply:
        """Send an action and wait for its reply and its list. Raises AnswerMissing, LinkLost."""
        self._numbers += 1
        number = str(self._numbers)
        lines = {"Action": action, "ActionID": number} | fields
        if any(UNSAFE.search(value) for value in lines.values()):
            raise UnsafeAction(f"a value of {action} has a line end")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (future, [])
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            async with asyncio.timeout(self._seconds):
                self._writer.write(f"{text}\r\n".encode())
                await self._writer.drain()
                return await future
        except TimeoutError as error:
            raise AnswerMissing(f"no answer to {action} in {self._seconds:g} s") from error
        except OSError as error:
            raise LinkLost(_reason(error)) from error
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._writer.wait_closed()

    async def _listen(self) -> None:
        problem = "the connection was closed"
        try:
            while True:
                self._take(_parse(await self._reader.readuntil(b"\r\n\r\n")))
        except asyncio.IncompleteReadError:
            pass
        except (OSError, asyncio.LimitOverrunError) as error:
            problem = _reason(error)
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError(problem))

    def _take(self, message: Headers) -> None:
        future, events = self._waiting.get(first(message, "ActionID"), (None, []))
        if future is None or future.done():
            if self._on_event is not None and "Event" in message:
                self._on_event(message)
            return
        if "Event" in message:
            is_last = first(message, "EventList").lower() == "complete"
            if not is_last:
                events.append(message)
                return
            future.set_result(Reply(is_success=True, message="", headers=message, events=tuple(events)))
        elif first(message, "EventList").lower() != "start":
            is_success = first(message, "Response") == "Success"
            future.set_result(Reply(is_success, first(message, "Message"), message))


@asynccontextmanager
async def inspecting(
    server: AsteriskServer, connect_seconds: float, seconds: float, on_event: OnEvent | None = None
) -> AsyncIterator[Inspection]:
    """A session that is logged in; `on_event` hears what the account may. Raises AmiError."""
    try:
        async with asyncio.timeout(connect_seconds):
            reader, writer = await asyncio.open_connection(
                server.host, server.port, ssl=tls_context(server), limit=MESSAGE_BYTES
            )
    except ssl.SSLError as error:
        raise refused(error, server) or LinkFailed(_reason(error)) from error
    except (OSError, TimeoutError) as error:
        raise LinkFailed(_reason(error)) from error
    inspection = Inspection(reader, writer, seconds, on_event)
    try:
        await inspection.greet()
        await inspection.log_in(server.username, server.secret)
        yield inspection
    finally:
        await inspection.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:200]


def _parse(raw: bytes) -> Headers:
    message: Headers = {}
    for line in raw.decode(errors="replace").split("\r\n"):
        name, separator, value = line.partition(":")
        if separator:
            message.setdefault(name.strip(), []).append(value.strip())
    return message


def _step(event: Headers) -> Step:
    return Step(
        first(event, "Extension"),
        int(first(event, "Priority")),
        first(event, "Application"),
        first(event, "AppData"),
    )
