"""A trace is told in French as it is in English: every sentence, with the same places to fill in."""

import re
from collections.abc import Mapping

import pytest

from router.core.sentences import ENGLISH, ENGLISH_BRIEFS
from router.core.sentences_french import FRENCH, FRENCH_BRIEFS


@pytest.mark.parametrize(("english", "french"), [(ENGLISH, FRENCH), (ENGLISH_BRIEFS, FRENCH_BRIEFS)])
def test_french_has_every_sentence(english: Mapping[str, str], french: Mapping[str, str]) -> None:
    assert list(french) == list(english)
    assert {key: _places(text) for key, text in french.items()} == {
        key: _places(text) for key, text in english.items()
    }


def _places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))
