"""Targets in a language's words: each kind has one, and what is no target stays as it is."""

import pytest

from router.core.destinations import DestinationKind, Target
from router.core.target_words import ENGLISH, FRENCH, told_target


@pytest.mark.parametrize("kind", DestinationKind)
@pytest.mark.parametrize("voicemail", [False, True])
def test_english_says_what_the_target_says(kind: DestinationKind, voicemail: bool) -> None:
    target = str(Target(kind, "gold", voicemail))

    assert told_target(target, ENGLISH) == target


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("queue gold", "file d’attente gold"),
        ("voicemail of extension 200", "messagerie vocale de poste 200"),
        ("hangup", "raccrocher"),
        ("route-queue/gold/1", "route-queue/gold/1"),
        ("queue", "file d’attente"),
        ("", ""),
        ("queue {0} {target}", "file d’attente {0} {target}"),
    ],
)
def test_french_says_it_in_french(target: str, told: str) -> None:
    assert told_target(target, FRENCH) == told


def test_every_kind_has_a_word_in_both() -> None:
    assert set(ENGLISH) == set(FRENCH)
    assert {f"target_{kind}" for kind in DestinationKind} < set(FRENCH)
