"""Two people change one thing: what the other one saved, beside what was typed.

The version that a form was loaded with is not kept, so what was typed is compared with what is there now:
yours and theirs, place by place. Secrets are left out of both (`router.admin.secrets`).
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.pages.languages import Language
from router.admin.pages.told import WordingOf, place_told
from router.core.differences import Difference, differences

DIFFERENCES_MOST = 50
REVISION = "revision"
"""The field of a form with the revision that it was loaded with."""


class Differing(Struct, frozen=True):
    """`yours` or `theirs` is empty where that one has nothing there."""

    place: str
    yours: str
    theirs: str


class Theirs(Struct, frozen=True):
    """What somebody else saved meanwhile."""

    who: str
    at: datetime
    differing: tuple[Differing, ...]
    more: int
    """Differences beyond those."""


def is_outdated(fields: Mapping[str, str], revision: int) -> bool:
    """Whether a form was loaded with another revision than the latest; one that tells none was, too."""
    return fields.get(REVISION, "") != str(revision)


def revision_of(fields: Mapping[str, str], latest: int, theirs: Theirs | None) -> str:
    """What a form goes on with: its own, so that a press in between (a line moved, a field mended) hides
    nobody's change; the latest where it is loaded, or where theirs has been shown."""
    return str(latest) if theirs is not None else fields.get(REVISION) or str(latest)


def theirs(yours: Struct, latest: Struct, who: str, at: float, language: Language) -> Theirs:
    """Both without their secrets."""
    found = differences(yours, latest, WordingOf(language))
    shown, more = found[:DIFFERENCES_MOST], found[DIFFERENCES_MOST:]
    return Theirs(
        who=who, at=moment(at), differing=tuple(_differing(one, language) for one in shown), more=len(more)
    )


def _differing(one: Difference, language: Language) -> Differing:
    return Differing(place_told(one.place, language), one.before, one.after)
