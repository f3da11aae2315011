"""An OpenID Connect provider on loopback: it signs everybody in as the person that it is told of, with RS256.

What a test changes of it, it does wrong: claims of the next token, its algorithm, its key.
"""

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote_plus, urlencode

import msgspec
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from router.settings.model import SingleSignOnSettings

CLIENT, SECRET = "crmroute at tests", "canary: a client's + secret"
SUBJECT = "248289761001"


class Provider:
    """`clock` is the tests': its tokens are fresh by it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.issuer = ""
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.published = [self.key]
        self.person: dict[str, Any] = {"sub": SUBJECT}
        self.changes: dict[str, Any] = {}
        """Of the next ID tokens; None leaves a claim out."""
        self.algorithm = "RS256"
        self.told_later: dict[str, Any] = {}
        """Claims that the user info has, and the token has not."""
        self.discovery_changes: dict[str, Any] = {}
        self.asked: list[str] = []
        """Paths, in turn."""
        self._codes: dict[str, dict[str, str]] = {}

    def settings(self, **changes: Any) -> SingleSignOnSettings:
        fields = {
            "issuer": self.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scopes": ("openid", "email"),
            "label": "Test ID",
            "links_by_name": False,
            "roles_claim": "",
            "roles": (),
        }
        return SingleSignOnSettings(**{**fields, **changes})

    async def discovery(self, _request: web.Request) -> web.Response:
        places = {
            "authorization_endpoint": f"{self.issuer}/authorize?realm=tests",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
        }
        return web.json_response({"issuer": self.issuer, **places, **self.discovery_changes})

    async def keys(self, _request: web.Request) -> web.Response:
        unknown = {"kty": "ML-KEM", "kid": "of tomorrow"}
        return web.json_response({"keys": [unknown, *(key.as_dict(private=False) for key in self.published)]})

    async def authorize(self, request: web.Request) -> web.Response:
        """As if somebody had signed in there at once."""
        asked = dict(request.query)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = token_urlsafe()
        self._codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{query}")

    async def token(self, request: web.Request) -> web.Response:
        fields = await request.post()
        kind, _, pair = request.headers.get("Authorization", "").partition(" ")
        name, _, secret = b64decode(pair).decode().partition(":")
        if (kind, unquote_plus(name), unquote_plus(secret)) != ("Basic", CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(str(fields["code"]), {})
        verifier = str(fields["code_verifier"]).encode()
        challenge = _written(sha256(verifier).digest()).decode()
        is_theirs = asked.get("redirect_uri") == fields["redirect_uri"]
        if not is_theirs or asked.get("code_challenge") != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        told = {"token_type": "Bearer", "access_token": "access", "id_token": self.signed(asked["nonce"])}
        return web.json_response(told)

    def signed(self, nonce: str) -> str:
        now = int(self._clock())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.issuer, "aud": CLIENT, "nonce": nonce, **times, **self.person, **self.changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm in ("none", "HS256"):  # which joserfc itself would not do
            signed = b".".join(_written(msgspec.json.encode(part)) for part in (header, claims))
            public = self.key.as_pem(private=False)
            signature = hmac.digest(public, signed, "sha256") if self.algorithm == "HS256" else b""
            return b".".join([signed, _written(signature)]).decode()
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])

    async def me(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response({**self.person, **self.told_later})


def _written(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


@asynccontextmanager
async def running_provider(clock: Callable[[], float]) -> AsyncIterator[Provider]:
    provider = Provider(clock)

    @web.middleware
    async def note(request: web.Request, handler: Any) -> Any:
        provider.asked.append(request.path)
        return await handler(request)

    app = web.Application(middlewares=[note])
    app.router.add_get("/.well-known/openid-configuration", provider.discovery)
    app.router.add_get("/keys", provider.keys)
    app.router.add_get("/authorize", provider.authorize)
    app.router.add_post("/token", provider.token)
    app.router.add_get("/me", provider.me)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        provider.issuer = f"http://{host}:{port}"
        yield provider
    finally:
        await runner.cleanup()
