"""The page's two languages: English is in the templates, French in a catalogue that a test keeps complete.

The catalogue is read as it is written (`locale/fr.po`); there is nothing to build.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from babel.dates import format_datetime, format_timedelta
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from router.admin.pages.problem_sentences import Problems
from router.admin.pages.sentences import Sentences, fill
from router.core.manifests import Manifest
from router.core.sentences import ENGLISH as ENGLISH_SENTENCES
from router.core.sentences import ENGLISH_BRIEFS
from router.core.sentences_french import FRENCH as FRENCH_SENTENCES
from router.core.sentences_french import FRENCH_BRIEFS
from router.core.target_words import told_target

ENGLISH, FRENCH = "en", "fr"
PAGE, TOLD, PHRASE = "", "told", "phrase"
"""The catalogue's contexts: pages' own texts, sentences of code that knows no language, phrases in those."""
PROBLEM, STEP = "problem", "step"
"""What workers, routers and links tell went wrong, and the requests of connectors that it happened in."""
RECORD = "record"
"""What the records write themselves: what was done, and why a publication was made."""
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", FRENCH: "Français"}
NOTHING: Mapping[str, str] = MappingProxyType({})


class Language:
    """One of them: its texts, its way to write moments and numbers."""

    def __init__(self, code: str) -> None:
        self.code = code if code in LANGUAGES else ENGLISH
        self._texts = _catalogue(self.code)[PAGE]
        self._sentences = _sentences(self.code)
        self._problems = _problems(self.code)
        self._records = _records(self.code)

    @property
    def is_french(self) -> bool:
        return self.code == FRENCH

    def text(self, english: str, **values: object) -> str:
        """The text in this language, with its `{places}` filled in."""
        told = self._texts.get(english, english)
        return told.format(**values) if values else told

    def told(self, sentence: str, more: Mapping[str, str] = NOTHING) -> str:
        """A finished English sentence of a check, the records or a worker, as far as it is known. `more` are
        sentences known here alone, with their translations."""
        return self._sentences.told(sentence, more)

    def phrase(self, phrase: str) -> str:
        """A word or two of such a sentence."""
        return self._sentences.phrase(phrase, NOTHING)

    def problem(self, problem: str) -> str:
        """What a worker, a router or a link tells went wrong. A CRM's own words in it stay as they are."""
        return self._problems.told(problem)

    def recorded(self, sentence: str) -> str:
        """A line of the audit, or a publication's comment; what somebody wrote stays as it is."""
        return self._records.told(sentence, NOTHING)

    def filled(self, template: str, **values: str) -> str:
        """As `text`, for values that somebody else wrote: braces in them are nothing but braces."""
        return fill(self._texts.get(template, template), values)

    def counted(self, count: int, one: str, many: str, **values: object) -> str:
        """`{count}` in the text stands for the number. French takes the singular for none, too."""
        is_one = count == 1 or (count == 0 and self.code == FRENCH)
        return self.text(one if is_one else many, count=self.number(count), **values)

    def target(self, target: str) -> str:
        """A decision's target, as a sentence names it."""
        return told_target(target, self.sentences)

    def crm_name(self, manifest: Manifest) -> str:
        """What a connector's CRM is called."""
        return (manifest.label_fr if self.is_french else "") or manifest.label or manifest.slug

    @property
    def sentences(self) -> Mapping[str, str]:
        """Those of a trace."""
        return FRENCH_SENTENCES if self.code == FRENCH else ENGLISH_SENTENCES

    @property
    def briefs(self) -> Mapping[str, str]:
        return FRENCH_BRIEFS if self.code == FRENCH else ENGLISH_BRIEFS

    def labels(self, told: Mapping[Any, str]) -> list[tuple[str, str]]:
        """Options of a choice; the keys are enums or texts."""
        return [(str(key), self.text(label)) for key, label in told.items()]

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.code)

    def moment(self, at: datetime, zone: tzinfo, form: str = "medium") -> str:
        return format_datetime(at.astimezone(zone), form, locale=self.code)

    def ago(self, at: datetime, now: datetime) -> str:
        """`3 hours ago`."""
        return format_timedelta(at - now, add_direction=True, locale=self.code, threshold=1.2)


def chosen(own: str | None, accepted: str) -> Language:
    """The user's own language, else the first of the browser's that there is."""
    if own in LANGUAGES:
        return Language(own or ENGLISH)
    for part in accepted[:200].split(","):
        code = part.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return Language(code)
    return Language(ENGLISH)


@cache
def _sentences(code: str) -> Sentences:
    catalogue = _catalogue(code)
    return Sentences(catalogue[TOLD], catalogue[PHRASE])


@cache
def _records(code: str) -> Sentences:
    return Sentences(_catalogue(code)[RECORD], NOTHING)


@cache
def _problems(code: str) -> Problems:
    catalogue = _catalogue(code)
    return Problems(catalogue[PROBLEM], catalogue[PHRASE], catalogue[STEP])


@cache
def _catalogue(code: str) -> Mapping[str, Mapping[str, str]]:
    """The texts of each context by their English."""
    texts: dict[str, dict[str, str]] = {PAGE: {}, TOLD: {}, PHRASE: {}, PROBLEM: {}, STEP: {}, RECORD: {}}
    if code == ENGLISH:
        return texts
    with (files("router.admin") / "locale" / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    for one in catalogue:
        if one.id and one.string:
            texts[one.context or PAGE][str(one.id)] = str(one.string)
    return texts
