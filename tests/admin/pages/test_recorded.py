"""What the records write themselves is French on French pages: the audit's deeds, and comments."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from router.admin.pages.languages import FRENCH, Language
from tests.admin.pages.told_sentences import catalogue

PLACE = re.compile(r"\{[^{}]*\}")
SOURCES = sorted(
    path for part in ("records", "admin", "cli") for path in (Path(str(files("router"))) / part).rglob("*.py")
)
DEEDS = (
    re.compile(r'Deed\(\s*action="(?P<action>[^"]+)", kind="(?P<kind>[^"]+)"'),
    re.compile(r'change\.note\("(?P<action>[^"]+)", "(?P<kind>[^"]+)"'),
    re.compile(r'self\._note\([^"\n]*"(?P<action>[^"]+)"'),
)
COMMENTS = re.compile(
    r'(?:_put_in_force\(change, |comment or |comment(?:, actor)? = (?:comment or )?)f?"([^"]+)"'
)
BY_HAND = {"create number {name}", "number {did}", "number {did} removed", "refused sign in user"}
"""Written in more than one piece."""


def deeds() -> Iterator[str]:
    for path in SOURCES:
        for pattern in DEEDS:
            for found in pattern.finditer(path.read_text()):
                yield f"{found['action']} {found.groupdict().get('kind') or 'user'}"


def comments() -> Iterator[str]:
    for path in SOURCES:
        yield from COMMENTS.findall(path.read_text())


def shape(template: str) -> str:
    return PLACE.sub("{}", template)


def test_every_deed_and_comment_is_in_the_catalogue_and_none_is_left_over() -> None:
    known = {shape(english) for english in catalogue("record")}
    wanted = {shape(text) for text in {*deeds(), *comments(), *BY_HAND}}

    assert {text for text in wanted if text not in known and f"{text} {{}}" not in known} == set()
    assert {text for text in known if text not in wanted and text.removesuffix(" {}") not in wanted} == set()


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("publish rule Loyalty", "publication de la règle Loyalty"),
        ("remove IVR entry main", "retrait de l’entrée de SVI main"),
        ("rule {x} published", "publication de la règle {x}"),
        ("everybody else to the desk", "everybody else to the desk"),
    ],
)
def test_it_is_told_in_french_and_what_somebody_wrote_stays(english: str, french: str) -> None:
    assert Language(FRENCH).recorded(english) == french
    assert Language("en").recorded(english) == english
