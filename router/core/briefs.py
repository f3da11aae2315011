"""A decision in one sentence: where the call went, and why. A finished call takes it into the CRM.

`router.core.explain` tells the whole of it. Pure: the words are in `router.core.sentences`.
"""

from collections.abc import Mapping

from router.core.decisions import Decision, Ending, LineTrace, TestTrace, Verdict
from router.core.display import one_line
from router.core.rules import OPERATORS_WITHOUT_VALUE
from router.core.sentences import ENGLISH_BRIEFS
from router.core.target_words import told_target

MOST_CHARACTERS = 300


def brief(decision: Decision, sentences: Mapping[str, str] = ENGLISH_BRIEFS) -> str:
    """Such as `Queue gold, because line 2 holds: status = GOLD.`"""
    told = f"{_chosen(decision, sentences)}{_otherwise(decision, sentences)}"
    return one_line(f"{told[:1].upper()}{told[1:].rstrip('.')}", MOST_CHARACTERS - 1) + "."


def _chosen(decision: Decision, sentences: Mapping[str, str]) -> str:
    target = told_target(decision.asked_target, sentences)
    if decision.asked_why == "greeting":
        return sentences["greeting"]
    if not decision.asked_target:
        return sentences["undecided"]
    kind, _, rest = decision.asked_why.partition(" ")
    if kind == "line":
        return sentences["line"].format(target=target, number=rest, tests=_tests(decision, sentences))
    because = sentences.get(f"because_{decision.outcome}", "")
    if kind == "outcome" and because:
        return sentences["outcome"].format(target=target, because=because)
    return sentences["default_because" if because else "default"].format(target=target, because=because)


def _tests(decision: Decision, sentences: Mapping[str, str]) -> str:
    line = next((line for line in decision.lines if line.number == decision.line_held), None)
    if line is None:
        return ""
    joint = sentences["or" if line.join == "any" else "and"]
    return joint.join(_test(test) for test in _told(line))


def _told(line: LineTrace) -> list[TestTrace]:
    return [test for test in line.tests if test.verdict is Verdict.HELD]


def _test(test: TestTrace) -> str:
    right = "" if test.operator in OPERATORS_WITHOUT_VALUE else f" {test.right}"
    return f"{test.left_name} {test.operator}{right}"


def _otherwise(decision: Decision, sentences: Mapping[str, str]) -> str:
    """What became of it, where the call did not simply go there."""
    match decision.ending:
        case Ending.ABANDONED:
            return sentences["abandoned"]
        case Ending.DEFAULTED:
            because = sentences.get(f"defaulted_{decision.defaulted_why}", "")
            return sentences["defaulted"].format(place=decision.reached_place, because=because)
        case Ending.VANISHED | Ending.UNCONFIRMED:
            return sentences["unconfirmed"]
        case Ending.TAKEN | Ending.REHEARSED:
            return ""
