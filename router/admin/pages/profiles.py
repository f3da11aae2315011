"""A tenant's profile as a form's fields, and back."""

from collections.abc import Mapping

from router.admin.pages.languages import Language
from router.admin.pages.told import problem_told
from router.core.destinations import DestinationKind, Target
from router.core.identities import TenantId
from router.core.problems import error
from router.core.tenants import Tenant
from router.records.configuration import Invalid

BLANK = {"id": "", "name": "", "country": "FR", "zone": "Europe/Paris", "destination": "queue", "option": ""}
PLACES = {"default": "option", "": "id"}


def fields_of(profile: Tenant) -> dict[str, str]:
    hold = profile.hold_seconds
    return {
        "name": profile.name,
        "country": profile.country,
        "zone": profile.zone,
        "hold_seconds": "" if hold is None else f"{hold:g}",
        "destination": profile.default.destination.value,
        "option": profile.default.option,
        "voicemail": "true" if profile.default.voicemail else "",
    }


def profile_of(fields: Mapping[str, str], tenant: TenantId) -> Tenant:
    """Raises Invalid for what is no number; the rest is checked where it is kept."""

    def typed(name: str) -> str:
        return fields.get(name, "").strip()

    kind = typed("destination")
    target = Target(
        DestinationKind(kind if kind in list(DestinationKind) else DestinationKind.QUEUE),
        typed("option"),
        bool(typed("voicemail")),
    )
    return Tenant(
        id=tenant,
        name=typed("name"),
        country=typed("country").upper(),
        zone=typed("zone"),
        hold_seconds=_seconds(typed("hold_seconds")),
        default=target,
    )


def _seconds(text: str) -> float | None:
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError as mistake:
        problem = error(("hold_seconds",), "this is no number", "Write seconds, such as 6.")
        raise Invalid([problem]) from mistake


def wrong_fields(invalid: Invalid, language: Language) -> dict[str, str]:
    """What is wrong, by the form's field."""
    places = ((str(one.path[0]) if one.path else "", one) for one in invalid.problems)
    return {PLACES.get(place, place): problem_told(one, language) for place, one in places}
