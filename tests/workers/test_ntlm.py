"""Windows' sign-in against a server that speaks it: who is signed in on which connection, and who is not."""

import asyncio
import base64
import random
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context
from typing import Any

import httpx
import msgspec
import pytest
import spnego
from aiohttp import web
from msgspec.structs import replace
from spnego.exceptions import SpnegoError

from router.core.faults import Fault
from router.settings.model import WorkerSettings
from tests.workers.makers import WORKER
from workers.connectors.steps import Ntlm, Request, Response
from workers.errors import AttemptTimedOut, LookupFailed, LookupRefused, LookupUnavailable
from workers.http import SIGNED_IN_PER_ACCOUNT, HttpClient
from workers.ntlm import REFUSAL_MOST_BYTES, NtlmLine, NtlmLines
from workers.secrets import Secret

JANE = Ntlm("ACME\\jane", Secret("pässwörd-1"))
BOB = Ntlm("ACME\\bob", Secret("s3cret-of-bob"))
UPN = Ntlm("jane@acme.example", Secret("other-1"))
USERS = "ACME:jane:pässwörd-1\nACME:bob:s3cret-of-bob\n:jane@acme.example:other-1\n"


@pytest.fixture(autouse=True)
def _users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom spnego's own server knows."""
    path = tmp_path / "users"
    path.write_text(USERS, encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(path))


class Windows:
    """The server's side: what it says to the headers of a request on a connection."""

    def __init__(self, *schemes: str) -> None:
        self.schemes = schemes or ("Negotiate", "NTLM")
        self.accounts: dict[int, str] = {}
        """Who is signed in, by connection."""
        self.said: list[tuple[int, str]] = []
        """For each request, its connection and what it came with: a scheme and step, or nothing."""
        self._contexts: dict[int, spnego.ContextProxy] = {}

    def admit(self, connection: int, headers: Mapping[str, str]) -> list[str] | None:
        """None when the request may pass, else what the 401 offers."""
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        token = base64.b64decode(encoded)
        step = struct.unpack_from("<I", token, 8)[0] if token.startswith(b"NTLMSSP\0") else ""
        self.said.append((connection, f"{scheme}{step}"))
        if scheme in self.schemes and step == 1:
            context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
            self._contexts[connection] = context
            return [f"{scheme} {base64.b64encode(context.step(token) or b'').decode()}"]
        if scheme in self.schemes and step == 3 and connection in self._contexts:
            return self._prove(connection, token)
        return None if connection in self.accounts and not scheme else list(self.schemes)

    def _prove(self, connection: int, token: bytes) -> list[str] | None:
        context = self._contexts.pop(connection)
        try:
            context.step(token)
        except SpnegoError:
            return list(self.schemes)
        self.accounts[connection] = context.client_principal or ""
        return None

    @property
    def steps(self) -> list[str]:
        return [step for _, step in self.said]

    @property
    def connections(self) -> set[int]:
        return {connection for connection, _ in self.said}


Wrap = Callable[[web.Request, web.StreamResponse], web.StreamResponse]


@asynccontextmanager
async def serving(
    windows: Windows, wrap: Wrap = lambda _, response: response, tls: SSLContext | None = None
) -> AsyncIterator[str]:
    """A CRM behind it, that answers who asked and what; `wrap` may spoil each response."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        connection = request.transport.get_extra_info("peername")[1]
        body = await request.text()
        offered = windows.admit(connection, {name.lower(): value for name, value in request.headers.items()})
        if offered is None:
            told = {"who": windows.accounts.get(connection), "method": request.method, "body": body}
            return wrap(request, web.json_response(told | {"path": request.path}))
        response = web.Response(status=401, text="<html>who are you?</html>" * 40)
        for offer in offered:
            response.headers.add("WWW-Authenticate", offer)
        return wrap(request, response)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(settings: WorkerSettings = WORKER, **more: Any) -> AsyncIterator[HttpClient]:
    made = HttpClient(settings, **more)
    try:
        yield made
    finally:
        await made.aclose()


def asking(url: str, account: Ntlm = JANE, **more: Any) -> Request:
    given: dict[str, Any] = {"name": "find", "url": url, "auth": account}
    return Request(**(given | more))


def told(response: Response) -> Any:
    assert response.status == 200
    return msgspec.json.decode(response.body)


async def failure(made: HttpClient, request: Request, seconds: float = 5.0) -> LookupFailed:
    with pytest.raises(LookupFailed) as raised:
        await made.send(request, seconds)
    return raised.value


# Signing in


@pytest.mark.parametrize(
    ("account", "who"), [(JANE, "ACME\\jane"), (BOB, "ACME\\bob"), (UPN, "jane@acme.example")]
)
async def test_an_account_is_signed_in_on_one_connection(account: Ntlm, who: str) -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        answer = told(await made.send(asking(url, account), 5.0))

    assert answer["who"] == who
    assert windows.steps == ["NTLM1", "NTLM3"]
    assert len(windows.connections) == 1


@pytest.mark.parametrize(
    ("schemes", "steps"),
    [
        (("NTLM",), ["NTLM1", "NTLM3"]),
        (("Negotiate", "NTLM"), ["NTLM1", "NTLM3"]),
        (("Negotiate",), ["NTLM1", "Negotiate1", "Negotiate3"]),
    ],
)
async def test_what_a_server_may_offer(schemes: tuple[str, ...], steps: list[str]) -> None:
    windows = Windows(*schemes)
    async with serving(windows) as url, client() as made:
        assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"

    assert windows.steps == steps


async def test_a_server_that_wants_another_sign_in_gets_no_password() -> None:
    windows = Windows("Basic", "Bearer")
    async with serving(windows) as url, client() as made:
        refused = await failure(made, asking(url.replace("http://", "http://jane:s3cret@")))

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.CREDENTIALS
    assert "does not offer" in refused.problem
    assert windows.steps == ["NTLM1", "Negotiate1"], "and never Basic, whatever the address holds"


async def test_a_server_that_wants_no_sign_in_is_asked_once() -> None:
    class Open(Windows):
        def admit(self, connection: int, headers: Mapping[str, str]) -> list[str] | None:
            super().admit(connection, headers)
            return None

    windows = Open()
    async with serving(windows) as url, client() as made:
        answer = told(await made.send(asking(url, method="POST", json={"a": 1}), 5.0))

    assert answer["body"] == '{"a":1}'
    assert len(windows.said) == 1


async def test_a_wrong_password_is_tried_once() -> None:
    """Each further try would bring the account nearer to being locked."""
    windows = Windows()
    async with serving(windows) as url, client() as made:
        response = await made.send(asking(url, Ntlm(JANE.username, Secret("wrong"))), 5.0)

    assert response.status == 401
    assert windows.steps == ["NTLM1", "NTLM3"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("writes", [False, True])
async def test_the_body_arrives(method: Any, writes: bool) -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        request = asking(url, method=method, text="<é/>", content_type="text/xml", writes=writes)
        answers = [told(await made.send(request, 5.0)) for _ in range(2)]

    assert [(answer["method"], answer["body"]) for answer in answers] == [(method, "<é/>")] * 2


async def test_redirects_stay_on_the_connection() -> None:
    def wrap(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if request.path == "/old" and response.status == 200:
            return web.Response(status=302, headers={"Location": "/new"})
        return response

    windows = Windows()
    async with serving(windows, wrap) as url, client() as made:
        answer = told(await made.send(asking(f"{url}/old", follows_redirects=True), 5.0))

    assert (answer["who"], answer["path"]) == ("ACME\\jane", "/new")
    assert len(windows.connections) == 1


async def test_over_tls(certificate: Path) -> None:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    windows = Windows()
    trusting = create_default_context(cafile=str(certificate))
    async with serving(windows, tls=context) as url, client(tls=trusting) as made:
        assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"
    async with serving(windows, tls=context) as url, client() as made:
        assert (await failure(made, asking(url))).fault is Fault.TLS


# Whose connection it is


async def test_a_kept_connection_is_asked_without_signing_in_again() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        for _ in range(3):
            assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"

    assert windows.steps == ["NTLM1", "NTLM3", "", ""]
    assert len(windows.connections) == 1


async def test_a_password_in_the_address_never_goes_along() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        for _ in range(2):
            told(await made.send(asking(url.replace("http://", "http://jane:s3cret@")), 5.0))

    assert windows.steps == ["NTLM1", "NTLM3", ""]


async def test_accounts_share_no_connection() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        for account in (JANE, BOB, JANE, UPN, BOB):
            who = told(await made.send(asking(url, account), 5.0))["who"]
            assert who == account.username

    assert len(windows.connections) == 3


async def test_a_wrong_password_does_not_find_the_connection_of_the_right_one() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        told(await made.send(asking(url, JANE), 5.0))

        response = await made.send(asking(url, Ntlm(JANE.username, Secret("wrong"))), 5.0)

        assert response.status == 401
        assert told(await made.send(asking(url, JANE), 5.0))["who"] == "ACME\\jane"


async def test_a_request_without_the_account_finds_no_connection_of_it() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        told(await made.send(asking(url, JANE), 5.0))

        assert (await made.send(Request(name="find", url=url), 5.0)).status == 401


async def test_hosts_share_no_connection() -> None:
    """Two names of one machine may be two sites, with rights of their own."""
    windows = Windows()
    async with serving(windows) as url, client() as made:
        for host in ("127.0.0.1", "localhost"):
            told(await made.send(asking(url.replace("127.0.0.1", host)), 5.0))

    assert len(windows.connections) == 2


async def test_what_writes_has_a_connection_of_its_own() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        for writes in (False, True, False, True):
            told(await made.send(asking(url, method="POST", json={}, writes=writes), 5.0))

    assert len(windows.connections) == 3, "one that is kept for reading, and one for each that writes"


async def test_many_requests_share_a_few_connections() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        answers = await asyncio.gather(*(made.send(asking(url), 5.0) for _ in range(40)))

    assert [told(answer)["who"] for answer in answers] == ["ACME\\jane"] * 40
    assert len(windows.connections) <= SIGNED_IN_PER_ACCOUNT


# When it goes wrong


def closing_when(status: int) -> Wrap:
    def wrap(_: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if response.status == status:
            response.force_close()
        return response

    return wrap


async def test_a_closed_connection_is_signed_in_again() -> None:
    windows = Windows()
    async with serving(windows, closing_when(200)) as url, client() as made:
        for _ in range(2):
            assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"

    assert len(windows.connections) == 2


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_connection_that_does_not_last_through_the_sign_in(method: Any) -> None:
    windows = Windows()
    async with serving(windows, closing_when(401)) as url, client() as made:
        interrupted = await failure(made, asking(url, method=method))

    assert isinstance(interrupted, LookupUnavailable)
    assert interrupted.fault is Fault.CREDENTIALS
    assert "did not last" in interrupted.problem


async def test_a_server_that_forgot_who_is_signed_in_is_told_again() -> None:
    windows = Windows()
    async with serving(windows) as url, client() as made:
        told(await made.send(asking(url), 5.0))
        windows.accounts.clear()

        assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"

    assert windows.steps == ["NTLM1", "NTLM3", "", "NTLM1", "NTLM3"]


@pytest.mark.parametrize(
    "offer",
    [
        "NTLM !!!",
        "NTLM " + base64.b64encode(b"NTLMSSP\0\2\0\0\0").decode(),
        "NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0" + bytes(48)).decode(),
        "NTLM " + base64.b64encode(b"hello").decode(),
    ],
)
async def test_a_challenge_that_is_none(offer: str) -> None:
    class Broken(Windows):
        def admit(self, connection: int, headers: Mapping[str, str]) -> list[str] | None:
            return [offer]

    async with serving(Broken()) as url, client() as made:
        refused = await failure(made, asking(url))

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.CREDENTIALS
    assert "cannot be read" in refused.problem


def line_to(offer: str) -> NtlmLine:
    """To a server that always offers the same."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, headers={"WWW-Authenticate": offer}, stream=Nothing())

    return NtlmLine(("", JANE), lambda _: httpx.AsyncClient(transport=httpx.MockTransport(answer)))


async def test_a_spoilt_challenge_never_breaks_the_worker() -> None:
    """Whatever is made of it, it is an answer or a LookupFailed."""
    sound = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    first = spnego.client("u", "p", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm).step()
    challenge = sound.step(first) or b""
    chance = random.Random(4)
    outcomes = Counter[str]()

    for _ in range(500):
        spoilt = bytearray(challenge)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(8, len(spoilt))] = chance.randrange(256)
        offer = f"NTLM {base64.b64encode(spoilt[: chance.randint(8, 999)]).decode()}"
        line = line_to(offer)
        try:
            outcomes[str((await line.send(httpx.Request("GET", "https://crm.example/"))).status_code)] += 1
        except LookupRefused as refused:
            outcomes[refused.fault] += 1

    assert set(outcomes) == {"401", Fault.CREDENTIALS}


async def test_a_page_without_end_beside_the_challenge() -> None:
    def wrap(_: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        return web.Response(status=401, headers=response.headers, body=b"x" * (REFUSAL_MOST_BYTES + 1))

    def without_length(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        response.headers.popall("Content-Length", None)
        response.headers.popall("Content-Type", None)
        return wrap(request, response)

    async with serving(Windows(), without_length) as url, client() as made:
        refused = await failure(made, asking(url))

    assert isinstance(refused, LookupRefused)
    assert "too long" in refused.problem


async def test_the_limits_of_every_request_hold() -> None:
    windows = Windows()

    def wrap(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if request.path == "/large" and response.status == 200:
            return web.Response(body=b"x" * (WORKER.answer_bytes + 1))
        return response

    async with serving(windows, wrap) as url, client() as made:
        assert "longer than 64 KiB" in (await failure(made, asking(f"{url}/large"))).problem
        assert (
            len((await made.send(asking(f"{url}/large", large_answer=True), 5.0)).body) > WORKER.answer_bytes
        )
        assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"


async def test_silence_is_cut_off_and_harms_nobody_else() -> None:
    silent = True

    windows = Windows()
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if silent:
            await asyncio.Event().wait()
        port = request.transport.get_extra_info("peername")[1]
        offered = windows.admit(port, {name.lower(): value for name, value in request.headers.items()})
        if offered is None:
            return web.json_response({"who": windows.accounts[port]})
        return web.Response(status=401, headers={"WWW-Authenticate": offered[0]})

    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with client() as made:
        assert isinstance(await failure(made, asking(url), 0.1), AttemptTimedOut)
        silent = False
        assert told(await made.send(asking(url), 5.0))["who"] == "ACME\\jane"
    await runner.cleanup()


async def test_the_guard_stands_before_this_sign_in_too() -> None:
    windows = Windows()
    async with serving(windows) as url, client(replace(WORKER, allowed_networks=())) as made:
        for writes in (False, True):
            assert (await failure(made, asking(url, writes=writes))).fault is Fault.FORBIDDEN

    assert windows.said == []


# Lending lines


class Nothing(httpx.AsyncByteStream):
    """An empty body that is still to be read."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""


class Rig:
    """Lines whose connections are the test's own, and a clock that it moves."""

    def __init__(self, most: int = 9, most_per_account: int = 9) -> None:
        self.now = 0.0
        self.opened = 0
        self.closed: list[int] = []
        self.windows = Windows()
        self.lines = NtlmLines(
            self._open,
            most=most,
            most_per_account=most_per_account,
            idle_seconds=30.0,
            clock=lambda: self.now,
        )

    def _open(self, connecting: Callable[[], None]) -> httpx.AsyncClient:
        self.opened += 1
        number = self.opened
        connecting()

        def answer(request: httpx.Request) -> httpx.Response:
            offered = self.windows.admit(number, request.headers)
            if offered is None:
                return httpx.Response(200, stream=Nothing())
            headers = [("WWW-Authenticate", offer) for offer in offered]
            return httpx.Response(401, headers=headers, stream=Nothing())

        rig = self

        class Transport(httpx.MockTransport):
            async def aclose(self) -> None:
                rig.closed.append(number)

        return httpx.AsyncClient(transport=Transport(answer))

    async def ask(self, account: Ntlm = JANE, host: str = "crm.example", *, is_new: bool = False) -> int:
        """The number of the connection that served."""
        async with self.lines.lend((host, account), is_new=is_new) as line:
            await use(line)
            return self.windows.said[-1][0]


async def use(line: NtlmLine) -> None:
    response = await line.send(httpx.Request("GET", "https://crm.example/"))
    assert response.status_code == 200
    await response.aclose()


async def test_a_line_is_kept_for_its_account_and_host() -> None:
    rig = Rig()

    served = [
        await rig.ask(JANE),
        await rig.ask(BOB),
        await rig.ask(JANE),
        await rig.ask(JANE, "other.example"),
        await rig.ask(BOB),
    ]

    assert served == [1, 2, 1, 3, 2]
    assert rig.closed == []


async def test_a_line_that_nobody_uses_is_closed() -> None:
    rig = Rig()
    await rig.ask(JANE)
    rig.now = 20.0
    await rig.ask(BOB)
    rig.now = 40.0

    assert await rig.ask(BOB) == 2
    assert rig.closed == [1]
    assert await rig.ask(JANE) == 3


async def test_a_new_line_is_closed_after_its_use() -> None:
    rig = Rig()
    await rig.ask()

    assert await rig.ask(is_new=True) == 2
    assert rig.closed == [2]
    assert await rig.ask() == 1


async def test_a_line_whose_use_failed_is_closed() -> None:
    rig = Rig()

    async def fail() -> None:
        async with rig.lines.lend(("crm.example", JANE)) as line:
            await use(line)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert rig.closed == [1]
    assert await rig.ask() == 2


async def test_a_line_that_is_not_signed_in_is_closed() -> None:
    rig = Rig()
    async with rig.lines.lend(("crm.example", Ntlm(JANE.username, Secret("wrong")))) as line:
        response = await line.send(httpx.Request("GET", "https://crm.example/"))
        assert response.status_code == 401

    assert rig.closed == [1]


async def test_an_account_waits_for_a_line_of_its_own() -> None:
    rig = Rig(most_per_account=1)
    async with rig.lines.lend(("crm.example", JANE)) as line:
        await use(line)
        waiting = asyncio.create_task(rig.ask(JANE))
        assert await rig.ask(BOB) == 2, "nobody else waits"
        assert not waiting.done()

    assert await waiting == 1


async def test_everybody_waits_when_all_lines_are_lent() -> None:
    rig = Rig(most=2)
    async with rig.lines.lend(("crm.example", JANE)), rig.lines.lend(("crm.example", BOB)) as line:
        await use(line)
        waiting = asyncio.create_task(rig.ask(UPN))
        await asyncio.sleep(0)
        assert not waiting.done()

    assert await waiting == 3


async def test_the_longest_unused_line_makes_room() -> None:
    rig = Rig(most=2)
    for account in (JANE, BOB, JANE, UPN):
        await rig.ask(account)

    assert rig.closed == [2]
    assert await rig.ask(JANE) == 1


async def test_who_stops_waiting_takes_no_line_with_him() -> None:
    rig = Rig(most=1)
    async with rig.lines.lend(("crm.example", JANE)) as line:
        await use(line)
        waiting = asyncio.create_task(rig.ask(BOB))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert await rig.ask(BOB) == 2


async def test_all_lines_are_closed_in_the_end() -> None:
    rig = Rig()
    for account in (JANE, BOB):
        await rig.ask(account)

    await rig.lines.aclose()

    assert sorted(rig.closed) == [1, 2]
