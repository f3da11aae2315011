"""Signing in at an identity provider: out by a link, and back with what that one says.

The way out leaves a key in a cookie of this browser and its digest in the records, for five minutes. The way
back takes both, once: an answer that was asked for by nobody here, or comes a second time, leads to nothing.
Where it ends is kept in the records, so that no address on the way can lead elsewhere. Whoever wants a person
linked sets out from the page of their account (`router.admin.pages.account`).
"""

from typing import Any

import structlog
from litestar import Controller, Response, get
from litestar.datastructures import Cookie
from litestar.response import Redirect

from router.admin.authenticator import Authenticator, origin_of
from router.admin.handed import TheSite
from router.admin.issuer import RETURN_PATH, Issuer, IssuerRefused, IssuerUnavailable
from router.admin.pages.front import Front, TheFront
from router.admin.pages.reading import AnyRequest, back_to, stranger
from router.admin.pages.sessions import session_cookie, sign_in_page
from router.admin.site import Site
from router.core.single_sign_on import Claims
from router.records.accounts import SignInOver, SignInRefused
from router.records.audit import Actor
from router.records.errors import NotFound
from router.records.one_time_keys import LIVES_SECONDS, IssuerAsked

log = structlog.get_logger(__name__)

ACCOUNT = "/account"
OVER = "That sign-in is over: it serves once, for five minutes, in one browser. Sign in anew."
AWAY = "The identity provider cannot be reached. Try again in a minute, or sign in with a password."
REFUSED = "The identity provider did not sign you in. Try again; if that does not help, tell your operator."
NOBODY = (
    "No account here is yours. Ask an administrator to make one. If you have one, sign in with its password, "
    "and link this sign-in on the page of your account."
)
TEXTS = (OVER, AWAY, REFUSED, NOBODY)
"""For the test that each of them is translated."""


class SingleSignOnPages(Controller):
    include_in_schema = False

    @get("/sign-in/single")
    async def set_out(self, request: AnyRequest, site: TheSite, front: TheFront) -> Response[Any]:
        issuer = _issuer(site)
        back = back_to(request.query_params.get("back", "/"))
        key = await site.accounts.ask_issuer(back)
        try:
            answer = Redirect(await issuer.address(key), status_code=303)
        except (IssuerUnavailable, IssuerRefused) as error:
            log.warning("admin.issuer_unavailable", problem=str(error))
            return _told(request, front, 503, AWAY, back)
        answer.set_cookie(way_cookie(front.authenticator, key))
        return answer

    @get(RETURN_PATH)
    async def come_back(self, request: AnyRequest, site: TheSite, front: TheFront) -> Response[Any]:
        answer = await _come_back(request, site, front)
        answer.set_cookie(way_cookie(front.authenticator, ""))
        return answer


async def _come_back(request: AnyRequest, site: Site, front: Front) -> Response[Any]:
    issuer, asked = _issuer(site), None
    key = request.cookies.get(_name(front.authenticator), "")
    query = {str(name): str(value) for name, value in request.query_params.items()}
    try:
        if not issuer.is_of(key, query.get("state", "")):
            raise SignInOver("the state is not this browser's")
        asked = await site.accounts.come_back(key)
        claims = await issuer.claims(key, query)
        if asked.link is not None:
            return await _link(request, site, front, claims, asked)
        settings = issuer.settings
        signed_in = await site.accounts.sign_in_by_identity(
            claims, origin_of(request), links_by_name=settings.links_by_name, grants=settings.roles
        )
    except IssuerUnavailable as error:
        log.warning("admin.issuer_unavailable", problem=str(error))
        return _told(request, front, 503, AWAY, asked.back if asked else "/")
    except (IssuerRefused, SignInRefused) as error:
        log.warning("admin.single_sign_on_refused", problem=str(error), origin=origin_of(request))
        status, text = _why(error)
        return _told(request, front, status, text, asked.back if asked else "/")
    answer = Redirect(back_to(asked.back), status_code=303)
    answer.set_cookie(session_cookie(front.authenticator, signed_in.key))
    return answer


async def _link(
    request: AnyRequest, site: Site, front: Front, claims: Claims, asked: IssuerAsked
) -> Response[Any]:
    """Raises SignInOver where somebody else is signed in by now, Conflict."""
    session = await front.authenticator.session(request)
    if session is None or session.user.id != asked.link:
        raise SignInOver("who wanted to link is signed in no more")
    await site.accounts.link_identity(session.user, claims, Actor(session.user.name, origin_of(request)))
    return Redirect(ACCOUNT, query_params={"done": "linked"}, status_code=303)


def _why(error: Exception) -> tuple[int, str]:
    if isinstance(error, SignInOver):
        return 401, OVER
    return (403, NOBODY) if isinstance(error, SignInRefused) else (401, REFUSED)


def _told(request: AnyRequest, front: Front, status: int, text: str, back: str) -> Response[Any]:
    told = stranger(request).language.text(text)
    return sign_in_page(request, front, status, back=back_to(back), problem=told)


def _issuer(site: Site) -> Issuer:
    """Raises NotFound."""
    if site.issuer is None:
        raise NotFound("such page")
    return site.issuer


def _name(authenticator: Authenticator) -> str:
    return f"{authenticator.cookie}-single"


def way_cookie(authenticator: Authenticator, key: str) -> Cookie:
    """`key` empty: it goes. It comes along when the identity provider leads back here, hence `lax`."""
    is_encrypted = authenticator.cookie.startswith("__Host-")
    age = int(LIVES_SECONDS) if key else 0
    return Cookie(
        _name(authenticator), value=key, httponly=True, secure=is_encrypted, samesite="lax", max_age=age
    )
