"""Checks of one target: can the call get there?"""

from collections.abc import Iterator

from router.core.checks.scope import Scope
from router.core.destinations import KINDS_WITHOUT_OPTION, DestinationKind, Target, is_option
from router.core.problems import Path, Problem, error, pick_one, warning

KINDS_WITH_VOICEMAIL = frozenset(
    {
        DestinationKind.QUEUE,
        DestinationKind.IVR,
        DestinationKind.EXTENSION,
        DestinationKind.RING_GROUP,
        DestinationKind.CONFERENCE,
    }
)


def check_target(target: Target, path: Path, scope: Scope) -> Iterator[Problem]:
    kind = DestinationKind.VOICEMAIL if target.voicemail else target.destination
    if kind not in scope.templates:
        offered = [offered.value for offered in scope.templates]
        what = f"this system does not offer the destination `{kind.value}`"
        yield error((*path, "destination"), what, pick_one(kind.value, offered))
    yield from _check_option(target, path)
    if target.voicemail and target.destination not in KINDS_WITH_VOICEMAIL:
        what = f"a {target.destination.value} has no voicemail box; the call goes to box {target.option}"
        yield warning((*path, "voicemail"), what, 'Leave it out, or write destination = "voicemail".')
    if target.then is not None:
        yield from _check_then(target, target.then, (*path, "then"), scope)


def _check_option(target: Target, path: Path) -> Iterator[Problem]:
    kind, option = target.destination.value, target.option
    if target.destination in KINDS_WITHOUT_OPTION:
        if option:
            yield warning((*path, "option"), f"a {kind} takes no option", "Leave it out.")
    elif not option:
        yield error(path, f"it does not say which {kind}", f'Add option = "…", the name of the {kind}.')
    elif not is_option(option):
        mend = "Use letters, digits and + * # _ . @ / -, at most 64, and no two dots in a row."
        yield error((*path, "option"), f"`{option[:60]}` cannot be the name of a {kind}", mend)


def _check_then(target: Target, then: Target, path: Path, scope: Scope) -> Iterator[Problem]:
    if target.destination is not DestinationKind.PLAYBACK or target.voicemail:
        what = "the call does not come back from there, so `then` is never used"
        yield error(path, what, "Only a playback goes on: leave `then` out.")
        return
    if then.destination is DestinationKind.PLAYBACK or then.then is not None:
        what = "a playback cannot be followed by another one"
        yield error(path, what, "Join the recordings into one, or go on to another kind of destination.")
        return
    yield from check_target(then, path, scope)
