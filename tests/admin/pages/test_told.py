"""What checks, records and workers say is told in French, with its values as they are."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from router.admin.pages.languages import TOLD, Language
from router.admin.pages.sentences import PLACE
from router.admin.pages.told import difference_told, problem_told
from router.ami.versions import judge
from router.core.differences import Change, Difference
from router.core.problems import Problem, error
from router.core.tenants import Tenant
from router.settings.shapes import find_problems
from tests.admin.pages.told_sentences import catalogue
from tests.core import test_check as checked

ENGLISH, FRENCH = Language("en"), Language("fr")
HOSTILE = r"(.*)+[a-z]\1$ <script>alert(1)</script> {0} {name} {{ 7*7 }} %s &amp; “it’s”"


# Real problems


def broken_tenants() -> Iterator[tuple[str, list[Problem]]]:
    for name, (text, _) in checked.MISTAKES.items():
        yield name, checked.check(text)
    for name, lines in checked.UNREACHABLE.items():
        yield name, checked.check(checked.lines_text(*lines))
    for settings in checked.SETTINGS:
        integration = f'[[integrations]]\nname = "crm"\nsettings = {{ {settings} }}\n'
        yield settings, checked.check(integration)
    for parts, outcome, _ in checked.IMPOSSIBLE:
        ending = f'outcomes = {{ {outcome} = {{ destination = "ivr", option = "x" }} }}\n'
        yield (
            outcome,
            checked.check(f'{checked.CRM}[[rules]]\nname = "r"\n{parts}\n{checked.IVR_MAIN}{ending}'),
        )
    for name, document in SHAPELESS.items():
        yield name, find_problems({"id": "acme", "country": "FR"} | document, Tenant)


GOOD = {"destination": "queue", "option": "q"}
SHAPELESS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a word too much": {"default": GOOD, "contry": "FR"},
    "no table": {"default": "queue"},
    "no list": {"default": GOOD, "rules": {"name": "r"}},
    "numbers as texts": {"default": GOOD, "hold_seconds": "6", "name": 4},
    "a country of three letters": {"default": GOOD, "country": "FRA"},
    "a destination of nobody": {"default": {"destination": "quue"}},
    "a rule of nothing": {"default": GOOD, "rules": [{}]},
    "a value of no kind": {
        "default": GOOD,
        "rules": [{"name": "r", "default": GOOD, "lines": [{"operator": "=", "value": {"a": 1}, **GOOD}]}],
    },
    "an empty greeting": {"default": GOOD, "rules": [{"name": "r", "default": GOOD, "greeting": {}}]},
    "too many digits": {
        "default": GOOD,
        "rules": [{"name": "r", "default": GOOD, "greeting": {"sound": "a b", "max_digits": 99}}],
    },
}


def values_in(text: str) -> Iterator[str]:
    """What stands in quotes, and numbers."""
    for found in re.findall(r"`([^`]*)`|“([^”]*)”|([0-9]+)", text):
        yield from filter(None, found)


def test_every_mistake_of_a_tenant_is_told_in_french_with_its_values() -> None:
    left, lost, count = set(), set(), 0
    for name, problems in broken_tenants():
        assert problems, name
        for english in (text for one in problems for text in (one.what, one.mend)):
            french = FRENCH.told(english, HELPS)
            count += 1
            if french == english:
                left.add(english)
            lost |= {f"{french}: {value}" for value in values_in(english) if value not in french}

    assert left == set()
    assert lost == set()
    assert count > 200


HELPS = {"Where the CRM answers.": "L’adresse où répond le CRM."}


# Hostile values


@pytest.mark.parametrize("template", [text for text in catalogue(TOLD) if PLACE.search(text)])
def test_values_come_through_as_they_are(template: str) -> None:
    values = {name: f"{HOSTILE}{number}" for number, name in enumerate(PLACE.findall(template))}
    english = PLACE.sub(lambda place: values[place[1]], template)

    french = FRENCH.told(english)

    assert french == PLACE.sub(lambda place: values[place[1]], catalogue(TOLD)[template])
    assert ENGLISH.told(english) == english


def test_a_sentence_that_can_be_read_in_two_ways_stays_english() -> None:
    torn = "`name` cannot be `a` cannot be `b`"

    assert FRENCH.told(torn) == torn


@pytest.mark.parametrize(
    "unknown", ["", "the moon is full", "HTTP 500: <b>there is no rule</b>", "x" * 100_000]
)
def test_an_unknown_sentence_stays_as_it_is(unknown: str) -> None:
    assert FRENCH.told(unknown) == unknown


def test_a_name_that_is_a_phrase_of_ours_stays_a_name() -> None:
    assert FRENCH.told("there is no rule `a list`") == "il n’y a pas de règle «\u00a0a list\u00a0»"
    assert FRENCH.told("the rule queue is used by publish") == "la règle queue est utilisée par publish"


def test_a_mend_quotes_the_manifest_s_help_in_french() -> None:
    manifest = msgspec.structs.replace(
        checked.CUSTOM,
        settings=(
            msgspec.structs.replace(checked.CUSTOM.settings[0], help_fr="L’adresse où répond le CRM."),
        ),
    )
    problem = error((), "the connector `custom` needs `url`", "Add it. Where the CRM answers.")

    assert problem_told(problem, FRENCH, [manifest]) == (
        "le connecteur «\u00a0custom\u00a0» demande «\u00a0url\u00a0». "
        "Ajoutez-le. L’adresse où répond le CRM."
    )


@pytest.mark.parametrize(
    ("difference", "french"),
    [
        (
            Difference(Change.CHANGED, ("rules", "value", "lines", "2", "value"), "a {after}", HOSTILE),
            f"règle value, ligne 2, valeur\u00a0: a {{after}} → {HOSTILE}",
        ),
        (Difference(Change.ADDED, ("numbers", "+33142345001")), "SDA +33142345001\u00a0: ajout"),
        (
            Difference(Change.REMOVED, ("rules", "A", "greeting", "sound"), "hi"),
            "règle A, accueil, enregistrement\u00a0: retrait (était hi)",
        ),
        (
            Difference(Change.MOVED, ("ivr_entries", "e"), "1", "3"),
            "entrée de SVI e\u00a0: déplacement du rang 1 au rang 3",
        ),
        (
            Difference(Change.ADDED, ("integrations", "crm", "settings", "name"), after="x"),
            "intégration crm, réglages, name\u00a0: x",
        ),
    ],
)
def test_differences_are_told_place_by_place(difference: Difference, french: str) -> None:
    assert difference_told(difference, FRENCH) == french
    assert difference_told(difference, ENGLISH) == str(difference)


@pytest.mark.parametrize("version", ["", "GIT-<22>", "18.1.0", "21.3.0", "certified/20.7-cert3"])
def test_a_warning_of_an_asterisk_version_is_french(version: str) -> None:
    english = judge(version).warning

    french = FRENCH.told(english)

    assert "utilisez 20.20.1" in french
    assert version[:6] in french or version.startswith("21")
    assert "unknown" not in french


@pytest.mark.parametrize("pattern", ["(", "[", "*a", "(?=a)", r"\1", "a**", ")", "a{9999}", "[b-a]", "a\\"])
def test_why_a_pattern_cannot_be_used_is_french(pattern: str) -> None:
    told = checked.check(checked.lines_text(f"operator = \"matches\", value = '{pattern}'"))[0].what

    reason = FRENCH.told(told).removeprefix("le motif est inutilisable\u00a0: ")

    assert reason != FRENCH.told(told)
    assert reason not in told


@pytest.mark.parametrize("text", ["1,234", "ten", "1.2,3", "1 0 0"])
def test_why_a_value_is_no_number_is_french(text: str) -> None:
    line = f'operator = ">", value = "{text}", type = "number"'
    told = checked.check(checked.lines_text(line))[0].what

    french = FRENCH.told(told)

    assert french.startswith(f"le test ne se vérifie jamais\u00a0: «\u00a0{text}\u00a0» ")
    assert " may mean " not in french
    assert " is " not in french
