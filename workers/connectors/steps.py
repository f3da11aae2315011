"""The shape of a connector: a generator that yields requests and takes responses.

    def find(settings: Settings, question: Question) -> Steps:
        response = yield Request(name="search", url=settings.url + "/persons", query=(("phone", ...),))
        people = read_people(response)
        return Findings(tuple(people))

A connector opens no client, sleeps, retries, caches and logs nothing: `workers.lookup` drives the generator,
does all of that once for every connector, and only hands in what has settled. So a connector is tested by
handing it `Response` objects. As many requests may follow one another as the look-up's budget holds; each has
a `name`, which the trace and an error show.

What a connector sees of a response:

- 2xx, 3xx that were not followed, and 4xx but 429 come as they are; `answers.require_success` refuses those
  that the connector has no meaning for
- 429 and 5xx are retried by `workers.lookup` and never arrive here, unless the request lists the status in
  `final_statuses` because this CRM means something else by it

It raises `LookupRefused` for an answer it cannot use. Finding nothing is no error: it returns no records.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from router.core.lookups import LookupJob, Record
from router.core.rules import Credentials
from workers.secrets import MASK, Secret

S = TypeVar("S")
Pairs = tuple[tuple[str, str], ...]


class Basic(Struct, frozen=True):
    username: str
    password: Secret


class Bearer(Struct, frozen=True):
    token: Secret


class HeaderAuth(Struct, frozen=True):
    """A header of the CRM's own, such as `X-Api-Key`."""

    name: str
    value: Secret


Auth = Basic | Bearer | HeaderAuth


class Request(Struct, frozen=True, kw_only=True):
    """One request. At most one of `form` and `json` is given; either makes the body."""

    name: str
    """What it is for, in a word: `find`, `token`, `record`. The trace and errors show it."""
    method: Literal["GET", "POST"] = "GET"
    url: str
    """May have a query of its own, which is kept, and a user and password, which become basic auth."""
    query: Pairs = ()
    form: Pairs | None = None
    json: Any = None
    headers: tuple[tuple[str, Secret], ...] = ()
    auth: Auth | None = None
    masked: frozenset[str] = frozenset()
    """Names in `query`, `form` and `json` whose values the trace must not show."""
    final_statuses: frozenset[int] = frozenset()
    """Statuses that answer the question, although they would be retried otherwise."""

    def __repr__(self) -> str:
        """Without anything that may be secret: requests end up in tracebacks."""
        return f"Request({self.name!r}, {self.method} {MASK})"


class Response(Struct, frozen=True):
    """What came back, whole and not longer than the worker's limit."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    """Names in small letters; a repeated header's values are joined by a comma."""

    @property
    def content_type(self) -> str:
        """The media type alone, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Question(Struct, frozen=True):
    """What a connector is asked."""

    job: LookupJob
    country: str
    """The tenant's, for the spellings of a number."""


class Findings(Struct, frozen=True):
    """What a look-up brought: several records are handed on as they are, for the rule decides among them."""

    records: tuple[Record, ...] = ()
    problem: str = ""
    """What an admin should know although the look-up succeeded, such as a field that is not there."""


Steps = Generator[Request, Response, Findings]


@dataclass(frozen=True)
class Connector(Generic[S]):
    """One CRM's code. `settings` is the struct that its manifest describes, field by field.

    Further abilities (a connection check, lists of modules and fields, logging a call) are further
    generators of the same kind, and None where a CRM has none.
    """

    slug: str
    settings: type[S]
    find: Callable[[S, Question], Steps]
    with_credentials: Callable[[Mapping[str, Any], Credentials], dict[str, Any]]
    """An integration's settings as given, with a rule's own user and password in place of its own."""
