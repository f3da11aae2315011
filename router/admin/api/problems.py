"""Errors as problem details (RFC 9457): one shape for all of them, with every place that is wrong."""

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from router.admin.identity import NotAllowed
from router.core.problems import Problem, path_text
from router.records.configuration import Invalid, ManagedByFiles
from router.records.errors import Conflict, NotFound, Outdated, RecordsError, StillUsed
from router.store.errors import StoreError

log = structlog.get_logger(__name__)

TYPE = "urn:crmroute:problem:"
MEDIA_TYPE = "application/problem+json"


class Place(Struct, frozen=True):
    """One thing that is wrong."""

    path: str
    """Into the document, as people count: `rules[1].lines[2].value`; empty for all of it."""
    what: str
    mend: str = ""


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """RFC 9457, with the places that are wrong, and what still uses a thing that was to be removed."""

    type: str
    title: str
    status: int
    detail: str = ""
    places: tuple[Place, ...] = ()
    used_by: tuple[str, ...] = ()


class ApiError(Exception):
    """An error that the API itself finds."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail


KINDS: dict[type[Exception], tuple[int, str]] = {
    NotAllowed: (403, "not-allowed"),
    NotFound: (404, "not-found"),
    Outdated: (412, "outdated"),
    Invalid: (422, "invalid"),
    StillUsed: (409, "still-used"),
    ManagedByFiles: (409, "managed-by-files"),
    Conflict: (409, "conflict"),
    RecordsError: (503, "records-away"),
    StoreError: (503, "store-away"),
}
"""Statuses and the ends of types, the narrower error first."""
AWAY = {
    "records-away": "the records cannot be reached; nothing was changed",
    "store-away": "Redis cannot be reached",
}
BROKEN = "crmroute failed on this (a mistake of its own; its log has it)"


def details_of(error: Exception) -> ProblemDetails:
    """What is told of an error. Of a mistake of ours nothing but that it was one."""
    if isinstance(error, ApiError):
        return _made(error.status, error.kind, error.detail)
    if isinstance(error, ValidationException):
        return _made(400, "malformed", "the request is malformed", places=_litestar_places(error))
    if isinstance(error, HTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _made(error.status_code, kind, error.detail if error.status_code < 500 else "")
    status, kind = next((told for of, told in KINDS.items() if isinstance(error, of)), (500, "broken"))
    if status == 500:
        return _made(status, kind, BROKEN)
    more: dict[str, Any] = {}
    if isinstance(error, Invalid):
        more["places"] = places_of(error.problems)
    if isinstance(error, StillUsed):
        more["used_by"] = error.users
    return _made(status, kind, AWAY.get(kind, str(error)), **more)


def places_of(problems: tuple[Problem, ...]) -> tuple[Place, ...]:
    return tuple(Place(path_text(one.path), one.what, one.mend) for one in problems)


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    """Litestar's handler for every exception."""
    details = details_of(error)
    if details.status == 500:
        log.exception("admin.broken", method=request.method, path=request.url.path, exc_info=error)
    headers = dict(getattr(error, "headers", None) or {})
    return Response(details, status_code=details.status, media_type=MEDIA_TYPE, headers=headers)


def _made(status: int, kind: str, detail: str, **more: Any) -> ProblemDetails:
    return ProblemDetails(TYPE + kind, HTTPStatus(status).phrase, status, detail, **more)


def _litestar_places(error: ValidationException) -> tuple[Place, ...]:
    listed = error.extra if isinstance(error.extra, list) else []
    return tuple(
        Place(str(one.get("key", "")), str(one.get("message", ""))) for one in listed if isinstance(one, dict)
    )
