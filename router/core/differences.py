"""What differs between two configurations of a tenant, or two versions of a rule, place by place.

Things with a name are compared by it, so that moving a number or a rule is told as moving and not as a change
of everything behind it. Lines have no name: they are compared in their order. What might be a secret is never
told, only that it changed.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from router.core.display import one_line
from router.core.secret_names import SECRET_TABLES, is_reference, is_secret_name

IDENTITIES = {"numbers": "did", "ivr_entries": "name", "integrations": "name", "rules": "name"}
"""The lists whose members have a name, and what it is called."""
HIDDEN = "(hidden)"
Place = tuple[str, ...]


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


class Difference(Struct, frozen=True, omit_defaults=True):
    """`place` reads from the outside in: `("rules", "Sales", "lines", "2", "value")`."""

    change: Change
    place: Place
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        where = place_text(self.place)
        match self.change:
            case Change.ADDED:
                return f"{where}: {self.after or 'added'}"
            case Change.REMOVED:
                return f"{where}: removed" + (f" (was {self.before})" if self.before else "")
            case Change.MOVED:
                return f"{where}: moved from {self.before} to {self.after}"
            case _:
                return f"{where}: {self.before} → {self.after}"


class Wording:
    """What values are called. In English, as they are written; a page may have its own."""

    hidden = HIDDEN

    def key(self, place: Place) -> str:
        """A name in a table that came or went as a whole."""
        return place[-1]

    def value(self, place: Place, value: object) -> str:  # noqa: ARG002  # a page needs it
        """A text, a number, a truth or nothing."""
        return ("yes" if value else "no") if isinstance(value, bool) else str(value)


AS_WRITTEN = Wording()


def differences(
    before: Struct | Mapping[str, Any] | None,
    after: Struct | Mapping[str, Any] | None,
    wording: Wording = AS_WRITTEN,
) -> list[Difference]:
    """Empty when, and only when, the two are equal."""
    return list(_walk(_plain(before), _plain(after), (), wording))


def without_secrets(value: Any) -> Any:
    """A copy as plain data, with what might be a secret hidden."""
    plain = msgspec.json.decode(msgspec.json.encode(value))
    return _masked(plain, ())


def _masked(value: Any, place: Place) -> Any:
    if value and _is_secret(place, value):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _masked(item, (*place, key)) for key, item in value.items()}
    return [_masked(item, place) for item in value] if isinstance(value, list) else value


def place_text(place: Place) -> str:
    """`rule Sales, line 2, value`."""
    parts: list[str] = []
    left = list(place)
    while left:
        head = left.pop(0)
        singular = SINGULARS.get(head)
        if singular and left:
            parts.append(f"{singular} {left.pop(0)}")
        else:
            parts.append(head.replace("_", " "))
    return ", ".join(parts) or "the tenant"


SINGULARS = {
    "numbers": "number",
    "ivr_entries": "IVR entry",
    "integrations": "integration",
    "rules": "rule",
    "lines": "line",
    "all": "condition",
    "any": "alternative",
    "outcomes": "outcome",
}


def _plain(value: Struct | Mapping[str, Any] | None) -> Any:
    return None if value is None else msgspec.json.decode(msgspec.json.encode(value))


def _walk(before: Any, after: Any, place: Place, wording: Wording) -> Iterator[Difference]:
    if _same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict) and not _is_secret(place, before, after):
        for key in dict.fromkeys((*before, *after)):
            yield from _walk(before.get(key), after.get(key), (*place, key), wording)
    elif place and place[-1] in IDENTITIES and _are_lists(before, after):
        yield from _walk_named(before or [], after or [], place, wording)
    elif _are_lists(before, after) and any(
        isinstance(one, dict) for one in (*(before or ()), *(after or ()))
    ):
        yield from _walk_ordered(before or [], after or [], place, wording)
    elif before is None:
        yield Difference(Change.ADDED, place, after=_shown(after, place, wording))
    elif after is None:
        yield Difference(Change.REMOVED, place, before=_shown(before, place, wording))
    else:
        yield Difference(Change.CHANGED, place, _shown(before, place, wording), _shown(after, place, wording))


def _walk_named(before: list[Any], after: list[Any], place: Place, wording: Wording) -> Iterator[Difference]:
    key = IDENTITIES[place[-1]]
    old, new = _by_name(before, key), _by_name(after, key)
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Difference(Change.REMOVED, (*place, name))
        elif name not in old:
            yield Difference(Change.ADDED, (*place, name))
        else:
            yield from _walk(old[name], new[name], (*place, name), wording)
    kept_before = [name for name in old if name in new]
    kept_after = [name for name in new if name in old]
    if kept_before != kept_after:
        for name in _moved(kept_before, kept_after):
            places = str(list(old).index(name) + 1), str(list(new).index(name) + 1)
            yield Difference(Change.MOVED, (*place, name), *places)


def _walk_ordered(
    before: list[Any], after: list[Any], place: Place, wording: Wording
) -> Iterator[Difference]:
    for number in range(max(len(before), len(after))):
        old = before[number] if number < len(before) else None
        new = after[number] if number < len(after) else None
        yield from _walk(old, new, (*place, str(number + 1)), wording)


def _by_name(listed: list[Any], key: str) -> dict[str, Any]:
    """Of two with one name the last counts, as for a call; the first keeps a name of its own."""
    named: dict[str, Any] = {}
    for number, one in enumerate(listed, 1):
        name = str(one.get(key, number))
        named[f"{name} (number {number})" if name in named else name] = one
    return named


def _moved(before: list[str], after: list[str]) -> list[str]:
    """The fewest names that must move, the others keeping their order: all outside a longest rising run."""
    rank = {name: number for number, name in enumerate(after)}
    ends: list[int] = []  # of the best run of each length, the rank that it ends with
    names: list[str] = []
    former: dict[str, str | None] = {}
    for name in before:
        length = bisect_left(ends, rank[name])
        ends[length : length + 1] = [rank[name]]
        names[length : length + 1] = [name]
        former[name] = names[length - 1] if length else None
    stays: set[str] = set()
    last = names[-1] if names else None
    while last is not None:
        stays.add(last)
        last = former[last]
    return [name for name in before if name not in stays]


def _same(before: Any, after: Any) -> bool:
    """True, 1 and 1.0 are three values."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return type(before) is type(after) and bool(before == after)


def _are_lists(before: Any, after: Any) -> bool:
    return all(isinstance(one, list) or one is None for one in (before, after))


def _is_secret(place: Place, *values: Any) -> bool:
    is_named = bool(place) and (is_secret_name(place[-1]) or not SECRET_TABLES.isdisjoint(place[-2:-1]))
    return is_named or any(map(is_reference, values))


def _shown(value: Any, place: Place, wording: Wording) -> str:
    if _is_secret(place, value):
        return wording.hidden
    match value:
        case dict():
            parts = ((item, (*place, str(key))) for key, item in value.items())
            told = ", ".join(f"{wording.key(at)} {_shown(item, at, wording)}" for item, at in parts)
        case list():
            told = ", ".join(_shown(item, place, wording) for item in value)
        case _:
            told = wording.value(place, value)
    return one_line(told)
