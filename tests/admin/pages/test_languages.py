"""Every text of the pages is there in French, with the same places to fill in."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from router.admin.pages import labels
from router.admin.pages.account import TEXTS as ACCOUNT_TEXTS
from router.admin.pages.account_tokens import NAME, TENANT
from router.admin.pages.crm_sign_in import NO_WORKER, REFUSALS, REFUSED
from router.admin.pages.integration_pages import TEXTS as INTEGRATION_TEXTS
from router.admin.pages.languages import Language, chosen
from router.admin.pages.routes import BROKEN, TEXTS
from router.admin.pages.rule_form import PROBLEMS
from router.admin.pages.single_sign_on import TEXTS as SINGLE_TEXTS
from router.admin.pages.told import DIFFERENCES
from router.admin.pages.users import TEXTS as USER_TEXTS

SIGN_INS = {*REFUSALS.values(), REFUSED, NO_WORKER}
ADMIN = Path(str(files("router.admin")))


def texts_of_templates() -> Iterator[str]:
    for path in sorted((ADMIN / "templates").glob("*.html")):
        with path.open("rb") as file:
            for _, _, told, _ in babel_extract(file, ("_",), (), {}):
                first = told[0] if isinstance(told, tuple) else told
                if first:
                    yield first


def counted_in(path: Path) -> Iterator[str]:
    for pair in re.findall(r'counted\(.*?, ("[^"]+"), ("[^"]+")[,)]', path.read_text()):
        yield from (one.strip('"') for one in pair)


def texts_of_code() -> Iterator[str]:
    keywords = {"text": (1,), "counted": (2, 3)}
    for _, _, told, _, _ in extract_from_dir(str(ADMIN / "pages"), [("**.py", "python")], keywords=keywords):
        yield from ([told] if isinstance(told, str) else told)


def all_texts() -> set[str]:
    counted = {text for path in (ADMIN / "templates").glob("*.html") for text in counted_in(path)}
    known = {
        *labels.ALL,
        *TEXTS.values(),
        BROKEN,
        NAME,
        TENANT,
        *ACCOUNT_TEXTS,
        *SINGLE_TEXTS,
        *USER_TEXTS,
        *INTEGRATION_TEXTS,
        *PROBLEMS,
        *SIGN_INS,
        *(text for texts in DIFFERENCES.values() for text in texts),
    }
    return {text for text in {*texts_of_templates(), *texts_of_code(), *counted, *known} if text}


def french() -> dict[str, str]:
    with (ADMIN / "locale" / "fr.po").open("rb") as file:
        return {
            str(one.id): str(one.string) for one in read_po(file, locale="fr") if one.id and not one.context
        }


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_every_text_is_translated_and_none_is_left_over() -> None:
    known, translated = all_texts(), french()

    assert sorted(known - {text for text, told in translated.items() if told}) == []
    assert sorted(set(translated) - known) == []


def test_a_translation_has_the_places_of_its_text() -> None:
    wrong = [text for text, told in french().items() if places(text) != places(told)]

    assert wrong == []


@pytest.mark.parametrize(
    ("own", "accepted", "code"),
    [
        (None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, "de,en-GB;q=0.7", "en"),
        (None, "", "en"),
        ("fr", "en", "fr"),
        ("xx", "fr", "fr"),
    ],
)
def test_the_language_is_the_reader_s(own: str | None, accepted: str, code: str) -> None:
    assert chosen(own, accepted).code == code


def test_french_counts_none_as_one() -> None:
    assert (
        Language("fr").counted(0, "Take {count} change", "Take {count} changes") == "Prendre 0 modification"
    )
    assert Language("fr").counted(1234, "Take {count} change", "Take {count} changes") == (
        "Prendre 1\u202f234 modifications"
    )
