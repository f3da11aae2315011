"""Windows' own sign-in, NTLM over HTTP, as a Dynamics CRM on the customer's premises asks for it.

NTLM signs in a connection, not a request (MS-NTHT, section 3): the client sends a first token, the server
answers 401 with a challenge, and the client proves on the same connection that it knows the password, which
itself is never sent. Every later request on that connection is the account's, whoever sends it. So a shared
pool of connections would hand one tenant's rights to another one. Here each `NtlmLine` is a client of exactly
one connection, and is lent only to requests of the same host, user and password.

The request's body travels with every step of the sign-in: a server that asks for none has then answered, and
nothing is asked twice. A server may offer `Negotiate` beside `NTLM`, or alone; it takes the same tokens.
Not spoken here: Kerberos, and the channel binding that a server set to "Extended Protection: Required" wants.
"""

import asyncio
import base64
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import spnego
from spnego.exceptions import SpnegoError

from router.core.faults import Fault
from workers.connectors.steps import Ntlm
from workers.errors import LookupRefused, LookupUnavailable

SCHEMES = ("NTLM", "Negotiate")
UNAUTHORIZED = 401
REFUSAL_MOST_BYTES = 65_536
"""Of the page that comes with a challenge; it is read because only that keeps the connection."""
UNREADABLE = (SpnegoError, ValueError, LookupError, ArithmeticError, struct.error)
"""What spnego raises for a challenge that is none."""
Key = tuple[str, Ntlm]
"""The scheme, host and port that are asked, and the account."""
OpenClient = Callable[[Callable[[], None]], httpx.AsyncClient]
"""Makes a client of one connection, which calls what it is given each time before it connects."""


class NtlmLine:
    """One connection, and the account that is signed in on it."""

    def __init__(self, key: Key, open_client: OpenClient) -> None:
        self.key = key
        self.used_at = 0.0
        self._connects = 0
        self._signed_in_at: int | None = None
        self._client = open_client(self._connecting)

    @property
    def is_signed_in(self) -> bool:
        """As far as is known: the server may have closed the connection meanwhile."""
        return self._signed_in_at == self._connects

    async def send(self, asked: httpx.Request) -> httpx.Response:
        """The answer, its body not read yet; a 401 when the account is refused. Raises LookupFailed."""
        if self.is_signed_in:
            response = await self._send(asked)
            if response.status_code != UNAUTHORIZED:
                return response
            await _read_away(response)
        for scheme in SCHEMES:
            answered = await self._sign_in(asked, scheme)
            if answered is not None:
                return answered
        problem = "the CRM does not offer the sign-in of Windows (NTLM) at this address"
        raise LookupRefused(problem, fault=Fault.CREDENTIALS)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _sign_in(self, asked: httpx.Request, scheme: str) -> httpx.Response | None:
        """None when the server does not go on in this scheme."""
        account = self.key[1]
        context = spnego.client(
            account.username,
            account.password.reveal(),
            hostname=asked.url.host,
            service="http",
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
        )
        response = await self._send(_with_token(asked, scheme, context.step()))
        if response.status_code != UNAUTHORIZED:
            return response
        await _read_away(response)
        challenge = _challenge(response, scheme)
        if not challenge:
            return None
        connects = self._connects
        response = await self._send(_with_token(asked, scheme, _proof(context, challenge)))
        if response.status_code != UNAUTHORIZED:
            self._signed_in_at = self._connects
        elif connects != self._connects:
            await response.aclose()
            raise _interrupted()
        return response

    async def _send(self, asked: httpx.Request) -> httpx.Response:
        return await self._client.send(asked, auth=None, stream=True)

    def _connecting(self) -> None:
        self._connects += 1


class NtlmLines:
    """Lends lines, and keeps those that are signed in for the next request of the same account.

    At most `most` lines are open, and `most_per_account` are lent to one account; whoever finds none waits.
    A line that nobody used for `idle_seconds` is closed: its connection by the client itself, the rest of it
    with the next visit here.
    """

    def __init__(
        self,
        open_client: OpenClient,
        *,
        most: int,
        most_per_account: int,
        idle_seconds: float,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` gives seconds, monotonic, and is the event loop's unless a test says otherwise."""
        self._open_client = open_client
        self._most = most
        self._most_per_account = most_per_account
        self._idle_seconds = idle_seconds
        self._clock = clock or asyncio.get_running_loop().time
        self._idle: list[NtlmLine] = []
        """The longest unused first."""
        self._lent: Counter[Key] = Counter()
        self._retired: list[NtlmLine] = []
        self._returned = asyncio.Event()

    @asynccontextmanager
    async def lend(self, key: Key, *, is_new: bool = False) -> AsyncIterator[NtlmLine]:
        """`is_new` gives a line that nobody has used before, and closes it afterwards."""
        while (line := self._find(key, is_new)) is None:
            self._returned.clear()
            await self._returned.wait()
        keeps = False
        try:
            await self._close_retired()
            yield line
            keeps = line.is_signed_in and not is_new
        finally:
            self._take_back(line, keeps)
            await self._close_retired()

    async def aclose(self) -> None:
        self._retired += self._idle
        self._idle.clear()
        await self._close_retired()

    def _find(self, key: Key, is_new: bool) -> NtlmLine | None:
        """Counted as lent; None when the account, or everybody together, has as many as may be."""
        self._retire_unused()
        if self._lent[key] >= self._most_per_account:
            return None
        kept = next((line for line in reversed(self._idle) if line.key == key), None)
        if kept is not None and not is_new:
            self._idle.remove(kept)
            line = kept
        elif self._lent.total() + len(self._idle) < self._most:
            line = NtlmLine(key, self._open_client)
        elif self._idle:
            self._retired.append(self._idle.pop(0))
            line = NtlmLine(key, self._open_client)
        else:
            return None
        self._lent[key] += 1
        return line

    def _take_back(self, line: NtlmLine, keeps: bool) -> None:
        self._lent -= Counter([line.key])  # which forgets accounts with none left
        line.used_at = self._clock()
        (self._idle if keeps else self._retired).append(line)
        self._returned.set()

    def _retire_unused(self) -> None:
        since = self._clock() - self._idle_seconds
        self._retired += [line for line in self._idle if line.used_at < since]
        self._idle = [line for line in self._idle if line.used_at >= since]

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().aclose()


def _with_token(asked: httpx.Request, scheme: str, token: bytes | None) -> httpx.Request:
    headers = httpx.Headers(asked.headers)
    headers["Authorization"] = f"{scheme} {base64.b64encode(token or b'').decode()}"
    return httpx.Request(asked.method, asked.url, headers=headers, content=asked.content or None)


def _challenge(response: httpx.Response, scheme: str) -> bytes:
    """The server's token; empty when it offers the scheme without one, or not at all."""
    for offered in response.headers.get_list("www-authenticate", split_commas=True):
        name, _, token = offered.strip().partition(" ")
        if name.lower() == scheme.lower() and token:
            return _decoded(token)
    return b""


def _decoded(token: str) -> bytes:
    try:
        return base64.b64decode(token.strip(), validate=True)
    except ValueError as error:
        raise _unreadable() from error


def _proof(context: spnego.ContextProxy, challenge: bytes) -> bytes | None:
    try:
        return context.step(challenge)
    except UNREADABLE as error:
        raise _unreadable() from error


async def _read_away(response: httpx.Response) -> None:
    """Leaves the connection free for the next step."""
    length = 0
    try:
        async for chunk in response.aiter_raw():
            length += len(chunk)
            if length > REFUSAL_MOST_BYTES:
                raise LookupRefused("the CRM's answer to the sign-in is too long", fault=Fault.CREDENTIALS)
    finally:
        await response.aclose()


def _unreadable() -> LookupRefused:
    return LookupRefused("the CRM's part of the sign-in (NTLM) cannot be read", fault=Fault.CREDENTIALS)


def _interrupted() -> LookupUnavailable:
    return LookupUnavailable(
        "the connection did not last through the sign-in (NTLM): something between may not keep connections",
        fault=Fault.CREDENTIALS,
    )
