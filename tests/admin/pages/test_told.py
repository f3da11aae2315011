"""What checks, records and workers say is told in French: all of it, with its values as they are."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as shape
import pytest
from babel.messages.pofile import read_po

from router.admin.pages.languages import PHRASE, TOLD, Language
from router.admin.pages.rendering import Pages, Reader
from router.admin.pages.sentences import PLACE
from router.admin.pages.told import difference_told, problem_told
from router.admin.site import Site
from router.ami.versions import judge
from router.core.checks.sources import MEANINGS
from router.core.destinations import DestinationKind
from router.core.differences import SINGULARS, Change, Difference
from router.core.errands import Checked, CheckedStep, StepState
from router.core.faults import MENDS, Fault, Step
from router.core.problems import Problem, error
from router.core.roles import TOLD as PERMISSIONS
from router.core.tenants import Tenant
from router.records.configuration import Configuration
from router.settings.shapes import KINDS, MISSING, PATTERNS, find_problems, name_of
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.admin.pages.told_sentences import find_sentences
from tests.core import test_check as checked
from tests.records.makers import ACME, JANE, Clock, tenant

ENGLISH, FRENCH = Language("en"), Language("fr")
HOSTILE = r"(.*)+[a-z]\1$ <script>alert(1)</script> {0} {name} {{ 7*7 }} %s &amp; “it’s”"
NOT_FOLLOWED = {
    "admin/secrets.py: str(error)": "it tells the operator of the vault's key, in SecretMissing's own words",
    "core/checks/conditions.py: why[1]": "the second of a pair, below",
    "core/checks/sources.py: f'{setting.help}'.strip() or 'Mend it.'": "a manifest's help has its own French",
    "core/checks/sources.py: setting.help or f'It must fit {setting.pattern}.'": "likewise",
    "core/number_lists.py: mend": "handed on by _refuse and _refused, whose callers are followed",
    "core/number_lists.py: what": "likewise",
    "records/configuration.py: what[:1].lower() + what[1:]": "msgspec's own words, the usual ones below",
    "settings/shapes.py: *own": "a table, below",
    "settings/shapes.py: mend or f'Write {wanted}.'": "handed on by _wrong_kind, whose callers are followed",
    "settings/shapes.py: str(refused)": "msgspec's own words, after our own had nothing to say",
}
TOLD_OTHERWISE = {
    "the {kind} {name} stands there twice": "nothing tells where the kind ends: each kind has its own below",
    "“{clean}” may mean {whole}.{part} or {whole_2}{part_2}": "likewise: its two numbers are whole places",
}
BY_HAND = {
    "the number {name} stands there twice",
    "the IVR entry {name} stands there twice",
    'Add {name} = { destination = "ivr", option = "main" }.',
    "Mend it.",
    "It must fit {pattern}.",
    "Write {wanted}.",
    'Write operator = "=".',
    "Write a number without quotes, or give the field another type.",
    'Write year, month and day: value = "2026-03-31".',
    "Write true or false.",
    "expected `float` <= {most}",
    "expected `float` >= {least}",
    "expected `int` <= {most}",
    "expected `int` >= {least}",
    "expected `str` matching regex {pattern}",
    "expected `str` of length <= {most}",
    "expected `str` of length >= {least}",
    "there is no {what}",
    "this account may not {permission}",
    "the integration {name} is used by {told} and more",
    "the rule {name} is used by {told} and more",
    "a number that nobody has was searched",
}
"""Sentences that the source does not show in one piece, or that need more words to be told apart."""
PHRASES_BY_HAND = {
    "nothing",
    "a date or time",
    "a text that fits {pattern}",
    "one of {words}",
    "{names} or {names_2}",
    *(f"{words} {{limit}}" for words in ("at least", "more than", "at most", "less than")),
    "“{clean}”",
    "“{clean}” may mean {first} or {second}",
    "yes",
    "no",
    "this value",
    "unknown",
    "IVR entry",
    "the tenant",
    "error",
    "warning",
    *(f"{words}: {{rest}}" for words in ("missing )", "missing ]", "unexpected )")),
    "no argument for repetition operator: {rest}",
    "bad repetition operator: {rest}",
    "invalid repetition size: {rest}",
    "invalid perl operator: {rest}",
    "invalid escape sequence: {rest}",
    "invalid character class range: {rest}",
    "trailing \\",
    "yes and no have no order",
}
Browsers = Callable[..., Awaitable[Browser]]


def catalogue(context: str) -> Mapping[str, str]:
    with (files("router.admin") / "locale" / "fr.po").open("rb") as file:
        read = read_po(file, locale="fr")
    return {str(one.id): str(one.string) for one in read if one.id and one.context == context}


def structs_below(type_: shape.Type) -> Iterator[shape.Type]:
    """Everything that a tenant is made of."""
    yield type_
    match type_:
        case shape.Metadata(type=inner):
            yield from structs_below(inner)
        case shape.StructType(fields=listed):
            for field in listed:
                if field.encode_name not in ("all", "any", "then"):  # they hold their own kind
                    yield from structs_below(field.type)
        case shape.VarTupleType(item_type=inner) | shape.ListType(item_type=inner):
            yield from structs_below(inner)
        case shape.DictType(value_type=inner):
            yield from structs_below(inner)
        case shape.UnionType(types=types):
            for one in types:
                yield from structs_below(one)


def words_of_places() -> set[str]:
    below = list(structs_below(shape.type_info(Tenant)))
    fields = {
        one.encode_name.replace("_", " ")
        for type_ in below
        if isinstance(type_, shape.StructType)
        for one in type_.fields
    }
    return fields | set(SINGULARS.values())


def kinds_of_unions() -> set[str]:
    found = set()
    for type_ in structs_below(shape.type_info(Tenant)):
        if isinstance(type_, shape.UnionType):
            members = [one for one in type_.types if not isinstance(one, shape.NoneType)]
            names = list(dict.fromkeys(name_of(one) for one in members))
            if KINDS[float] in names and KINDS[int] in names:
                names.remove(KINDS[int])
            if len(names) > 1:
                found.add(f"{', '.join(names[:-1])} or {names[-1]}")
    return found


def all_phrases() -> set[str]:
    return {
        *KINDS.values(),
        *PATTERNS.values(),
        *MEANINGS.values(),
        *kinds_of_unions(),
        *PERMISSIONS.values(),
        *(kind.value for kind in DestinationKind),
        *(step.value for step in Step),
        *words_of_places(),
        *PHRASES_BY_HAND,
    }


def test_every_sentence_of_the_code_is_in_the_catalogue_and_none_is_left_over() -> None:
    found = find_sentences()
    sentences, phrases = catalogue(TOLD), catalogue(PHRASE)
    missing = {text for told in MISSING.values() for text in told}
    needed = (found.templates | BY_HAND | missing | set(MENDS.values())) - TOLD_OTHERWISE.keys()

    assert sorted(found.not_followed ^ NOT_FOLLOWED.keys()) == []
    assert sorted(text for text in needed if not (sentences.get(text) or phrases.get(text))) == []
    assert sorted(set(sentences) - needed) == []


def test_every_phrase_is_in_the_catalogue_and_none_is_left_over() -> None:
    phrases = catalogue(PHRASE)

    assert sorted(text for text in all_phrases() if not phrases.get(text)) == []
    assert sorted(set(phrases) - all_phrases() - find_sentences().templates) == []


@pytest.mark.parametrize("context", [TOLD, PHRASE])
def test_the_french_has_the_places_of_the_english_and_its_own_spaces(context: str) -> None:
    told = catalogue(context)

    assert [
        text for text, french in told.items() if set(PLACE.findall(text)) != set(PLACE.findall(french))
    ] == []
    assert [french for french in told.values() if re.search(r"[ ][:;?!»](\s|$)|« |\w'\w", french)] == []


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


# On the pages


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock, tmp_path: Path) -> Site:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    return msgspec.structs.replace(site_of(configuration, store, clock), folder=tmp_path)


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Browsers]:
    async with open_browsers(site, {"anna": ("admin", ACME)}) as opened:
        yield opened


async def french_browser(browsers: Browsers) -> Browser:
    browser = await browsers("anna")
    browser.client.headers["accept-language"] = "fr"
    return browser


WRITTEN = "<b>(.*)+{0}{name}</b>"


async def test_a_number_list_is_refused_in_french(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/numbers")

    await browser.post("/t/acme/numbers/list", {"text": f'+33142345009,"{WRITTEN}"'}, 200)

    assert f"il n’y a pas de règle «\u00a0{escape(WRITTEN)}\u00a0». Permis\u00a0: `" in browser.page
    assert WRITTEN not in browser.page


async def test_a_wrong_profile_is_told_in_french_at_its_field(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/settings")

    await browser.post("/t/acme/settings", browser.fields() | {"hold_seconds": "44"}, 422)
    assert "il faut un nombre d’au plus 20.0. La documentation dit ce qui est permis." in browser.page

    await browser.post("/t/acme/settings", browser.fields() | {"country": "<B>", "hold_seconds": ""}, 422)
    assert "il faut un texte de la forme &#39;^[A-Z]{2}$&#39;" in browser.page


async def test_what_is_wrong_with_a_file_is_told_in_french(
    browsers: Browsers, configuration: Configuration, tmp_path: Path
) -> None:
    file = tmp_path / "tenants" / "acme.toml"
    file.parent.mkdir()
    file.write_text(f'"{WRITTEN}" = 1\ndefault = {{ destination = "queue", option = "a" }}\ncountry = "FR"\n')
    await configuration.manage(ACME, "files", JANE)
    browser = await french_browser(browsers)

    page = await browser.get("/t/acme/settings")

    assert f"il n’y a pas de réglage «\u00a0{escape(WRITTEN)}\u00a0» ici. Permis ici\u00a0: " in page
    assert f"{file}:1: erreur: " in page


async def test_a_publication_tells_its_changes_in_french(
    browsers: Browsers, configuration: Configuration
) -> None:
    former = tenant()
    changed = msgspec.structs.replace(former.numbers[0], note=WRITTEN)
    await configuration.apply(
        msgspec.structs.replace(former, numbers=(changed, *former.numbers[1:])), "", JANE, managed_by="page"
    )
    browser = await french_browser(browsers)

    page = await browser.get("/t/acme/settings/publications/2")

    assert f"SDA {changed.did}, note\u00a0: " in page
    assert escape(WRITTEN) in page


def fragment(template: str, **told: Any) -> str:
    reader = Reader(language=FRENCH, identity=None, csrf="", path="/")
    return Pages().fragment(template, reader, **told)


def test_a_connection_test_names_its_steps_and_mends_in_french_and_quotes_the_crm() -> None:
    passed = CheckedStep(Step.SEARCH, StepState.PASSED, "a number that nobody has was searched")
    failed = CheckedStep(
        Step.CREDENTIALS, StepState.FAILED, f"there is no rule {WRITTEN}", MENDS[Fault.RIGHTS]
    )

    page = fragment("integration-reply.html", reply=Checked((passed, failed), 2, 0.5))

    assert "un numéro que personne n’a a été recherché" in page
    assert ">identifiants</span>" in page
    assert f"there is no rule {escape(WRITTEN)}" in page  # the CRM's own words
    assert "Donnez dans le CRM à l’utilisateur" in page


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


async def test_a_rule_s_name_that_is_taken_is_told_in_french(browsers: Browsers) -> None:
    browser = await french_browser(browsers)
    await browser.get("/t/acme/routing/new")

    await browser.post("/t/acme/routing/new", browser.fields() | {"name": "Sales", "field": "status"}, 422)

    assert "il y a déjà une règle Sales" in browser.page
