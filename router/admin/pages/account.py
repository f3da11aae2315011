"""Your account: the own language, password, second factor, sessions, and person at an identity provider.

Every form of the page is sent to the page itself, so that whoever has to sign in again comes back to it. What
weakens an account asks for the password; what a thief of a session could do shows in the audit.
"""

from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Controller, Response, get, post
from litestar.response import Redirect
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import TheSite
from router.admin.issuer import IssuerRefused, IssuerUnavailable
from router.admin.pages.front import Blank, Front, TheFront, TheVisit, Visit
from router.admin.pages.languages import LANGUAGES
from router.admin.pages.qr import qr_code
from router.admin.pages.reading import AnyRequest, SignInNeeded
from router.admin.pages.sessions import language_cookie, session_cookie, wait_told
from router.admin.pages.single_sign_on import way_cookie
from router.admin.site import Site
from router.records import second_factor, users
from router.records.accounts import Session, SignInRefused, Throttled
from router.records.errors import Conflict, NotFound
from router.records.passwords import LEAST, MOST
from router.records.second_factor import Enrolment

log = structlog.get_logger(__name__)

PATH = "/account"
WRONG_PASSWORD = "This is not your password."  # noqa: S105 - a text of the page
LENGTH = "A password has {least} to {most} characters."
NOT_THE_SAME = "The two are not the same."
WRONG_CODE = "The code is wrong. Is the clock of the device right?"
WRONG_PROOF = "The password or the code is wrong."
AWAY = "The identity provider cannot be reached. Try again in a minute."
KEEP_A_WAY = "Set a password first: there would be no way left to sign in."
DONE = {
    "language": "The language is changed.",
    "password": "The password is changed. You are signed out everywhere else.",
    "second-factor-off": "The second factor is off. You are signed out everywhere else.",
    "ended": "The session is ended.",
    "others": "You are signed out everywhere else.",
    "linked": "You can sign in with it from now on.",
    "unlinked": "It signs you in no more. You are signed out everywhere else.",
}

TEXTS = (WRONG_PASSWORD, LENGTH, NOT_THE_SAME, WRONG_CODE, WRONG_PROOF, AWAY, KEEP_A_WAY, *DONE.values())
"""For the test that each of them is translated."""


class Own(Struct, frozen=True):
    """Whose account it is, and from where they look at it."""

    site: Site
    visit: Visit
    front: Front
    session: Session
    key: str

    def text(self, told: str, **values: object) -> str:
        return self.visit.reader.language.text(told, **values)


class AccountPages(Controller):
    path = PATH
    include_in_schema = False

    @get()
    async def account_page(
        self, request: AnyRequest, site: TheSite, visit: TheVisit, front: TheFront
    ) -> Response[Any]:
        return await _page(await _own(request, site, visit, front))

    @post(status_code=200)
    async def change(
        self, request: AnyRequest, site: TheSite, visit: TheVisit, front: TheFront
    ) -> Response[Any]:
        own = await _own(request, site, visit, front)
        try:
            return (
                await CHANGES[visit.fields["intent"]](own) if visit.fields["intent"] in CHANGES else _done()
            )
        except Throttled as error:
            return await _page(own, 429, wrong={"former": wait_told(visit.reader.language, error)})


async def _own(request: AnyRequest, site: Site, visit: Visit, front: Front) -> Own:
    """Raises SignInNeeded."""
    key = front.authenticator.key(request)
    session = await front.authenticator.session(request)
    if session is None:
        raise SignInNeeded(PATH, {})
    return Own(site, visit, front, session, key)


# What a form asks for


async def _language(own: Own) -> Response[Any]:
    code = own.visit.fields["language"]
    try:
        await own.site.accounts.set_language(own.session.user, code)
    except Conflict:
        return _done()
    answer = _done("language")
    answer.set_cookie(language_cookie(code))
    return answer


async def _password(own: Own) -> Response[Any]:
    fields, origin = own.visit.fields, own.visit.identity.origin
    if fields["password"] != fields["again"]:
        return await _page(own, 422, wrong={"again": own.text(NOT_THE_SAME)})
    if not LEAST <= len(fields["password"]) <= MOST:
        return await _page(own, 422, wrong={"password": own.text(LENGTH, least=LEAST, most=MOST)})
    try:
        signed_in = await own.site.accounts.change_own_password(
            own.key, fields["former"], fields["password"], origin
        )
    except SignInRefused:
        return await _page(own, 422, wrong={"former": own.text(WRONG_PASSWORD)})
    answer = _done("password")
    answer.set_cookie(session_cookie(own.front.authenticator, signed_in.key))
    return answer


async def _begin_second_factor(own: Own) -> Response[Any]:
    if own.session.user.has_second_factor:
        return _done()
    return await _page(own, enrolment=await own.site.accounts.begin_second_factor(own.session.user))


async def _confirm_second_factor(own: Own) -> Response[Any]:
    """One that is on is given up first, with the password: a stolen session puts no other in its place."""
    user, fields = own.session.user, own.visit.fields
    if user.has_second_factor:
        return _done()
    code = "".join(fields["code"].split())
    try:
        codes = await own.site.accounts.confirm_second_factor(
            user, fields["secret"], code, own.visit.identity.actor, keeping=own.session.digest
        )
    except SignInRefused:
        enrolment = second_factor.again(user, fields["secret"]) or second_factor.begin(user)
        return await _page(own, 422, enrolment=enrolment, wrong={"code": own.text(WRONG_CODE)})
    return await _page(own, codes=codes)


async def _give_up_second_factor(own: Own) -> Response[Any]:
    try:
        await own.site.accounts.give_up_second_factor(
            own.key, own.visit.fields["own"], own.visit.identity.origin
        )
    except SignInRefused:
        return await _page(own, 422, wrong={"own": own.text(WRONG_PASSWORD)})
    except Throttled as error:
        return await _page(own, 429, wrong={"own": wait_told(own.visit.reader.language, error)})
    return _done("second-factor-off")


async def _end(own: Own) -> Response[Any]:
    try:
        await own.site.accounts.end_session(
            own.session.user, own.visit.fields["session"], own.visit.identity.actor
        )
    except NotFound:
        return _done()  # it ended by itself meanwhile
    return _done("ended")


async def _end_others(own: Own) -> Response[Any]:
    await own.site.accounts.end_other_sessions(own.session.user, own.session.digest, own.visit.identity.actor)
    return _done("others")


async def _link(own: Own) -> Response[Any]:
    """The way to the identity provider, as a link: a form's answer leads to no other site (`form-action`)."""
    issuer, fields = own.site.issuer, own.visit.fields
    if issuer is None:
        return _done()
    wrong = WRONG_PROOF if own.session.user.has_second_factor else WRONG_PASSWORD
    try:
        key = await own.site.accounts.begin_link(
            own.key, fields["current"], fields["code"], own.visit.identity.origin
        )
        answer = await _page(own, way=await issuer.address(key))
    except SignInRefused:
        return await _page(own, 422, wrong={"current": own.text(wrong)})
    except Throttled as error:
        return await _page(own, 429, wrong={"current": wait_told(own.visit.reader.language, error)})
    except (IssuerUnavailable, IssuerRefused) as error:
        log.warning("admin.issuer_unavailable", problem=str(error))
        return await _page(own, 503, wrong={"": own.text(AWAY)})
    answer.set_cookie(way_cookie(own.front.authenticator, key))
    return answer


async def _unlink(own: Own) -> Response[Any]:
    try:
        await own.site.accounts.unlink_identity(
            own.session.user, own.visit.identity.actor, keeping=own.session.digest
        )
    except Conflict:
        return await _page(own, 409, wrong={"": own.text(KEEP_A_WAY)})
    return _done("unlinked")


CHANGES = {
    "language": _language,
    "password": _password,
    "begin": _begin_second_factor,
    "confirm": _confirm_second_factor,
    "give-up": _give_up_second_factor,
    "end": _end,
    "end-others": _end_others,
    "link": _link,
    "unlink": _unlink,
}


# The page


async def _page(
    own: Own,
    status: int = 200,
    *,
    wrong: dict[str, str] | None = None,
    enrolment: Enrolment | None = None,
    codes: tuple[str, ...] = (),
    way: str = "",
) -> Response[Any]:
    async with own.site.database.reading() as connection:
        user = await users.one(connection, own.session.user.id)
    accounts, visit = own.site.accounts, own.visit
    opened = await accounts.sessions_of(user)
    done = DONE.get(visit.query.get("done", ""), "")
    return visit.answer(
        "account.html",
        status,
        user=user,
        ways=await accounts.ways_in(user),
        sessions=[(one, moment(one.made_at), moment(one.seen_at)) for one in opened],
        here=own.session.digest,
        own_language=user.language,
        offered={"": own.text("The browser's"), **LANGUAGES},
        single=own.front.single,
        way=way,
        host=urlsplit(way).hostname or "",
        enrolment=enrolment,
        qr=qr_code(enrolment.address) if enrolment else "",
        codes=codes,
        done=own.text(done) if done and not wrong else "",
        wrong=Blank(wrong or {}),
        utc=UTC,
    )


def _done(what: str = "") -> Redirect:
    return Redirect(PATH, query_params={"done": what} if what else None, status_code=303)
