"""Who reads a page, and what they sent with a form.

Whoever is not signed in is asked to, and comes back to where they were. A form that was sent after its
session had ended is not lost: it is carried through the sign-in, shown again, and saves nothing before its
own button is pressed.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Request

from router.admin.api.problems import ApiError
from router.admin.authenticator import Authenticator, origin_of
from router.admin.identity import Identity
from router.admin.pages.languages import ENGLISH, Language, chosen
from router.admin.pages.rendering import Reader
from router.core.identities import TenantId
from router.records.accounts import Session
from router.records.keys import is_csrf

AnyRequest = Request[Any, Any, Any]
CSRF_FIELD = "csrf"
LANGUAGE_COOKIE = "crmroute-language"
FIELDS_MOST = 5_000
NEVER_CARRIED = frozenset({"password", "again", "former", "own", "current", "code", "secret", "proof"})
"""Fields of the forms about accounts."""


class SignInNeeded(Exception):
    """`carried` is the form that was sent, empty for a page."""

    def __init__(self, back: str, carried: Mapping[str, str]) -> None:
        super().__init__(back)
        self.back = back
        self.carried = carried


def language_of(request: AnyRequest, own: str | None = None) -> Language:
    """What was chosen on a page, else the user's own, else the browser's."""
    asked = request.cookies.get(LANGUAGE_COOKIE) or own
    return chosen(asked, request.headers.get("Accept-Language", ENGLISH))


def stranger(request: AnyRequest) -> Reader:
    return Reader(language=language_of(request), identity=None, csrf="", path=request.url.path)


async def reader_of(request: AnyRequest, authenticator: Authenticator) -> Reader:
    """Raises SignInNeeded."""
    session = await authenticator.session(request)
    if session is None:
        carried = {} if request.method == "GET" else await _carried_from(request)
        raise SignInNeeded(request.url.path, carried)
    return _reader(request, session)


async def watcher_of(request: AnyRequest, authenticator: Authenticator) -> Reader | None:
    """Who keeps a stream open; None when the session is over. It does not count as use of the session."""
    session = await authenticator.watching_session(request)
    return _reader(request, session) if session else None


def _reader(request: AnyRequest, session: Session) -> Reader:
    user = session.user
    identity = Identity(
        who=user.name,
        role=user.role,
        tenant=user.tenant,
        origin=origin_of(request),
        user=user.id,
        maker=user.id,
        session=session.digest,
    )
    tenant = request.path_params.get("tenant")
    return Reader(
        language=language_of(request, user.language),
        identity=identity,
        csrf=session.csrf,
        path=request.url.path,
        tenant=TenantId(tenant) if tenant else user.tenant,
    )


async def _carried_from(request: AnyRequest) -> dict[str, str]:
    """What comes back after the sign-in: no password and no code, which are typed again."""
    return {name: text for name, text in (await fields_in(request)).items() if name not in NEVER_CARRIED}


async def form_of(request: AnyRequest, authenticator: Authenticator) -> dict[str, str]:
    """The fields of a form that one of our own pages sent. Raises ApiError for any other."""
    fields = await fields_in(request)
    if not is_csrf(authenticator.key(request), fields.pop(CSRF_FIELD, "")):
        raise ApiError(403, "csrf", "this page is too old: load it anew, and try again")
    return fields


async def fields_in(request: AnyRequest) -> dict[str, str]:
    """Texts alone; of several fields with one name the last counts."""
    form = await request.form()
    listed = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return dict(listed[:FIELDS_MOST])


def is_from_here(request: AnyRequest) -> bool:
    """Whether a form without a session was sent by a page of ours, as the browser says (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")


def back_to(path: str) -> str:
    """A path on this site, wherever the text would lead."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own else "/"
