"""References are followed, and no message holds a secret."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from router.settings.errors import SecretMissing
from router.settings.secrets import MOST_BYTES, resolve_secret

CANARY = "canary-4711"


def test_a_text_is_the_secret() -> None:
    assert resolve_secret(CANARY, {}, "it") == CANARY


def test_a_variable_is_followed() -> None:
    assert resolve_secret({"env": "NAME"}, {"NAME": CANARY}, "it") == CANARY


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_is_followed_and_its_line_end_cut(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(f" {CANARY} {ending}".encode())

    assert resolve_secret({"file": str(path)}, {}, "it") == f" {CANARY} "


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"env": "NAME"}, "the environment variable NAME is not set"),
        ({"env": "EMPTY"}, "the environment variable EMPTY is empty"),
        ({"file": "/no/such/file"}, "the file /no/such/file cannot be read: No such file"),
        ({"file": "\0"}, "cannot be read"),
        ({"env": "NAME", "file": "/x"}, "must be a text"),
        ({"key": CANARY}, "must be a text"),
        ({"env": 5}, "must be a text"),
        (4711, "must be a text"),
        (None, "must be a text"),
        ([CANARY], "must be a text"),
    ],
)
def test_what_is_missing_is_named(value: Any, words: str) -> None:
    with pytest.raises(SecretMissing, match="acme: password of crm") as missing:
        resolve_secret(value, {"EMPTY": ""}, "acme: password of crm")

    assert words in str(missing.value)
    assert CANARY not in str(missing.value)


@pytest.mark.parametrize(
    "raw",
    [CANARY.encode() + b"\xff", b"\n", b"", CANARY.encode() * (MOST_BYTES // 4)],
    ids=["not UTF-8", "a line end", "nothing", "too long"],
)
def test_an_unusable_file_never_shows_what_it_holds(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(raw)

    with pytest.raises(SecretMissing, match="secret") as missing:
        resolve_secret({"file": str(path)}, {}, "it")

    assert CANARY not in "".join(traceback.format_exception(missing.value))
