"""Taking a change of many numbers back, without touching what was changed since."""

from collections.abc import Iterable

from msgspec import Struct

from router.core.tenants import Number


class NumberUndo(Struct, frozen=True):
    put: tuple[Number, ...]
    """As they were before."""
    removed: tuple[str, ...]
    """DIDs that the change had added."""
    left: tuple[str, ...]
    """DIDs that were changed again since, and stay as they are."""


def undo_of(before: Iterable[Number], after: Iterable[Number], now: Iterable[Number]) -> NumberUndo:
    """What leads from `now` back to `before` for the DIDs that differ between `before` and `after`."""
    former, made, present = ({one.did: one for one in listed} for listed in (before, after, now))
    changed = [did for did in {**former, **made} if former.get(did) != made.get(did)]
    left = [did for did in changed if present.get(did) != made.get(did)]
    undone = [did for did in changed if did not in set(left)]
    return NumberUndo(
        put=tuple(former[did] for did in undone if did in former),
        removed=tuple(did for did in undone if did not in former),
        left=tuple(left),
    )
