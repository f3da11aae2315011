"""The one HTTP client, shared by every look-up of a worker process.

httpx speaks through aiohttp's connections (httpx-aiohttp), which cost a tenth of the CPU of httpx's own pool.
What it promises for every request:

- http and https only, https only where the operator says so; certificates are verified (the authorities are
  certifi's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`)
- no proxy from the environment, and no cookie kept: the next tenant asks through the same client
- redirects stay on the same scheme, host and port, and are few; the request's secrets travel with them
- one time limit over name resolution, connecting, sending, waiting and the last byte of the body
- a body is never longer than the limit, as received and as decompressed; nothing longer is kept or unpacked
- whatever goes wrong below is one of `workers.errors`, raised `from` it

`socket_factory` is where connections to forbidden addresses are to be refused: aiohttp calls it with each
resolved address it is about to connect to, literal ones included, so no second resolution can differ.
"""

import asyncio
import base64
import errno
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote, urlencode

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

from router.settings.model import WorkerSettings
from workers.connectors.steps import Basic, Bearer, HeaderAuth, Pairs, Request, Response
from workers.errors import AttemptTimedOut, LookupFailed, LookupRefused, LookupUnavailable

KEEP_ALIVE_SECONDS = 30.0
NAMES_KEPT_SECONDS = 30
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ACCEPT = "application/json, text/plain;q=0.9, */*;q=0.5"
ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]
SocketFactory = Callable[[AddressInfo], socket.socket]


class HttpClient:
    """`send` is all that look-ups use. It must be made inside a running event loop, and closed."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        tls: ssl.SSLContext | None = None,
        socket_factory: SocketFactory | None = None,
    ) -> None:
        self._answer_bytes = settings.answer_bytes
        self._redirects = settings.redirects
        self._https_only = settings.https_only
        context = tls or httpx.create_ssl_context()
        connector = aiohttp.TCPConnector(
            ssl=context,
            limit=settings.connections,
            limit_per_host=settings.connections_per_host,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ttl_dns_cache=NAMES_KEPT_SECONDS,
            socket_factory=socket_factory,
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(verify=context, client=session),
            headers={
                "User-Agent": f"crmroute/{_version()}",
                "Accept": ACCEPT,
                "Accept-Encoding": "gzip, deflate",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(None),  # `send` limits the whole of it
            trust_env=False,
            follow_redirects=False,
        )

    async def send(self, request: Request, seconds: float) -> Response:
        """Raises LookupFailed. `seconds` is for everything, redirects and the whole body included."""
        with translated_errors():
            asked = self._build(request)
        try:
            async with asyncio.timeout(seconds):
                with translated_errors():
                    return await self._follow(asked)
        except TimeoutError as error:
            raise AttemptTimedOut(f"the CRM did not answer within {seconds:.2g} seconds") from error

    async def aclose(self) -> None:
        await self._client.aclose()

    def _build(self, request: Request) -> httpx.Request:
        url = _address(request)
        if url.scheme not in ("http", "https") or not url.host:
            raise LookupRefused("the address is none that begins with https:// and a host's name")
        if self._https_only and url.scheme != "https":
            raise LookupRefused("the address is not encrypted, and this system asks CRMs by https:// only")
        headers = {name: value.reveal() for name, value in request.headers} | _authorization(request, url)
        content: bytes | None = None
        if request.form is not None:
            content = _encoded(request.form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif request.json is not None:
            content = msgspec.json.encode(request.json)
            headers["Content-Type"] = "application/json"
        url = url.copy_with(userinfo=b"")
        return self._client.build_request(request.method, url, headers=headers, content=content)

    async def _follow(self, asked: httpx.Request) -> Response:
        for _ in range(self._redirects + 1):
            response = await self._client.send(asked, auth=None, stream=True)
            try:
                location = response.headers.get("location")
                if response.status_code not in REDIRECTS or location is None:
                    return await self._read(response)
                asked = self._redirected(asked, response.status_code, location)
            finally:
                await response.aclose()
        raise LookupRefused(f"the address redirects more than {self._redirects} times")

    def _redirected(self, asked: httpx.Request, status: int, location: str) -> httpx.Request:
        target = asked.url.join(location).copy_with(userinfo=b"", fragment=None)
        if _origin(target) != _origin(asked.url):
            where = f"{target.scheme}://{target.netloc.decode('ascii', 'replace')}"[:120]
            raise LookupRefused(
                f"the address redirects to {where}, which is not followed: enter that address"
            )
        keeps_method = status in (307, 308) or asked.method == "GET"
        headers = httpx.Headers(asked.headers)
        for name in ("host", "content-length", *(() if keeps_method else ("content-type",))):
            headers.pop(name, None)
        content = asked.content if keeps_method else None
        method = asked.method if keeps_method else "GET"
        return self._client.build_request(method, target, headers=headers, content=content or None)

    async def _read(self, response: httpx.Response) -> Response:
        """The body, unpacked. Leaving early closes the connection, so nothing more is received."""
        most = self._answer_bytes
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > most:
                raise LookupRefused(_too_long(most))
        headers = dict(response.headers.items())
        encoding = headers.get("content-encoding", "").strip().lower()
        return Response(response.status_code, unpacked(bytes(body), encoding, most), headers)


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


@contextmanager
def translated_errors() -> Iterator[None]:
    """The only place where errors of httpx and aiohttp become ours."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise translated(error) from error


def translated(error: BaseException) -> LookupFailed:
    """What an error below means, by the aiohttp error where httpx only passes it on."""
    if isinstance(error, httpx.TransportError) and isinstance(error.__cause__, aiohttp.ClientError | OSError):
        error = error.__cause__
    for kind in type(error).__mro__:
        if kind in TRANSLATIONS:
            made, problem = TRANSLATIONS[kind]
            return made(problem + _reason(error))
    return LookupUnavailable("the connection to the CRM failed")


def _reason(error: BaseException) -> str:
    reason = REASONS.get(error.errno or 0) if isinstance(error, OSError) else None
    return f" ({reason})" if reason else ""


REASONS = {
    errno.ECONNREFUSED: "nothing listens at that host and port",
    errno.EHOSTUNREACH: "there is no way to that host",
    errno.ENETUNREACH: "there is no way to that network",
    errno.ETIMEDOUT: "that host does not react",
}
_ADDRESS = "the address cannot be used: it is not a valid URL"
_BROKE_OFF = "the CRM closed the connection before it had answered"
_NOT_HTTP = "what answers at the address does not speak HTTP"
TRANSLATIONS: dict[type[BaseException], tuple[type[LookupFailed], str]] = {
    aiohttp.ClientConnectorCertificateError: (
        LookupRefused,
        "the CRM's certificate is not valid for this address, or not from a known authority",
    ),
    aiohttp.ClientSSLError: (LookupRefused, "no encrypted connection to the CRM could be made (TLS)"),
    aiohttp.ServerFingerprintMismatch: (LookupRefused, "the CRM's certificate is not the expected one"),
    aiohttp.ClientConnectorDNSError: (LookupUnavailable, "the CRM's name could not be found in DNS"),
    aiohttp.ClientConnectorError: (LookupUnavailable, "the CRM could not be reached: no connection"),
    aiohttp.ServerTimeoutError: (LookupUnavailable, "the CRM did not answer in time"),
    aiohttp.ServerDisconnectedError: (LookupUnavailable, _BROKE_OFF),
    aiohttp.ClientConnectionError: (LookupUnavailable, _BROKE_OFF),
    aiohttp.ClientPayloadError: (LookupUnavailable, "the CRM's answer broke off"),
    aiohttp.ClientResponseError: (LookupRefused, _NOT_HTTP),
    aiohttp.InvalidURL: (LookupRefused, _ADDRESS),
    aiohttp.NonHttpUrlClientError: (LookupRefused, _ADDRESS),
    aiohttp.ClientError: (LookupUnavailable, "the connection to the CRM failed"),
    httpx.InvalidURL: (LookupRefused, _ADDRESS),
    httpx.UnsupportedProtocol: (LookupRefused, _ADDRESS),
    httpx.TransportError: (LookupUnavailable, "the connection to the CRM failed"),
    httpx.HTTPError: (LookupUnavailable, "the connection to the CRM failed"),
    httpx.StreamError: (LookupUnavailable, "the CRM's answer broke off"),
    httpx.CookieConflict: (LookupRefused, "the CRM's cookies contradict each other"),
    OSError: (LookupUnavailable, "the connection to the CRM failed"),
    # What cannot be put on the wire: httpx and aiohttp refuse such addresses and headers so.
    UnicodeError: (LookupRefused, "the address or a header holds signs that cannot be sent"),
    ValueError: (LookupRefused, "the address or a header holds signs that cannot be sent"),
}
FOREIGN_ERRORS: tuple[type[BaseException], ...] = tuple(kind for kind in TRANSLATIONS)


def _address(request: Request) -> httpx.URL:
    """The URL with our parameters behind its own query; a fragment is never sent."""
    url = httpx.URL(request.url)
    added = _encoded(request.query)
    query = "&".join(part for part in (url.query.decode("ascii"), added) if part)
    return url.copy_with(query=query.encode() if query else None, fragment=None)


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
