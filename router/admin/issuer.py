"""The identity provider (OpenID Connect): the only place of the administration that asks another server.

Somebody goes there with a state, a nonce and a PKCE challenge, and comes back with a code. It is changed for
an ID token, and that is checked (`router.admin.id_tokens`). State, nonce and verifier are made from one key
in that browser's cookie alone: who comes back without it, or with another's, did not set out here.

The discovery document and the keys are kept for an hour. A token by a key that is not known has the keys
fetched anew, once a minute at the most.
"""

import asyncio
import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec
from msgspec import Struct

from router.admin.id_tokens import (
    Expected,
    IdTokenRefused,
    Key,
    KeyUnknown,
    claims_of,
    has_claim,
    keys_in,
    read_id_token,
)
from router.core.single_sign_on import Claims
from router.settings.model import AdminSettings, SingleSignOnSettings
from router.settings.single_sign_on import client_secret

DISCOVERY = "/.well-known/openid-configuration"
RETURN_PATH = "/sign-in/single/return"
ASK_SECONDS = 10.0
ANSWER_BYTES = 1_048_576
KEPT_SECONDS = 3600.0
KEYS_ANEW_SECONDS = 60.0


T = TypeVar("T")


class IssuerUnavailable(Exception):
    """It cannot be reached, or its answer is none; the message is for the log."""


class IssuerRefused(Exception):
    """It did not sign the person in, or what it says proves nothing; the message is for the log."""


class Discovered(Struct, frozen=True):
    """What we need of the discovery document (Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(Struct, frozen=True):
    """Of the token endpoint's answer."""

    id_token: str
    access_token: str = ""


class Issuer:
    """`return_to` is our own address, as it is registered there. `clock` is the time of day, in seconds."""

    def __init__(
        self, settings: SingleSignOnSettings, secret: str, return_to: str, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._secret = secret
        self._return_to = return_to
        self._clock = clock
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=ASK_SECONDS)
        self._lock = asyncio.Lock()
        self._discovered: tuple[float, Discovered] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def address(self, key: str) -> str:
        """Where a browser that keeps `key` is sent. Raises IssuerUnavailable."""
        found = await self._discover()
        challenge = urlsafe_b64encode(sha256(_made(key, "verifier").encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self._return_to,
            "scope": " ".join(self.settings.scopes),
            "state": _made(key, "state"),
            "nonce": _made(key, "nonce"),
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joint}{urlencode(asked)}"

    @staticmethod
    def is_of(key: str, state: str) -> bool:
        """Whether who comes back with `state` set out with this key."""
        return bool(key) and hmac.compare_digest(_made(key, "state").encode(), state.encode())

    async def claims(self, key: str, answer: Mapping[str, str]) -> Claims:
        """`answer` is the query of the way back. Raises IssuerUnavailable, IssuerRefused."""
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:  # RFC 9207
            raise IssuerRefused("the answer is another issuer's")
        if "error" in answer or not answer.get("code"):
            raise IssuerRefused(f"it answered {answer.get('error', 'no code')[:100]!r}")
        tokens = await self._exchange(answer["code"], _made(key, "verifier"))
        said = await self._checked(tokens.id_token, _made(key, "nonce"))
        return claims_of(await self._completed(said, tokens.access_token), self.settings.roles_claim)

    async def _exchange(self, code: str, verifier: str) -> Tokens:
        found = await self._discover()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_to,
            "code_verifier": verifier,
        }
        headers = {}
        methods = found.token_endpoint_auth_methods_supported
        if not self._secret:
            fields["client_id"] = self.settings.client_id
        elif "client_secret_basic" not in methods and "client_secret_post" in methods:
            fields |= {"client_id": self.settings.client_id, "client_secret": self._secret}
        else:
            headers["Authorization"] = _basic(self.settings.client_id, self._secret)
        request = self._client.build_request("POST", found.token_endpoint, data=fields, headers=headers)
        return await self._ask(request, Tokens)

    async def _checked(self, token: str, nonce: str) -> dict[str, Any]:
        expected = Expected(self.settings.issuer, self.settings.client_id, nonce, self._clock())
        try:
            try:
                return read_id_token(token, await self._published(KEPT_SECONDS), expected)
            except KeyUnknown:
                return read_id_token(token, await self._published(KEYS_ANEW_SECONDS), expected)
        except IdTokenRefused as error:
            raise IssuerRefused(f"the ID token is refused: {error}") from None

    async def _completed(self, said: dict[str, Any], access_token: str) -> dict[str, Any]:
        """With what the issuer says of the person elsewhere, where the token leaves out what is needed."""
        settings, found = self.settings, await self._discover()
        needed = [*(["email"] if settings.links_by_name else []), *filter(None, [settings.roles_claim])]
        if all(has_claim(said, name) for name in needed) or not (found.userinfo_endpoint and access_token):
            return said
        headers = {"Authorization": f"Bearer {access_token}"}
        request = self._client.build_request("GET", found.userinfo_endpoint, headers=headers)
        more = await self._ask(request, dict[str, Any])
        if more.get("sub") != said["sub"]:
            raise IssuerRefused("the user info is another person's")
        return {**more, **said}

    # What is known of it

    async def _discover(self) -> Discovered:
        async with self._lock:
            if self._discovered is None or self._is_older(self._discovered[0], KEPT_SECONDS):
                request = self._client.build_request("GET", self.settings.issuer.rstrip("/") + DISCOVERY)
                self._discovered = self._clock(), self._trusted(await self._ask(request, Discovered))
            return self._discovered[1]

    def _trusted(self, found: Discovered) -> Discovered:
        if found.issuer != self.settings.issuer:
            raise IssuerUnavailable(f"its discovery document is of the issuer {found.issuer[:200]!r}")
        places = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint)
        scheme = "https://" if self.settings.issuer.startswith("https://") else "http"
        if not all(place.startswith(scheme) for place in places if place):
            raise IssuerUnavailable("its discovery document names a place that is not encrypted")
        return found

    async def _published(self, kept_seconds: float) -> tuple[Key, ...]:
        """The keys, not older than that."""
        found = await self._discover()
        async with self._lock:
            if self._keys is None or self._is_older(self._keys[0], kept_seconds):
                document = await self._ask(self._client.build_request("GET", found.jwks_uri), dict[str, Any])
                self._keys = self._clock(), keys_in(document)
            return self._keys[1]

    def _is_older(self, at: float, seconds: float) -> bool:
        return not 0 <= self._clock() - at < seconds

    # Asking

    async def _ask(self, request: httpx.Request, shape: type[T]) -> T:
        """The JSON of an answer that is a success."""
        place = f"{request.method} {request.url.copy_with(query=None)}"
        try:
            async with asyncio.timeout(ASK_SECONDS):
                status, body = await self._sent(request)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise IssuerUnavailable(f"{place}: {type(error).__name__}") from error
        if request.method == "POST" and 400 <= status < 500:
            raise IssuerRefused(f"{place}: {status} {_error_in(body)}")
        if status != 200:
            raise IssuerUnavailable(f"{place}: {status}")
        return read_answer(place, body, shape)

    async def _sent(self, request: httpx.Request) -> tuple[int, bytes]:
        answer = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES:
                    raise httpx.DecodingError("the answer is too long")
            return answer.status_code, bytes(body)
        finally:
            await answer.aclose()


def open_issuer(admin: AdminSettings, clock: Callable[[], float]) -> Issuer | None:
    """None where the settings name none. Raises SecretMissing."""
    settings = admin.single_sign_on
    if not settings.issuer:
        return None
    return Issuer(settings, client_secret(settings), admin.base_url + RETURN_PATH, clock)


def read_answer(place: str, body: bytes, shape: type[T]) -> T:
    """Raises IssuerUnavailable."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IssuerUnavailable(f"{place}: the answer is not what it should be: {error}") from None


def _made(key: str, what: str) -> str:
    """What stands for the key in one place, and tells nothing of it or of another place."""
    return hmac.new(key.encode(), f"crmroute {what}".encode(), "sha256").hexdigest()


def _basic(client_id: str, secret: str) -> str:
    """Each of them written as in a form first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _error_in(body: bytes) -> str:
    """The code of an OAuth error; its description could hold anything."""
    try:
        return repr(msgspec.json.decode(body, type=dict[str, Any]).get("error", ""))[:100]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
