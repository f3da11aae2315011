"""The ways into a strict Dynamics server: Windows' sign-in, a client of Entra ID, and a person at an AD FS."""

import base64
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

import spnego
from aiohttp import web
from spnego.exceptions import SpnegoError

from tests.crms.dynamics_records import PEOPLE_AND_FORMER
from tests.crms.people import Logged
from tests.crms.server import Refused, StrictCrm

DIRECTORY, CLIENT, SECRET = (
    "11110000-0000-4000-8000-00000000000d",
    "22220000-0000-4000-8000-00000000000c",
    "canary-secret",
)
PUBLIC_CLIENT = "33330000-0000-4000-8000-00000000000a"
USER, PASSWORD = "ACME\\router", "canary-pässwörd"
Way = Literal["client", "ntlm", "adfs"]


class Dynamics(StrictCrm):
    """What both APIs have in common. `root` is the organisation's path, `way` how it is signed in to."""

    slug = "dynamics"

    def __init__(self, way: Way, root: str = "") -> None:
        super().__init__(PEOPLE_AND_FORMER)
        self.way = way
        self.root = root
        self.calls: dict[str, dict[str, Any]] = {}
        """Phone calls by their ids, in the API's own words."""
        self._contexts: dict[int, spnego.ContextProxy] = {}
        self._signed_in: set[int] = set()

    @property
    def site(self) -> str:
        return f"{self.url}{self.root}"

    def is_sign_in(self, path: str) -> bool:
        """A Windows account is tried by asking who it is."""
        is_tried = self.way == "ntlm" and path.endswith("/WhoAmI")
        return is_tried or path.endswith("/oauth2/v2.0/token") or path.startswith("/adfs/")

    def is_sign_in_body(self, query: str, body: str) -> bool:
        return self.way == "ntlm" and "WhoAmIRequest" in body

    def sign_in_routes(self) -> list[web.RouteDef]:
        return [
            web.post(f"/{DIRECTORY}/oauth2/v2.0/token", self.entra),
            web.post("/adfs/oauth2/token", self.adfs),
        ]

    def logged(self) -> list[Logged]:
        raise NotImplementedError

    # Tokens

    async def entra(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            described = f"AADSTS7000215: Invalid client secret provided: {form.get('client_secret')!r}"
            raise Refused(401, {"error": "invalid_client", "error_description": described})
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, {"error": "unsupported_grant_type"})
        if form.get("scope") != f"{self.url}/.default":
            raise Refused(400, {"error": "invalid_scope", "error_description": "AADSTS70011"})
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3599, "access_token": self.tokens.issue()}
        )

    async def adfs(self, request: web.Request) -> web.StreamResponse:
        """Of Windows Server 2012 R2: public clients, and codes or their refresh tokens."""
        form = await request.post()
        if form.get("client_id") != PUBLIC_CLIENT or "client_secret" in form:
            raise Refused(400, {"error": "invalid_client", "error_description": "MSIS9223"})
        match form.get("grant_type"):
            case "authorization_code" if form.get("code") == "good-code" and form.get("redirect_uri"):
                refreshed: dict[str, Any] = {"refresh_token": self.tokens.issue_refresh()}
            case "refresh_token" if self.tokens.knows_refresh(str(form.get("refresh_token"))):
                refreshed = {}
            case "authorization_code" | "refresh_token":
                raise Refused(400, {"error": "invalid_grant", "error_description": "MSIS9615"})
            case _:
                raise Refused(400, {"error": "unsupported_grant_type", "error_description": "MSIS9611"})
        return web.json_response(
            {"access_token": self.tokens.issue(), "token_type": "bearer", "expires_in": 3600, **refreshed}
        )

    # Requests

    def admit(self, request: web.Request) -> None:
        """Raises Refused for a stranger."""
        if self.way == "ntlm":
            return self._admit_windows(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and self.tokens.is_alive(token):
            return None
        if self.way == "adfs":
            raise Refused(302, "<html>moved</html>", {"Location": f"{self.url}/adfs/ls/?wa=wsignin1.0"})
        raise Refused(
            401, "", {"WWW-Authenticate": f"Bearer authorization_uri={self.url}/{DIRECTORY}/oauth2/authorize"}
        )

    def _admit_windows(self, request: web.Request) -> None:
        """A connection that has signed in is known from then on."""
        assert request.transport is not None
        connection = request.transport.get_extra_info("peername")[1]
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        token = base64.b64decode(encoded)
        step = struct.unpack_from("<I", token, 8)[0] if token.startswith(b"NTLMSSP\0") else 0
        if scheme == "NTLM" and step == 1:
            with known_users():
                context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
                challenge = base64.b64encode(context.step(token) or b"").decode()
            self._contexts[connection] = context
            self._who_are_you(f"NTLM {challenge}")
        if scheme == "NTLM" and step == 3 and connection in self._contexts:
            with known_users():
                try:
                    self._contexts.pop(connection).step(token)
                except SpnegoError:
                    self._who_are_you("NTLM")
            self._signed_in.add(connection)
        elif scheme or connection not in self._signed_in:
            self._who_are_you("NTLM")

    def _who_are_you(self, offer: str) -> NoReturn:
        self.seen[-1].is_sign_in = True
        raise Refused(401, "<html>401 - Unauthorized</html>", {"WWW-Authenticate": offer})


@contextmanager
def known_users() -> Iterator[None]:
    """The file of users that spnego's server reads, while it reads it."""
    before = os.environ.get("NTLM_USER_FILE")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(f"{USER.replace(chr(92), ':')}:{PASSWORD}\n")
        file.flush()
        os.environ["NTLM_USER_FILE"] = file.name
        try:
            yield
        finally:
            if before is None:
                del os.environ["NTLM_USER_FILE"]
            else:
                os.environ["NTLM_USER_FILE"] = before
