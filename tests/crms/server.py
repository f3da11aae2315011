"""What the local CRMs have in common: a listener, moods, tokens that expire, and a list of what was asked."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from secrets import token_urlsafe
from typing import Any

from aiohttp import web

from tests.crms.people import PEOPLE, Logged, Person

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Mood(Enum):
    """How the CRM behaves on everything but its sign-in."""

    WELL = "well"
    THROTTLED = "throttled"
    DOWN = "down"
    SLOW = "slow"
    NOT_JSON = "not_json"
    WEB_PAGE = "web_page"
    HUGE = "huge"


@dataclass
class Seen:
    """One request, as it arrived."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]
    is_sign_in: bool


class Tokens:
    """Tokens in force. A refresh token that rotates serves once: the second use of it is counted, and refused."""

    def __init__(self) -> None:
        self._alive: set[str] = set()
        self._refresh: set[str] = set()
        self._spent: set[str] = set()
        self.issued = 0
        self.reused = 0

    def issue(self) -> str:
        self.issued += 1
        token = f"at-{self.issued}-{token_urlsafe(12)}"
        self._alive.add(token)
        return token

    def issue_refresh(self) -> str:
        token = f"rt-{token_urlsafe(12)}"
        self._refresh.add(token)
        return token

    def is_alive(self, token: str) -> bool:
        return token in self._alive

    def spend_refresh(self, token: str) -> bool:
        """For a refresh token that rotates: whether it may be used, this once."""
        if token in self._spent:
            self.reused += 1
        if token not in self._refresh:
            return False
        self._refresh.discard(token)
        self._spent.add(token)
        return True

    def knows_refresh(self, token: str) -> bool:
        return token in self._refresh

    def expire_all(self) -> None:
        self._alive.clear()

    def revoke_all(self) -> None:
        """Refresh tokens too: only a person can sign in again."""
        self._alive.clear()
        self._refresh.clear()


class Refused(Exception):
    """A handler's way to answer an error at once, in the vendor's own shape."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}

    def response(self) -> web.Response:
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


class StrictCrm:
    """A subclass gives `routes`, and `is_sign_in` for the paths that moods leave alone."""

    slug = ""

    def __init__(self, people: tuple[Person, ...] = PEOPLE) -> None:
        self.people = list(people)
        self.mood = Mood.WELL
        self.retry_after: str | None = "1"
        self.tokens = Tokens()
        self.seen: list[Seen] = []
        self.is_asked = asyncio.Event()
        self.broken: list[str] = []
        """Requests that this server failed on by itself: a mistake of the test's, or of the connector's."""
        self.url = ""
        self._runner: web.AppRunner | None = None

    # For a subclass to give

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    def is_sign_in(self, path: str) -> bool:
        return False

    def is_sign_in_body(self, query: str, body: str) -> bool:
        """For a CRM that signs in at the address of everything else."""
        return False

    def throttled(self) -> web.Response:
        """As the vendor says that it is asked too often."""
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return web.json_response({"error": "too many requests"}, status=429, headers=headers)

    def down(self) -> web.Response:
        """As the vendor fails."""
        return web.json_response({"error": "internal error"}, status=500)

    def logged(self) -> list[Logged]:
        """The calls that were written, read back."""
        raise NotImplementedError

    # What tests use

    @property
    def data_requests(self) -> list[Seen]:
        """Without the sign-ins."""
        return [seen for seen in self.seen if not seen.is_sign_in]

    def person(self, key: int) -> Person:
        return next(person for person in self.people if person.key == key)

    def add(self, kind: str, name: str, phone: str) -> int:
        """Keep a record that a request made, for searches to find; its key."""
        key = 900 + sum(person.key >= 900 for person in self.people)
        first, _, last = name.rpartition(" ")
        self.people.append(Person(key, kind, first, last, phone=phone))
        return key

    def count(self, kind: str) -> int:
        """The records of this kind."""
        return len(self.of_kind(kind))

    def of_kind(self, kind: str) -> list[Person]:
        return [person for person in self.people if person.kind == kind]

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._middleware()], client_max_size=2**20)
        app.add_routes(self.routes())
        return app

    async def start(self) -> None:
        self._runner = web.AppRunner(
            self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _middleware(self) -> Any:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            body = (await request.read()).decode(errors="replace")
            is_sign_in = self.is_sign_in(request.path) or self.is_sign_in_body(request.query_string, body)
            self.seen.append(
                Seen(
                    request.method,
                    request.path,
                    request.query_string,
                    body,
                    dict(request.headers),
                    is_sign_in,
                )
            )
            self.is_asked.set()
            if not is_sign_in and self.mood is not Mood.WELL:
                return await self._in_mood()
            try:
                return await handler(request)
            except Refused as refused:
                return refused.response()
            except (web.HTTPException, asyncio.CancelledError):
                raise
            except Exception as error:
                self.broken.append(f"{request.method} {request.path_qs}: {error!r}")
                raise

        return watch

    async def _in_mood(self) -> web.StreamResponse:
        match self.mood:
            case Mood.THROTTLED:
                return self.throttled()
            case Mood.DOWN:
                return self.down()
            case Mood.SLOW:
                await asyncio.sleep(3600)
            case Mood.NOT_JSON:
                return web.Response(text='{"data": [', content_type="application/json")
            case Mood.WEB_PAGE:
                return web.Response(
                    text="<!DOCTYPE html><html><body>Sign in</body></html>", content_type="text/html"
                )
            case Mood.HUGE:
                return web.Response(
                    body=b'{"data":"' + b"x" * 9_000_000 + b'"}', content_type="application/json"
                )
        raise AssertionError(self.mood)


def basic(username: str, password: str) -> str:
    """The header's value that basic authentication must have."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
