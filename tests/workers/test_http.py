"""The HTTP client against real servers on loopback: limits, redirects, TLS, and what reaches the wire."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from msgspec.structs import replace

from router.core.faults import Fault
from router.settings.model import WorkerSettings
from tests.workers.makers import WORKER, asked, digits_job, job, settings
from workers import http, http_errors
from workers.connectors.steps import Basic, Bearer, HeaderAuth, Request, Response
from workers.errors import AttemptTimedOut, LookupFailed, LookupRefused, LookupUnavailable
from workers.http import HttpClient
from workers.secrets import Secret

CAP = WORKER.answer_bytes
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers every request by the handler; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """A server that says the same bytes to everybody, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def raw_echo() -> AsyncIterator[str]:
    """A server that answers with the head of the request, as it came."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
        await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def saying(**response: Any) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(**response)

    return handle


@asynccontextmanager
async def client(settings: WorkerSettings = WORKER, **more: Any) -> AsyncIterator[HttpClient]:
    made = HttpClient(settings, **more)
    try:
        yield made
    finally:
        await made.aclose()


async def get(url: str, seconds: float = 5.0, settings: WorkerSettings = WORKER, **request: Any) -> Response:
    async with client(settings) as made:
        return await made.send(Request(name="find", url=url, **request), seconds)


async def failure(url: str, seconds: float = 5.0, **more: Any) -> LookupFailed:
    with pytest.raises(LookupFailed) as raised:
        await get(url, seconds, **more)
    assert raised.value.__cause__ is None or not isinstance(raised.value.__cause__, LookupFailed)
    return raised.value


async def echo(request: web.Request) -> web.StreamResponse:
    body = {
        "method": request.method,
        "query": list(request.query.items()),
        "raw": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode(),
    }
    return web.json_response(body)


async def echoed(request: Request) -> Any:
    async with serving(echo) as url, client() as made:
        response = await made.send(replace(request, url=request.url.replace("http://here", url)), 5.0)
    return httpx.Response(200, content=response.body).json()


# What reaches the wire


async def test_parameters_are_encoded_whatever_they_hold() -> None:
    hostile = "a&b=c#d\r\nX-Evil: 1 ü%2B+/?;\x00"

    seen = await echoed(replace(asked(settings(), digits_job("1&2#3+4", hostile)), url="http://here/lookup"))

    assert seen["query"] == [["field_name", hostile], ["dtmf", "1&2#3+4"]]
    assert "x-evil" not in seen["headers"]


async def test_the_plus_of_a_number_arrives() -> None:
    request = asked(settings(parameters={"caller": "caller"}), job("status", "owner"))

    seen = await echoed(replace(request, url="http://here/lookup"))

    assert seen["query"] == [["field_name", "status,owner"], ["caller", "+33142345001"]]


async def test_the_addresss_own_query_is_kept_and_its_fragment_is_not_sent() -> None:
    seen = await echoed(
        Request(name="find", url="http://here/a%20b?key=a%26b&flag#part", query=(("x", "1"),))
    )

    assert seen["raw"] in ("/a%20b?key=a%26b&flag&x=1", "/a%20b?key=a%26b&flag=&x=1")


async def test_a_form() -> None:
    seen = await echoed(
        Request(name="find", method="POST", url="http://here/", form=(("a", "b c&"), ("d", "é")))
    )

    assert (seen["method"], seen["body"]) == ("POST", "a=b+c%26&d=%C3%A9")
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_json(method: Any) -> None:
    seen = await echoed(Request(name="find", method=method, url="http://here/", json={"a": "é"}))

    assert (seen["method"], seen["body"]) == (method, '{"a":"é"}')
    assert seen["headers"]["content-type"] == "application/json"


async def test_json_of_a_type_of_its_own() -> None:
    json_patch = "application/json-patch+json"

    seen = await echoed(
        Request(name="write", method="PATCH", url="http://here/", json=[], content_type=json_patch)
    )

    assert (seen["body"], seen["headers"]["content-type"]) == ("[]", json_patch)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", "text/plain; charset=utf-8"),
        ("text/xml; charset=utf-8", "text/xml; charset=utf-8"),
    ],
)
async def test_text(given: str, sent: str) -> None:
    request = Request(name="find", method="POST", url="http://here/", text="<a>é</a>", content_type=given)

    seen = await echoed(request)

    assert (seen["method"], seen["body"], seen["headers"]["content-type"]) == ("POST", "<a>é</a>", sent)


async def test_an_empty_text_is_a_body() -> None:
    seen = await echoed(Request(name="write", method="PUT", url="http://here/", text=""))

    assert (seen["method"], seen["body"]) == ("PUT", "")


@pytest.mark.parametrize(
    ("accept", "sent"),
    [("application/atom+xml", "application/atom+xml"), ("", http.ACCEPT)],
)
async def test_what_is_accepted(accept: str, sent: str) -> None:
    seen = await echoed(Request(name="find", url="http://here/", accept=accept))

    assert seen["headers"]["accept"] == sent


async def test_the_connectors_headers_are_sent_once_whatever_their_letters() -> None:
    """The body's type and who asks are the request's own; a header of the same name gives way."""
    headers = tuple(
        (name, Secret("x/y")) for name in ("content-type", "ACCEPT", "authorization", "user-agent")
    )

    async with raw_echo() as url:
        request = Request(
            name="find",
            method="POST",
            url=url,
            headers=headers,
            json={},
            accept="a/b",
            auth=Bearer(Secret("t")),
        )
        async with client() as made:
            sent = (await made.send(request, 5.0)).body.decode().lower()

    for line in (
        "content-type: application/json",
        "accept: a/b",
        "authorization: bearer t",
        "user-agent: x/y",
    ):
        name = line.partition(":")[0]
        assert sent.count(f"\r\n{name}:") == 1
        assert f"\r\n{line}\r\n" in sent


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (Basic("user", Secret("pässword")), "authorization", "Basic dXNlcjpww6Rzc3dvcmQ="),
        (Bearer(Secret("t0ken")), "authorization", "Bearer t0ken"),
        (HeaderAuth("X-Api-Key", Secret("k3y")), "x-api-key", "k3y"),
    ],
)
async def test_authentication(auth: Any, header: str, value: str) -> None:
    seen = await echoed(Request(name="find", url="http://here/", auth=auth))

    assert seen["headers"][header] == value


async def test_a_user_and_password_in_the_address_are_basic_auth() -> None:
    async with serving(echo) as url:
        response = await get(url.replace("http://", "http://user:p%40ss@"))

    assert b"Basic dXNlcjpwQHNz" in response.body


async def test_our_own_headers() -> None:
    seen = await echoed(Request(name="find", url="http://here/", headers=(("X-Site", Secret("7")),)))

    assert seen["headers"]["user-agent"].startswith("crmroute/")
    assert seen["headers"]["accept-encoding"] == "gzip, deflate"
    assert seen["headers"]["x-site"] == "7"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "ü€"])
async def test_a_header_that_cannot_be_sent_is_refused(value: str) -> None:
    async with serving(echo) as url:
        refused = await failure(url, headers=(("X-Site", Secret(value)),))

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.SETTINGS
    assert "signs that cannot be sent" in refused.problem


async def test_no_cookie_is_kept() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.Response(text=str(len(request.cookies)))
        response.set_cookie("session", "1")
        return response

    async with serving(handle) as url, client() as made:
        bodies = [(await made.send(Request(name="find", url=url), 5.0)).body for _ in range(3)]

    assert bodies == [b"0", b"0", b"0"]


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(saying(text="GOLD")) as url:
        assert (await get(url)).body == b"GOLD"


async def test_connections_are_kept() -> None:
    ports: set[int] = set()

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="GOLD")

    async with serving(handle) as url, client() as made:
        for _ in range(5):
            await made.send(Request(name="find", url=url), 5.0)

    assert len(ports) == 1


async def test_the_guard_needs_nobody_to_install_it() -> None:
    async with serving(saying(text="GOLD")) as url:
        refused = await failure(url, settings=replace(WORKER, allowed_networks=()))

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.FORBIDDEN


# What comes back


async def test_an_answer() -> None:
    async with serving(saying(text="GOLD", status=404, headers={"X-A": "1"})) as url:
        response = await get(url)

    assert (response.status, response.body, response.headers["x-a"]) == (404, b"GOLD", "1")
    assert response.content_type == "text/plain"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"GOLD", mtime=0), "gzip"),
        (gzip.compress(b"GO", mtime=0) + gzip.compress(b"LD", mtime=0), "x-gzip"),
        (zlib.compress(b"GOLD"), "deflate"),
        (zlib.compress(b"GOLD")[2:-4], "deflate"),
        (b"GOLD", "identity"),
    ],
)
async def test_packed_answers(body: bytes, encoding: str) -> None:
    async with serving(saying(body=body, headers={"Content-Encoding": encoding})) as url:
        assert (await get(url)).body == b"GOLD"


@pytest.mark.parametrize(
    ("body", "encoding", "problem"),
    [
        (b"GOLD", "gzip", "cannot be unpacked"),
        (gzip.compress(b"GOLD" * 99, mtime=0)[:-9], "gzip", "broke off"),
        (b"GOLD", "br", "not asked for"),
        (b"GOLD", "gzip, gzip", "not asked for"),
        (gzip.compress(b"x" * (CAP + 1), mtime=0), "gzip", "longer than 64 KiB"),
        (gzip.compress(b"x" * CAP, mtime=0) + gzip.compress(b"x", mtime=0), "gzip", "longer than 64 KiB"),
        (gzip.compress(bytes(50_000_000), mtime=0), "gzip", "longer than 64 KiB"),
        (b"x" * (CAP + 1), "", "longer than 64 KiB"),
    ],
)
async def test_answers_that_are_refused(body: bytes, encoding: str, problem: str) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    async with serving(saying(body=body, headers=headers)) as url:
        failed = await failure(url)

    assert problem in failed.problem
    assert failed.fault is (Fault.DOWN if isinstance(failed, LookupUnavailable) else Fault.ANSWER)


async def test_an_answer_of_just_the_limit() -> None:
    async with serving(saying(body=b"x" * CAP)) as url:
        assert len((await get(url)).body) == CAP


async def test_a_large_answer_has_a_limit_of_its_own() -> None:
    most = WORKER.large_answer_bytes
    packed = {"Content-Encoding": "gzip"}
    async with serving(saying(body=b"x" * most)) as url:
        assert len((await get(url, large_answer=True)).body) == most
    async with serving(saying(body=gzip.compress(b"x" * most, mtime=0), headers=packed)) as url:
        assert len((await get(url, large_answer=True)).body) == most

    for body, headers in ((b"x" * (most + 1), {}), (gzip.compress(b"x" * (most + 1), mtime=0), packed)):
        async with serving(saying(body=body, headers=headers)) as url:
            assert "longer than 256 KiB" in (await failure(url, large_answer=True)).problem


async def test_reading_stops_at_the_limit() -> None:
    written = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)
            written += 65_536

    async with serving(handle) as url:
        assert "longer than" in (await failure(url)).problem

    assert written < 20_000_000  # what the sockets' buffers hold, and not a byte more


async def test_a_drip_is_cut_off_as_a_whole() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(handle) as url:
        assert isinstance(await failure(url, 0.2), AttemptTimedOut)


async def test_silence_is_cut_off() -> None:
    async def handle(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    async with serving(handle) as url:
        timed_out = await failure(url, 0.1)

    assert isinstance(timed_out, AttemptTimedOut)
    assert timed_out.fault is Fault.TIMEOUT
    assert timed_out.problem == "the CRM did not answer within 0.1 seconds"


@pytest.mark.parametrize(
    ("answer", "kind", "fault", "problem"),
    [
        (b"", LookupUnavailable, Fault.DOWN, "closed the connection"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", LookupRefused, Fault.ADDRESS, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nGOLD", LookupUnavailable, Fault.DOWN, "broke off"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99_999 + b"\r\n\r\n",
            LookupRefused,
            Fault.ADDRESS,
            "does not speak HTTP",
        ),
    ],
)
@pytest.mark.parametrize("writes", [False, True])
async def test_broken_answers(
    answer: bytes, kind: type[LookupFailed], fault: Fault, problem: str, writes: bool
) -> None:
    async with raw_server(answer) as url:
        failed = await failure(url, writes=writes)

    assert type(failed) is kind
    assert failed.fault is fault
    assert problem in failed.problem


async def test_nobody_listens() -> None:
    async with serving(saying()) as url:
        pass

    refused = await failure(url)

    assert isinstance(refused, LookupUnavailable)
    assert refused.fault is Fault.ADDRESS
    assert (
        refused.problem
        == "the CRM could not be reached: no connection (nothing listens at that host and port)"
    )


async def test_a_name_that_does_not_exist() -> None:
    unknown = await failure("http://crm.invalid/")

    assert isinstance(unknown, LookupUnavailable)
    assert unknown.fault is Fault.DNS
    assert unknown.problem == "the CRM's name could not be found in DNS"


@pytest.mark.parametrize(
    "url", ["ftp://crm.example/", "file:///etc/passwd", "crm.example", "http://", "http://[::1"]
)
async def test_addresses_that_are_none(url: str) -> None:
    refused = await failure(url)

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.ADDRESS


async def test_https_only() -> None:
    refused = await failure("http://127.0.0.1:1/", settings=replace(WORKER, https_only=True))

    assert "https:// only" in refused.problem
    assert refused.fault is Fault.ADDRESS


# Redirects


def redirecting(answers: dict[str, tuple[int, str]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path in answers:
            status, location = answers[request.path]
            return web.Response(status=status, headers={"Location": location})
        body = f"{request.method} {request.raw_path} {await request.text()}"
        return web.Response(text=body, headers={"X-Auth": request.headers.get("Authorization", "")})

    return handle


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (302, "GET", b"GET /new?b=1 "),
        (301, "POST", b"GET /new?b=1 "),
        (303, "POST", b"GET /new?b=1 "),
        (307, "POST", b"POST /new?b=1 a=1"),
        (308, "POST", b"POST /new?b=1 a=1"),
    ],
)
async def test_redirects_on_the_same_host(status: int, method: Any, body: bytes) -> None:
    async with serving(redirecting({"/old": (status, "/new?b=1#part")})) as url:
        form = (("a", "1"),) if method == "POST" else None
        response = await get(
            f"{url}/old", method=method, form=form, auth=Bearer(Secret("t")), follows_redirects=True
        )

    assert response.body == body
    assert response.headers["x-auth"] == "Bearer t"


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    async with serving(echo) as other:
        for location in (
            f"{other}/x?key=1",
            "https://127.0.0.1/",
            "//elsewhere.example/",
            "ftp://127.0.0.1/",
        ):
            async with serving(redirecting({"/old": (302, location)})) as url:
                refused = await failure(f"{url}/old", follows_redirects=True)

            assert isinstance(refused, LookupRefused)
            assert refused.fault is Fault.ADDRESS
            assert "which is not followed" in refused.problem
            assert "key=" not in refused.problem


async def test_a_redirect_loop_ends() -> None:
    async with serving(redirecting({"/a": (302, "/b"), "/b": (302, "/a")})) as url:
        refused = await failure(f"{url}/a", follows_redirects=True)

    assert "more than 3 times" in refused.problem
    assert refused.fault is Fault.ADDRESS


@pytest.mark.parametrize("follows", [False, True])
async def test_a_redirect_without_a_place_is_an_answer(follows: bool) -> None:
    async with serving(saying(status=302)) as url:
        assert (await get(url, follows_redirects=follows)).status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/new", "https://login.example/?return=1", "http://127.0.0.1/"])
async def test_a_redirect_is_an_answer_where_none_is_expected(status: int, location: str) -> None:
    """Many CRMs send whoever is not signed in to a page for people."""
    asked_for: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked_for.append(request.path)
        return web.Response(status=status, headers={"Location": location}, text="moved")

    async with serving(handle) as url:
        response = await get(f"{url}/old")

    assert (response.status, response.body, response.headers["location"]) == (status, b"moved", location)
    assert asked_for == ["/old"]


# Writing


class Breaking:
    """Answers the first requests, then takes one and closes its connection without a word."""

    def __init__(self, answered: int) -> None:
        self._answered = answered
        self.requests: list[str] = []
        self.ports: set[int] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.requests.append(request.method)
        self.ports.add(request.transport.get_extra_info("peername")[1])
        if len(self.requests) > self._answered:
            request.transport.close()
        return web.Response(text="GOLD")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
@pytest.mark.parametrize("answered", [0, 1])
async def test_what_writes_is_sent_once_when_the_connection_breaks(method: Any, answered: int) -> None:
    crm = Breaking(answered)
    async with serving(crm.handle) as url, client() as made:
        writing = Request(name="write", method=method, url=url, json={}, writes=True)
        for _ in range(answered):
            await made.send(writing, 5.0)
        with pytest.raises(LookupUnavailable) as broke:
            await made.send(writing, 5.0)

    assert len(crm.requests) == answered + 1
    assert broke.value.fault is Fault.DOWN, "nobody knows whether it was written"


async def test_what_writes_has_a_connection_of_its_own() -> None:
    crm = Breaking(9)
    async with serving(crm.handle) as url, client() as made:
        for writes in (False, True, False, True):
            await made.send(Request(name="write", method="POST", url=url, json={}, writes=writes), 5.0)

    assert len(crm.ports) == 3, "one that is kept for reading, and one for each that writes"


async def test_what_reads_is_asked_again_when_a_kept_connection_breaks() -> None:
    crm = Breaking(1)
    async with serving(crm.handle) as url, client() as made:
        await made.send(Request(name="find", url=url), 5.0)
        with suppress(LookupUnavailable):
            await made.send(Request(name="find", url=url), 5.0)

    assert len(crm.requests) == 3


# TLS


def serving_tls(certificate: Path) -> AbstractAsyncContextManager[str]:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return serving(saying(text="GOLD"), context)


async def test_a_certificate_of_nobody_is_refused(certificate: Path) -> None:
    async with serving_tls(certificate) as url:
        refused = await failure(url)

    assert isinstance(refused, LookupRefused)
    assert refused.fault is Fault.TLS
    assert "certificate is not valid" in refused.problem


async def test_an_authority_of_the_operators(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving_tls(certificate) as url:
        assert (await get(url, settings=replace(WORKER, https_only=True))).body == b"GOLD"


async def test_a_certificate_of_another_name_is_refused(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving_tls(certificate) as url:
        refused = await failure(url.replace("127.0.0.1", "localhost"))

    assert "certificate is not valid" in refused.problem


async def test_plain_http_where_tls_is_expected() -> None:
    async with serving(saying(text="GOLD")) as url:
        refused = await failure(url.replace("http://", "https://"))

    assert "TLS" in refused.problem
    assert refused.fault is Fault.TLS


# Errors


def test_every_foreign_error_has_a_translation() -> None:
    kinds: list[Any] = [
        kind
        for kind in vars(aiohttp).values()
        if isinstance(kind, type) and issubclass(kind, aiohttp.ClientError)
    ]
    kinds += [kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    for kind in kinds:
        assert any(known in http_errors.TRANSLATIONS for known in kind.__mro__), kind
