"""Where a call may go: a tenant's target, and the place in the dialplan that a template makes of it.

A tenant writes a kind and an option (`queue`, `gold`). The operator's templates turn that into
`context,exten,priority`. The option's strict pattern is what keeps a tenant inside its templates; the
dialplan's own check (`DIALPLAN_EXISTS` in `route-land`) is what keeps a call from falling off its end.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from router.core.errors import UnknownDestination
from router.core.identities import TenantId


class DestinationKind(StrEnum):
    QUEUE = "queue"
    IVR = "ivr"
    VOICEMAIL = "voicemail"
    PLAYBACK = "playback"
    EXTENSION = "extension"
    RING_GROUP = "ring_group"
    CONFERENCE = "conference"
    EXTERNAL = "external"
    HANGUP = "hangup"


KINDS_WITHOUT_OPTION = frozenset({DestinationKind.HANGUP})

# Letters, digits and what extensions, mailboxes and sounds need; never a comma, `$`, `{`, `&`, `|` or space.
OPTION_PATTERN = re.compile(r"[A-Za-z0-9+*#_][A-Za-z0-9+*#_.@/-]{0,63}")
PLACE_PATTERN = re.compile(r"([A-Za-z0-9_.-]{1,79}),([A-Za-z0-9+*#_.@/-]{1,79}),([1-9][0-9]{0,3})")
TEMPLATE_FIELDS = frozenset({"option", "tenant"})


class Target(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A destination as a tenant writes it: a kind, and which one."""

    destination: DestinationKind
    option: str = ""
    voicemail: bool = False
    """Go to the voicemail box of the same option instead."""
    then: "Target | None" = None
    """Where a playback goes on to; the rule's default when not set."""

    def __str__(self) -> str:
        named = f"{self.destination.value} {self.option}".rstrip()
        return f"voicemail of {named}" if self.voicemail else named


class Destination(Struct, frozen=True):
    """A place in the dialplan."""

    context: str
    exten: str
    priority: int = 1

    def __str__(self) -> str:
        return f"{self.context},{self.exten},{self.priority}"


def is_option(text: str) -> bool:
    return OPTION_PATTERN.fullmatch(text) is not None and ".." not in text


def parse_place(text: str) -> Destination | None:
    """Read `context,exten,priority`; None when it is anything else."""
    match = PLACE_PATTERN.fullmatch(text)
    return Destination(match[1], match[2], int(match[3])) if match else None


def place_of(target: Target, templates: Mapping[DestinationKind, str], tenant: TenantId) -> Destination:
    """Fill the template of the target's kind.

    Raises UnknownDestination when there is no template for the kind, or the option does not fit the pattern.
    """
    kind = DestinationKind.VOICEMAIL if target.voicemail else target.destination
    template = templates.get(kind)
    if template is None:
        raise UnknownDestination(f"no template for destination kind {kind.value}")
    if kind not in KINDS_WITHOUT_OPTION and not is_option(target.option):
        raise UnknownDestination(f"{target.option!r} cannot be the option of a {kind.value}")
    filled = template.replace("{option}", target.option).replace("{tenant}", tenant)
    place = parse_place(filled)
    if place is None:
        raise UnknownDestination(
            f"the template of {kind.value} makes {filled!r}, which is not a dialplan place"
        )
    return place
