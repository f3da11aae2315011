"""The shape of a connector: generators that yield requests, take responses, and return what they found.

    def find(account: Account[Settings], question: Question) -> Steps[Findings]:
        response = yield Request(name="search", url=f"{account.settings.url}/persons", query=...)
        return Findings(tuple(read_people(response)))

A connector opens no client, sleeps, retries, caches and logs nothing: `workers.asking` drives the generators,
does all of that once for every connector, and only hands in what has settled. So a connector is tested by
handing it `Response` objects. As many requests may follow one another as the look-up's budget holds; each has
a `name`, which the trace and an error show.

What a connector sees of a response:

- 2xx, 3xx that were not followed, and 4xx but 429 come as they are; `answers.require_success` refuses those
  that the connector has no meaning for
- 429 and 5xx are retried by `workers.asking` and never arrive here, unless the request lists the status in
  `final_statuses` because this CRM means something else by it

What it raises:

- `LookupRefused` for an answer it cannot use, with the `Fault` that names the step of a connection test
- `LookupUnavailable` where the CRM says "later" in its own way, such as a 200 or 403 that means a quota
- `GrantExpired` when the token or session is no longer taken: the steps then begin again with a new grant,
  once
- `SignInNeeded`, in `sign_in`, when only a person can sign in again

Finding nothing is no error: `find` then returns no records.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.crm_catalog import CrmField, CrmModule
from router.core.lookups import LookupJob, Record
from router.core.rules import Credentials
from workers.secrets import MASK, Secret

S = TypeVar("S")
R = TypeVar("R")
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


class Ntlm(Struct, frozen=True):
    """Windows' own sign-in, which belongs to the connection and not to the request."""

    username: str
    """`DOMAIN\\user` or `user@domain`."""
    password: Secret


Auth = Basic | Bearer | HeaderAuth | Ntlm


class Signature(Struct, frozen=True):
    """A proof of who asks that is made anew for each attempt, when it is sent (`workers.signing`)."""

    header: str
    secret: Secret
    what: str
    """What is signed beside the moment and the body, such as the method and the path."""


class Request(Struct, frozen=True, kw_only=True):
    """One request. At most one of `form`, `json` and `text` is given; each makes the body."""

    name: str
    """What it is for, in a word: `find`, `token`, `record`. The trace and errors show it."""
    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    url: str
    """May have a query of its own, which is kept, and a user and password, which become basic auth."""
    query: Pairs = ()
    form: Pairs | None = None
    json: Any = None
    text: str | None = None
    content_type: str = ""
    """Of `text`, or in place of `application/json`."""
    headers: tuple[tuple[str, Secret], ...] = ()
    auth: Auth | None = None
    signature: Signature | None = None
    accept: str = ""
    """The Accept header, where the CRM needs another one than ours."""
    follows_redirects: bool = False
    """On the same host only. Off, a redirect is an answer: many CRMs send strangers to a sign-in page."""
    masked: frozenset[str] = frozenset()
    """Names in `query`, `form` and `json` whose values the trace must not show."""
    secrets: tuple[Secret, ...] = ()
    """Further secrets, wherever in the request they stand: they are masked in everything that is shown."""
    final_statuses: frozenset[int] = frozenset()
    """Statuses that answer the question, although they would be retried otherwise."""
    large_answer: bool = False
    """A list of modules or fields: longer than a record may be."""
    writes: bool = False
    """It changes something: after a connection that broke, nobody knows whether it has, and it is not sent
    again by itself."""

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


class Grant(Struct, frozen=True, kw_only=True):
    """What signing in brought: a token or session, kept encrypted and shared by all workers."""

    token: Secret = Secret()
    base_url: str = ""
    """Where this account is served, when the sign-in says so; without a slash at its end."""
    refresh_token: Secret = Secret()
    lives_seconds: float | None = None
    """How long the token lives; None when the CRM does not say: then it is used until it is refused."""
    facts: dict[str, str] = {}
    """What else later requests need, such as the user's id; nothing secret."""

    def __repr__(self) -> str:
        return f"Grant({MASK})"


NO_GRANT = Grant()


@dataclass(frozen=True)
class Account(Generic[S]):
    """An integration's settings, and what signing in with them brought."""

    settings: S
    grant: Grant = NO_GRANT

    def __repr__(self) -> str:
        return f"Account({MASK})"


@dataclass(frozen=True)
class OAuthClient:
    """How a person signs in once, in a browser or by a code on another device (RFC 6749, RFC 8628)."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    device_url: str = ""
    """Empty: this CRM has no device flow."""
    authorize_extra: Pairs = ()
    token_extra: Pairs = ()
    token_numbers: tuple[tuple[str, int], ...] = ()
    """Further members of a JSON body, which are numbers there."""
    client_auth: Literal["body", "basic", "json"] = "body"
    """How the client shows its id and secret: in the form, by basic auth, or in a JSON body."""
    has_pkce: bool = True
    final_statuses: frozenset[int] = frozenset()
    """Statuses with which its token endpoint refuses credentials, although they usually mean a failure."""
    read_grant: "Callable[[dict[str, Any], Grant | None], Grant] | None" = None
    """Makes a grant of a token answer where the CRM has more to say than RFC 6749."""


Steps = Generator[Request, Response, R]


def with_username_and_password(given: Mapping[str, Any], credentials: Credentials) -> dict[str, Any]:
    """An integration's settings as given, with a rule's own user and password in place of its own."""
    merged = dict(given)
    if credentials.username is not None:
        merged["username"] = credentials.username
    if credentials.password is not None:
        merged["password"] = credentials.password
    return merged


@dataclass(frozen=True, kw_only=True)
class Connector(Generic[S]):
    """One CRM's code. `settings` is the struct that its manifest describes, field by field.

    Every ability is a generator of the same kind, and None where the CRM has none; a test holds them to the
    manifest's `abilities`.
    """

    slug: str
    settings: type[S]
    find: Callable[[Account[S], Question], Steps[Findings]]
    with_credentials: Callable[[Mapping[str, Any], Credentials], dict[str, Any]] = with_username_and_password
    sign_in: Callable[[S, Grant | None], Steps[Grant]] | None = None
    """A new grant; the former one, if any, has the refresh token. None: requests show credentials."""
    needs_grant: Callable[[S], bool] = lambda _settings: True
    """Whether these settings need a `sign_in`: a fixed token does not."""
    oauth: Callable[[S], OAuthClient | None] | None = None
    """How a person signs in; returns None where these settings need nobody."""
    identity: tuple[str, ...] = ()
    """The settings that say who signs in, and where: a grant dies when one of them changes."""
    check: Callable[[Account[S]], Steps[str]] | None = None
    """One cheap request that proves the credentials; returns who we are, such as "Jane Doe of Acme"."""
    modules: Callable[[Account[S]], Steps[tuple[CrmModule, ...]]] | None = None
    fields: Callable[[Account[S], str], Steps[tuple[CrmField, ...]]] | None = None
    """The fields of one module; an unknown one is refused with `Fault.MODULE`."""
    log_call: Callable[[Account[S], FinishedCall], Steps[Logged]] | None = None
    """With `is_repeat` it looks for the call's id first, unless the CRM itself refuses a second entry."""
    create: Callable[[Account[S], NewContact], Steps[Record]] | None = None
    default_modules: tuple[str, ...] = ()
    """Searched where a rule names none."""
