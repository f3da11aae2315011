"""Finished English sentences told in French: those of checks and records, which know no language.

The catalogue has them as templates, `there is no rule {name}`: every `{word}` is a place, all else stands as
it is. A sentence is matched against the templates, the one with the most words of its own first, and the
French one is filled with what stood in the places. A sentence that fits none stays English, and so does one
that fits in two ways, because a name in it has the template's own words: a value is never torn apart.

There are two kinds: whole sentences, and phrases, which are told anew only in the places that hold a phrase
(`it must be {wanted}, not {kind}`). A name that somebody gave is no phrase, whatever it says.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import re2

PLACE = re.compile(r"\{(\w+)\}")
PHRASE_PLACES = frozenset(
    {
        *("described", "destination", "help", "kind", "limit", "meaning", "meanings", "meant", "names"),
        *("names_2", "permission", "reason", "shown", "type", "wanted", "what", "why"),
    }
)
"""Places that hold words of the code's own, unless they stand in quotes."""
SENTENCE_MOST = 2_000
"""Longer sentences stay as they are; none of ours comes near."""
HALVES = re.compile("[\ud800-\udfff]")
"""Half a character, as JSON can write one: RE2 takes no text with it."""


class Sentences:
    """Sentences and phrases by their English templates."""

    def __init__(
        self,
        sentences: Mapping[str, str],
        phrases: Mapping[str, str],
        *,
        decimals: frozenset[str] = frozenset(),
    ) -> None:
        """`decimals`: the places that hold a number with a point."""
        self._sentences = _Templates(sentences)
        self._phrases = _Templates(phrases)
        self._decimals = decimals

    def told(self, sentence: str, more: Mapping[str, str]) -> str:
        """The French of it, or itself. `more` are phrases known here alone, such as settings' own helps."""
        return more.get(sentence) or self._told(self._sentences, sentence, more) or sentence

    def known(self, sentence: str) -> str | None:
        """The French of it. None for one that fits no template, or one in two ways."""
        return self._told(self._sentences, sentence, {})

    def phrase(self, phrase: str, more: Mapping[str, str]) -> str:
        return more.get(phrase) or self._told(self._phrases, phrase, more) or phrase

    def _told(self, templates: "_Templates", text: str, more: Mapping[str, str]) -> str | None:
        if text in templates.french:
            return templates.french[text]
        template, values = templates.matching(text)
        if template is None:
            return None
        told = {name: self._value(template, name, value, more) for name, value in values.items()}
        return fill(templates.french[template.english], told)

    def _value(self, template: "_Template", name: str, value: str, more: Mapping[str, str]) -> str:
        if name in self._decimals:
            return value.replace(".", ",")
        return self.phrase(value, more) if name in template.phrases else value


class _Template:
    def __init__(self, english: str) -> None:
        self.english = english
        parts = PLACE.split(english)
        self.literals, self.names = parts[::2], parts[1::2]
        self.phrases = frozenset(
            name
            for before, name in zip(self.literals, self.names, strict=False)
            if name in PHRASE_PLACES and not before.endswith(("`", '"'))
        )

    @property
    def own_characters(self) -> int:
        return sum(map(len, self.literals))

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in its places. None where it does not fit, or fits in two ways."""
        if not all(literal in text for literal in self.literals):
            return None
        shortest, longest = (pattern.fullmatch(text) for pattern in self._patterns)
        if shortest is None or shortest.groups() != longest.groups():
            return None
        return dict(zip(self.names, shortest.groups(), strict=True))

    @cached_property
    def _patterns(self) -> tuple[Any, Any]:
        """With the first places as short, and as long, as can be. RE2 takes linear time whatever the text."""
        literals = [re2.escape(literal) for literal in self.literals]
        return re2.compile("(?s)" + "(.*?)".join(literals)), re2.compile("(?s)" + "(.*)".join(literals))


class _Templates:
    def __init__(self, french: Mapping[str, str]) -> None:
        self.french = french
        with_places = (_Template(english) for english in french if PLACE.search(english))
        self._by_length = sorted(with_places, key=lambda one: one.own_characters, reverse=True)

    def matching(self, text: str) -> tuple[_Template | None, dict[str, str]]:
        if is_readable(text):
            for template, values in self._all(text):
                return template, values
        return None, {}

    def _all(self, text: str) -> Iterator[tuple[_Template, dict[str, str]]]:
        for template in self._by_length:
            values = template.values(text)
            if values is not None:
                yield template, values


def is_readable(text: str) -> bool:
    """Whether it can be matched: whatever else it is, it stays as it is."""
    return len(text) <= SENTENCE_MOST and HALVES.search(text) is None


def fill(template: str, values: Mapping[str, str]) -> str:
    """Its places with the values as they are: braces in them are nothing but braces."""
    return PLACE.sub(lambda place: values.get(place[1], place[0]), template)
