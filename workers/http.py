"""The one HTTP client, shared by every look-up of a worker process.

httpx speaks through aiohttp's connections (httpx-aiohttp), which cost a tenth of the CPU of httpx's own pool.
What it promises for every request:

- http and https only, https only where the operator says so; certificates are verified (the authorities are
  certifi's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`)
- no connection to an address that is not public, unless the operator allows its network (`workers.guard`)
- no proxy from the environment, and no cookie kept: the next tenant asks through the same client
- a redirect is an answer, unless the request wants it followed; then it stays on the same scheme, host and
  port, there are few, and the request's secrets travel with them
- one time limit over name resolution, connecting, signing in, sending, waiting and the last byte of the body
- a body is never longer than the limit, as received and as decompressed; nothing longer is kept or unpacked
- a request that writes is sent once, over a connection of its own: a kept one may be dead already, and then
  nobody would know whether it has written
- a connection that Windows' sign-in has made one account's serves nobody else (`workers.ntlm`)
- whatever goes wrong below is one of `workers.errors`, raised `from` it, with the fault that names the step
"""

import asyncio
import base64
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import unquote, urlencode

import aiohttp
import httpx
import msgspec
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport

from router.core.faults import Fault
from router.settings.model import WorkerSettings
from workers.connectors.steps import Basic, Bearer, HeaderAuth, Ntlm, Pairs, Request, Response
from workers.errors import AttemptTimedOut, LookupRefused, LookupUnavailable
from workers.guard import AddressInfo, Guard, forget_attempts, noted_attempts
from workers.http_errors import translated_errors
from workers.ntlm import NtlmLines
from workers.signing import header_of

KEEP_ALIVE_SECONDS = 30.0
NAMES_KEPT_SECONDS = 30
SIGNED_IN_PER_ACCOUNT = 8
"""Connections on which one account of Windows' sign-in may ask at the same time."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ACCEPT = "application/json, text/plain;q=0.9, */*;q=0.5"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PLAIN_TEXT = "text/plain; charset=utf-8"
ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

SocketFactory = Callable[[AddressInfo], socket.socket]
Exchange = Callable[[httpx.Request], Awaitable[httpx.Response]]
"""Sends a request, and returns when the answer's headers are there."""


class HttpClient:
    """`send` is all that look-ups use. It must be made inside a running event loop, and closed."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._tls = tls or httpx.create_ssl_context()
        self._resolver = resolver
        self._guard = Guard(settings.allowed_networks)
        self._reading = self._open(self._guard, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._writing = self._open(self._guard, sends_once, force_close=True)
        self._signed_in = NtlmLines(
            self._open_line,
            most=settings.connections,
            most_per_account=min(SIGNED_IN_PER_ACCOUNT, settings.connections_per_host),
            idle_seconds=KEEP_ALIVE_SECONDS,
        )

    async def send(self, request: Request, seconds: float) -> Response:
        """Raises LookupFailed. `seconds` is for everything, redirects and the whole body included."""
        with translated_errors():
            asked = self._build(request)
        try:
            async with asyncio.timeout(seconds):
                with noted_attempts() as attempts, translated_errors(attempts):
                    async with self._exchange(request, asked) as exchange:
                        return await self._follow(exchange, asked, request)
        except TimeoutError as error:
            raise AttemptTimedOut(f"the CRM did not answer within {seconds:.2g} seconds") from error

    async def aclose(self) -> None:
        await self._signed_in.aclose()
        await self._writing.aclose()
        await self._reading.aclose()

    def _open(
        self, socket_factory: SocketFactory, *middlewares: aiohttp.ClientMiddlewareType, **connector: Any
    ) -> httpx.AsyncClient:
        limits = {
            "limit": self._settings.connections,
            "limit_per_host": self._settings.connections_per_host,
        }
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                ttl_dns_cache=NAMES_KEPT_SECONDS,
                resolver=self._resolver,
                socket_factory=socket_factory,
                **(limits | connector),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=middlewares,
        )
        return httpx.AsyncClient(
            transport=AiohttpTransport(verify=self._tls, client=session),
            headers={
                "User-Agent": f"crmroute/{_version()}",
                "Accept": ACCEPT,
                "Accept-Encoding": "gzip, deflate",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(None),  # `send` limits the whole of it
            trust_env=False,
            follow_redirects=False,
            event_hooks={"request": [_on_request]},
        )

    def _open_line(self, connecting: Callable[[], None]) -> httpx.AsyncClient:
        """A client of one connection, for `workers.ntlm`."""

        def socket_factory(info: AddressInfo) -> socket.socket:
            connecting()
            return self._guard(info)

        return self._open(socket_factory, sends_once, limit=1, keepalive_timeout=KEEP_ALIVE_SECONDS)

    @asynccontextmanager
    async def _exchange(self, request: Request, asked: httpx.Request) -> AsyncIterator[Exchange]:
        """The connection, or the pool of them, that may serve this request; it is in use until the exit."""
        if isinstance(request.auth, Ntlm):
            origin = f"{asked.url.scheme}://{asked.url.netloc.decode('ascii')}"
            async with self._signed_in.lend((origin, request.auth), is_new=request.writes) as line:
                yield line.send
            return
        client = self._writing if request.writes else self._reading

        async def exchange(asked: httpx.Request) -> httpx.Response:
            return await client.send(asked, auth=None, stream=True)

        yield exchange

    def _build(self, request: Request) -> httpx.Request:
        url = _address(request)
        if url.scheme not in ("http", "https") or not url.host:
            problem = "the address is none that begins with https:// and a host's name"
            raise LookupRefused(problem, fault=Fault.ADDRESS)
        if self._settings.https_only and url.scheme != "https":
            problem = "the address is not encrypted, and this system asks CRMs by https:// only"
            raise LookupRefused(problem, fault=Fault.ADDRESS)
        headers = httpx.Headers({name: value.reveal() for name, value in request.headers})
        headers.update(_authorization(request, url))
        if request.accept:
            headers["Accept"] = request.accept
        content, content_type = _body(request)
        if content_type:
            headers["Content-Type"] = content_type
        if request.signature is not None:
            headers.update([header_of(request.signature, content or b"", time.time())])
        url = url.copy_with(userinfo=b"")
        return self._reading.build_request(request.method, url, headers=headers, content=content)

    async def _follow(self, exchange: Exchange, asked: httpx.Request, request: Request) -> Response:
        most = self._settings.redirects
        for _ in range(most + 1):
            response = await exchange(asked)
            try:
                location = response.headers.get("location")
                is_redirect = response.status_code in REDIRECTS and location is not None
                if not (request.follows_redirects and is_redirect):
                    return await self._read(response, request)
                asked = self._redirected(asked, response.status_code, location)
            finally:
                await response.aclose()
        raise LookupRefused(f"the address redirects more than {most} times", fault=Fault.ADDRESS)

    def _redirected(self, asked: httpx.Request, status: int, location: str) -> httpx.Request:
        target = asked.url.join(location).copy_with(userinfo=b"", fragment=None)
        if _origin(target) != _origin(asked.url):
            where = f"{target.scheme}://{target.netloc.decode('ascii', 'replace')}"[:120]
            problem = f"the address redirects to {where}, which is not followed: enter that address"
            raise LookupRefused(problem, fault=Fault.ADDRESS)
        keeps_method = status in (307, 308) or asked.method == "GET"
        headers = httpx.Headers(asked.headers)
        for name in ("host", "content-length", *(() if keeps_method else ("content-type",))):
            headers.pop(name, None)
        content = asked.content if keeps_method else None
        method = asked.method if keeps_method else "GET"
        return self._reading.build_request(method, target, headers=headers, content=content or None)

    async def _read(self, response: httpx.Response, request: Request) -> Response:
        """The body, unpacked. Leaving early closes the connection, so nothing more is received."""
        settings = self._settings
        most = settings.large_answer_bytes if request.large_answer else settings.answer_bytes
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > most:
                raise LookupRefused(_too_long(most))
        headers = dict(response.headers.items())
        encoding = headers.get("content-encoding", "").strip().lower()
        return Response(response.status_code, unpacked(bytes(body), encoding, most), headers)


async def _on_request(_: httpx.Request) -> None:
    forget_attempts()


async def sends_once(
    asked: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A middleware: aiohttp itself sends a GET or PUT again when the connection broke, and must not."""
    try:
        return await handler(asked)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError("the connection broke") from error


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its compression; unpacking stops at the limit, whatever a bomb would grow to."""
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ENCODINGS:
        raise LookupRefused("the CRM's answer is packed in a way that it was not asked for")
    window = ENCODINGS[encoding]
    if encoding == "deflate" and not _has_zlib_header(body):
        window = -zlib.MAX_WBITS  # what many servers call deflate is the bare stream
    plain = bytearray()
    try:
        while body:
            unpacker = zlib.decompressobj(window)
            plain += unpacker.decompress(body, most + 1 - len(plain))
            if len(plain) > most:
                raise LookupRefused(_too_long(most))
            if not unpacker.eof:
                raise LookupUnavailable("the CRM's answer broke off")
            body = unpacker.unused_data if window > zlib.MAX_WBITS else b""
    except zlib.error as error:
        raise LookupRefused("the CRM's answer cannot be unpacked") from error
    return bytes(plain)


def _address(request: Request) -> httpx.URL:
    """The URL with our parameters behind its own query; a fragment is never sent."""
    url = httpx.URL(request.url)
    added = _encoded(request.query)
    query = "&".join(part for part in (url.query.decode("ascii"), added) if part)
    return url.copy_with(query=query.encode() if query else None, fragment=None)


def _body(request: Request) -> tuple[bytes | None, str]:
    """The body and its content type; None and an empty text when there is none."""
    if request.form is not None:
        return _encoded(request.form).encode(), FORM
    if request.json is not None:
        return msgspec.json.encode(request.json), request.content_type or JSON
    if request.text is not None:
        return request.text.encode(), request.content_type or PLAIN_TEXT
    return None, ""


def _encoded(pairs: Pairs) -> str:
    return urlencode(pairs, safe=",", errors="replace")


def _authorization(request: Request, url: httpx.URL) -> dict[str, str]:
    match request.auth:
        case Basic(username, password):
            return {"Authorization": _basic(username, password.reveal())}
        case Bearer(token):
            return {"Authorization": f"Bearer {token.reveal()}"}
        case HeaderAuth(name, value):
            return {name: value.reveal()}
        case Ntlm():
            return {}  # it signs in for itself, and a password in the address must not go along
    if url.userinfo:
        user, _, secret = url.userinfo.decode("ascii").partition(":")
        return {"Authorization": _basic(unquote(user), unquote(secret))}
    return {}


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port  # httpx leaves a scheme's own port out


def _has_zlib_header(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _too_long(most: int) -> str:
    return f"the CRM's answer is longer than {most // 1024} KiB"


def _version() -> str:
    try:
        return version("crmroute")
    except PackageNotFoundError:
        return "0"
