"""Signing in and out, the first set-up, the language."""

import math
from collections.abc import Mapping
from typing import Any

from litestar import Controller, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from router.admin.authenticator import Authenticator, origin_of
from router.admin.handed import TextInPath, TheSite
from router.admin.pages.front import Front, TheFront
from router.admin.pages.languages import LANGUAGES, Language
from router.admin.pages.reading import (
    LANGUAGE_COOKIE,
    AnyRequest,
    back_to,
    fields_in,
    form_of,
    is_from_here,
    stranger,
)
from router.admin.pages.told import refusal_told
from router.admin.site import Site
from router.records.accounts import CodeNeeded, SignedIn, SignInOver, SignInRefused, Throttled
from router.records.errors import Conflict, NotFound

CARRIED = "carried."
"""Before the names of the fields of a form that is carried through the sign-in."""
YEAR_SECONDS = 365 * 86_400


class SessionPages(Controller):
    include_in_schema = False

    @get("/sign-in")
    async def sign_in_page(self, request: AnyRequest, front: TheFront) -> Response[Any]:
        back = back_to(request.query_params.get("back", "/"))
        return sign_in_page(request, front, back=back)

    @post("/sign-in", status_code=200)
    async def sign_in(self, request: AnyRequest, site: TheSite, front: TheFront) -> Response[Any]:
        fields = await fields_in(request)
        back = back_to(fields.get("back", "/"))
        carried = {k.removeprefix(CARRIED): v for k, v in fields.items() if k.startswith(CARRIED)}
        told: dict[str, Any] = {"back": back, "carried": carried, "name": fields.get("name", "")}
        language = stranger(request).language
        if not is_from_here(request):
            wrong = language.text("The form came from another site. Sign in here.")
            return sign_in_page(request, front, 403, problem=wrong, **told)
        try:
            signed_in = await _step(site, fields, origin_of(request))
        except CodeNeeded as needed:
            return sign_in_page(request, front, proof=needed.proof, **told)
        except Throttled as error:
            wrong = wait_told(language, error)
            return sign_in_page(request, front, 429, problem=wrong, proof=fields.get("proof", ""), **told)
        except SignInOver:
            wrong = language.text("The code was awaited for five minutes, and once. Sign in anew.")
            return sign_in_page(request, front, 401, problem=wrong, **told)
        except SignInRefused:
            wrong = language.text("The name, the password or the code is wrong.")
            return sign_in_page(request, front, 401, problem=wrong, **told)
        answer = _carry_on(request, front, signed_in.key, back, carried) if carried else _go(back)
        answer.set_cookie(session_cookie(front.authenticator, signed_in.key))
        return answer

    @post("/sign-out", status_code=303)
    async def sign_out(self, request: AnyRequest, site: TheSite, front: TheFront) -> Response[Any]:
        await form_of(request, front.authenticator)
        await site.accounts.sign_out(front.authenticator.key(request))
        answer = _go("/sign-in")
        answer.delete_cookie(front.authenticator.cookie)
        return answer

    @get("/set-up/{key:str}")
    async def set_up_page(
        self, request: AnyRequest, site: TheSite, front: TheFront, key: TextInPath
    ) -> Response[Any]:
        is_good = await site.accounts.is_setup_key(key)
        status = 200 if is_good else 404
        return front.pages.answer(
            "set-up.html", stranger(request), status, is_good=is_good, name="", problem=""
        )

    @post("/set-up/{key:str}", status_code=200)
    async def set_up(
        self, request: AnyRequest, site: TheSite, front: TheFront, key: TextInPath
    ) -> Response[Any]:
        fields = await fields_in(request)
        name, password = fields.get("name", "").strip(), fields.get("password", "")
        try:
            signed_in = await site.accounts.set_up(key, name, password, origin_of(request))
        except (NotFound, Conflict) as error:
            is_good = isinstance(error, Conflict)
            status = 422 if is_good else 404
            reader = stranger(request)
            told = {"is_good": is_good, "name": name, "problem": refusal_told(error, reader.language)}
            return front.pages.answer("set-up.html", reader, status, **told)
        answer = _go("/tenants")
        answer.set_cookie(session_cookie(front.authenticator, signed_in.key))
        return answer

    @post("/language", status_code=303)
    async def choose_language(self, request: AnyRequest, site: TheSite, front: TheFront) -> Response[Any]:
        """Nothing but how pages read, so it needs no proof; kept in this browser, and with the account."""
        fields = await fields_in(request)
        session = await front.authenticator.session(request)
        if session is not None and fields.get("language") in LANGUAGES:
            await site.accounts.set_language(session.user, fields["language"])
        answer = _go(back_to(fields.get("back", "/")))
        if fields.get("language") in LANGUAGES:
            answer.set_cookie(language_cookie(fields["language"]))
        return answer


async def _step(site: Site, fields: Mapping[str, str], origin: str) -> SignedIn:
    """The first step by name and password, or the second by what the first one proved, and a code."""
    proof = fields.get("proof", "")
    if proof:
        return await site.accounts.sign_in_with_code(proof, fields.get("code", ""), origin)
    return await site.accounts.sign_in(fields.get("name", ""), fields.get("password", ""), origin)


def wait_told(language: Language, error: Throttled) -> str:
    return language.counted(
        math.ceil(error.seconds / 60),
        "Too many failed attempts. Try again in {count} minute.",
        "Too many failed attempts. Try again in {count} minutes.",
    )


def sign_in_page(
    request: AnyRequest,
    front: Front,
    status: int = 200,
    *,
    back: str = "/",
    carried: dict[str, str] | None = None,
    **told: Any,
) -> Response[Any]:
    blank = {"problem": "", "name": "", "proof": ""}
    reader = stranger(request)
    return front.pages.answer(
        "sign-in.html",
        reader,
        status,
        back=back,
        carried=carried or {},
        prefix=CARRIED,
        single=front.single,
        **(blank | told),
    )


def session_cookie(authenticator: Authenticator, key: str) -> Cookie:
    """No script reads it, and no other site's page sends it along with a form."""
    is_encrypted = authenticator.cookie.startswith("__Host-")
    return Cookie(
        authenticator.cookie, value=key, httponly=True, secure=is_encrypted, samesite="lax", path="/"
    )


def language_cookie(code: str) -> Cookie:
    """`code` empty: none is kept."""
    age = YEAR_SECONDS if code else 0
    return Cookie(LANGUAGE_COOKIE, value=code, httponly=True, samesite="lax", max_age=age)


def _go(path: str) -> Redirect:
    return Redirect(path, status_code=303)


def _carry_on(
    request: AnyRequest, front: Front, key: str, back: str, carried: dict[str, str]
) -> Response[Any]:
    """What was typed is shown again in its form, and saved by none but that form's own button."""
    return front.pages.answer(
        "carried.html", stranger(request), back=back, carried=carried, csrf=front.authenticator.csrf_of(key)
    )
