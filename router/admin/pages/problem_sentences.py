"""What went wrong between us and a CRM, or Asterisk, told in French: the texts of workers, routers and links.

Such a text is often several in one: `search: the CRM failed (500); it said: Oops (asked 2 times)`. What can
stand around another problem is a wrapper, a template with the place `{problem}`. It is taken off from the
outside in, and what it holds is told in its turn. What is left has to be one of the whole sentences, or
several of them with `; ` between; a text that is none stays English, and so do the CRM's own words.

The texts may be anything: a CRM writes a part of them. Each pattern is RE2's, so its time is linear, each
wrapper makes the text shorter, and so deep and in so many parts alone is it taken apart.
"""

from collections.abc import Mapping
from typing import Any

import re2

from router.admin.pages.sentences import PLACE, Sentences, fill, is_readable

DEEPEST, DEEPEST_IN_PARTS = 5, 2
"""Wrappers ahead of a problem, one within the other."""
PARTS_MOST = 20
JOINT = "; "
STEP, REASON, PROBLEM = "step", "reason", "problem"
HELD = "{problem}"
AROUND, BEFORE = "{problem} ({reason})", "{step}: {problem}"
BEHIND = (
    "{problem}; the worker and the router had read different versions of the configuration",
    "{problem} (asked {count} times)",
    "{problem}, and asks to wait {count} seconds",
    "{problem}; it said: {quoted}",
    "{problem}, although it is new",
)
"""From the outside in, as `workers.asking` puts them together; each stands there once at the most, so that a
CRM's own words are not taken for another."""
PLACES: Mapping[str, str] = {
    PROBLEM: "(.+?)",
    "quoted": "(.*)",
    "count": r"(\d{1,9})",
    "seconds_spent": r"([\d.]{1,12})",
    "hours": r"([\d.]{1,12})",
    STEP: r"([A-Za-z_][A-Za-z0-9_.-]{0,39})",
    REASON: "(.+)",
}
NUMBERS = frozenset({"seconds", "seconds_spent", "hours", "connect_seconds", "write_seconds"})
"""Places of decimal numbers."""


class Problems:
    """Told by the catalogue's templates. `steps` are the names of connectors' requests."""

    def __init__(
        self, french: Mapping[str, str], phrases: Mapping[str, str], steps: Mapping[str, str]
    ) -> None:
        whole = {english: told for english, told in french.items() if HELD not in english}
        self._sentences = Sentences(whole, phrases, decimals=NUMBERS)
        self._wrappers = {english: _Wrapper(english, french[english]) for english in french.keys() - whole}
        self._ahead = [one for english, one in self._wrappers.items() if english.endswith(HELD)]
        self._steps = steps

    def told(self, text: str) -> str:
        """The French of it; what is not known in it stays as it is."""
        return (self._known(text, DEEPEST) or text) if is_readable(text) else text

    def _known(self, text: str, depth: int, behind: tuple[str, ...] = BEHIND) -> str | None:
        """None where nothing of it is known. `behind` are the wrappers that may still end it."""
        if not text or depth == 0:
            return None
        for number, english in enumerate(behind, 1):
            told = self._held(english, text, depth, behind[number:])
            if told is not None:
                return told
        return (
            self._of_a_step(text, depth)
            or self._anew(text, depth)
            or self._reasoned(text)
            or self._joined(text, depth)
            or self._sentences.known(text)
        )

    def _held(self, english: str, text: str, depth: int, behind: tuple[str, ...] = BEHIND) -> str | None:
        """With this wrapper around another problem, known or not."""
        wrapper = self._wrappers.get(english)
        values = wrapper.taken(text) if wrapper else None
        if wrapper is None or values is None:
            return None
        inner = self._known(values[PROBLEM], depth, behind)
        return wrapper.filled({**values, PROBLEM: inner or values[PROBLEM]})

    def _anew(self, text: str, depth: int) -> str | None:
        """With the words of a wrapper ahead."""
        told = (self._held(one.english, text, depth - 1) for one in self._ahead if one.english != BEFORE)
        return next(filter(None, told), None)

    def _of_a_step(self, text: str, depth: int) -> str | None:
        """Only where the rest is known: a name and a colon may begin any sentence."""
        wrapper = self._wrappers.get(BEFORE)
        values = wrapper.taken(text) if wrapper else None
        inner = self._known(values[PROBLEM], depth - 1) if values else None
        if wrapper is None or values is None or inner is None:
            return None
        return wrapper.filled({STEP: self._steps.get(values[STEP], values[STEP]), PROBLEM: inner})

    def _reasoned(self, text: str) -> str | None:
        """Where both are sentences: brackets may be a part of one."""
        wrapper = self._wrappers.get(AROUND)
        values = wrapper.taken(text) if wrapper else None
        if wrapper is None or values is None:
            return None
        problem, reason = (self._sentences.known(values[name]) for name in (PROBLEM, REASON))
        return wrapper.filled({PROBLEM: problem, REASON: reason}) if problem and reason else None

    def _joined(self, text: str, depth: int) -> str | None:
        """Where each part is known: a sentence may have the joint in it."""
        parts = text.split(JOINT)
        if not 2 <= len(parts) <= PARTS_MOST:
            return None
        known = [self._known(part, min(depth - 1, DEEPEST_IN_PARTS)) for part in parts]
        return "\N{NO-BREAK SPACE}; ".join(map(str, known)) if None not in known else None


class _Wrapper:
    def __init__(self, english: str, french: str) -> None:
        self.english, self._french = english, french
        parts = PLACE.split(english)
        self._names = parts[1::2]
        written = [PLACES[part] if at % 2 else re2.escape(part) for at, part in enumerate(parts)]
        if english.endswith(f"{{{PROBLEM}}}"):
            written[-2] = "(.+)"
        self._pattern: Any = re2.compile("(?s)" + "".join(written))

    def taken(self, text: str) -> dict[str, str] | None:
        found = self._pattern.fullmatch(text)
        return None if found is None else dict(zip(self._names, found.groups(), strict=True))

    def filled(self, values: Mapping[str, str]) -> str:
        decimal = {name: value.replace(".", ",") for name, value in values.items() if name in NUMBERS}
        return fill(self._french, {**values, **decimal})
