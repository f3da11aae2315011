"""What checks, records and comparisons say, in the reader's language, as the pages show it."""

from collections.abc import Iterable, Mapping

from router.admin.pages.languages import Language
from router.core.differences import HIDDEN, SINGULARS, Change, Difference, Place, Wording
from router.core.errands import ErrandFailed
from router.core.manifests import Manifest
from router.core.problems import Problem, path_text
from router.settings.errors import FileProblem

ADDED, ADDED_AS = "{place}: added", "{place}: {after}"
REMOVED, REMOVED_WAS = "{place}: removed", "{place}: removed (was {before})"
MOVED, CHANGED = "{place}: moved from {before} to {after}", "{place}: {before} → {after}"
DIFFERENCES: Mapping[Change, tuple[str, str]] = {
    Change.ADDED: (ADDED, ADDED_AS),
    Change.REMOVED: (REMOVED, REMOVED_WAS),
    Change.MOVED: (MOVED, MOVED),
    Change.CHANGED: (CHANGED, CHANGED),
}
"""Without, and with, what there was or is."""
OWN_NAMES = frozenset({"custom", "settings"})
"""Tables whose keys are a connector's own names."""


def problem_told(problem: Problem, language: Language, manifests: Iterable[Manifest] = ()) -> str:
    """What is wrong, and how to mend it. `manifests`: connectors whose settings' helps it may quote."""
    helps = helps_of(manifests)
    return f"{language.told(problem.what, helps)}. {language.told(problem.mend, helps)}"


def file_problem_told(found: FileProblem, language: Language) -> str:
    """With its file and line, as a compiler says it."""
    problem = found.problem
    place = found.file if found.line is None else f"{found.file}:{found.line}"
    path = f"{path_text(problem.path)}: " if problem.path else ""
    return f"{place}: {language.phrase(problem.level)}: {path}{problem_told(problem, language)}"


def refusal_told(refused: Exception, language: Language) -> str:
    """What the records, or the rights, refuse."""
    return language.told(str(refused))


def failure_told(failed: ErrandFailed, language: Language) -> str:
    """What a worker could not do, and what may mend it."""
    return f"{language.problem(failed.problem)}. {language.told(failed.mend)}".strip()


def helps_of(manifests: Iterable[Manifest]) -> Mapping[str, str]:
    """The settings' helps in French by the English ones."""
    listed = (setting for manifest in manifests for setting in manifest.settings)
    return {one.help: one.help_fr for one in listed if one.help and one.help_fr}


class WordingOf(Wording):
    """A language's own words. Texts stay as they are, but for those of the code's own lists."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.hidden = language.phrase(HIDDEN)

    def key(self, place: Place) -> str:
        head = super().key(place)
        return head if not OWN_NAMES.isdisjoint(place[:-1]) else self._language.phrase(head.replace("_", " "))

    def value(self, place: Place, value: object) -> str:
        told = super().value(place, value)
        is_kind = place[-1:] == ("destination",) and OWN_NAMES.isdisjoint(place)
        return self._language.phrase(told) if is_kind or isinstance(value, bool) else told


def difference_told(difference: Difference, language: Language) -> str:
    template = DIFFERENCES[difference.change][bool(difference.before or difference.after)]
    place = place_told(difference.place, language)
    return language.filled(template, place=place, before=difference.before, after=difference.after)


def place_told(place: Place, language: Language) -> str:
    """`rule Sales, line 2, value`: names that somebody gave, and a connector's own, stay as they are."""
    parts: list[str] = []
    left = list(place)
    is_own = False
    while left:
        head = left.pop(0)
        word = head.replace("_", " ")
        singular = SINGULARS.get(head)
        if singular and left and not is_own:
            parts.append(f"{language.phrase(singular)} {left.pop(0)}")
        else:
            parts.append(word if is_own else language.phrase(word))
        is_own = is_own or head in OWN_NAMES
    return ", ".join(parts) or language.phrase("the tenant")
