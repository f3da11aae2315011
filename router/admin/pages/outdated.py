"""Two people change one thing: what the other one saved, beside what was typed.

The version that a form was loaded with is not kept, so what was typed is compared with what is there now:
yours and theirs, place by place. Secrets are left out of both (`router.admin.secrets`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from router.admin.api.moments import moment
from router.core.differences import Difference, differences, place_text

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


def theirs(yours: Struct, latest: Struct, who: str, at: float) -> Theirs:
    """Both without their secrets."""
    found = [_differing(one) for one in differences(yours, latest)]
    shown, more = found[:DIFFERENCES_MOST], found[DIFFERENCES_MOST:]
    return Theirs(who=who, at=moment(at), differing=tuple(shown), more=len(more))


def _differing(one: Difference) -> Differing:
    return Differing(place_text(one.place), one.before, one.after)


def told(theirs: Theirs | None, zone: Any, load: str) -> dict[str, Any]:
    """As `outdated.html` takes it; `load` is the page that has theirs."""
    return {"theirs": theirs, "theirs_zone": zone, "load": load}
