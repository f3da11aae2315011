"""What is sealed opens in its own place only, with a key of the ring only."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings.vault import Unsealable, Vault, read_or_make_key

OLD, NEW = "an old key of the tests, long enough", "a new key of the tests, long enough"


@given(st.binary(max_size=500), st.text(max_size=60))
def test_what_was_sealed_is_unsealed_in_its_place(plain: bytes, place: str) -> None:
    vault = Vault([OLD])

    assert vault.unseal(vault.seal(plain, place), place) == plain


@given(st.text(max_size=40), st.text(max_size=40))
def test_it_does_not_open_in_another_place(place: str, other: str) -> None:
    vault = Vault([OLD])

    if place != other:
        with pytest.raises(Unsealable, match="another tenant"):
            vault.unseal(vault.seal(b"token", place), other)


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(at: int, by: int) -> None:
    vault = Vault([OLD])
    sealed = bytearray(vault.seal(b"the token that a CRM gave us", "acme|crm"))
    sealed[at % len(sealed)] ^= by

    with pytest.raises(Unsealable):
        vault.unseal(bytes(sealed), "acme|crm")


@pytest.mark.parametrize("raw", [b"", b"1", b"x" * 100, b"1" + b"k" * 20 + b"n" * 12])
def test_what_was_never_sealed(raw: bytes) -> None:
    with pytest.raises(Unsealable):
        Vault([OLD]).unseal(raw, "acme|crm")


def test_nothing_of_the_plain_text_shows() -> None:
    vault = Vault([OLD])
    sealed = vault.seal(b"canary-token", "acme|crm")

    assert b"canary" not in sealed
    assert OLD not in f"{vault!r} {vars(vault)}"
    assert sealed != vault.seal(b"canary-token", "acme|crm"), "a nonce of its own each time"


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    sealed = Vault([OLD]).seal(b"token", "acme|crm")
    rotated = Vault([NEW, OLD])

    assert rotated.unseal(sealed, "acme|crm") == b"token"
    assert rotated.is_sealed_with_an_old_key(sealed)
    assert not rotated.is_sealed_with_an_old_key(rotated.seal(b"token", "acme|crm"))
    with pytest.raises(Unsealable, match=r"vault\.keys"):
        Vault([NEW]).unseal(sealed, "acme|crm")


def test_a_key_is_32_bytes_in_base64_or_a_long_text() -> None:
    raw = base64.b64encode(os.urandom(32)).decode()

    assert Vault([raw]).unseal(Vault([f" {raw}\n"]).seal(b"token", "a"), "a") == b"token"
    for short in ("", "secret", base64.b64encode(b"x" * 16).decode()):
        with pytest.raises(ValueError, match="32"):
            Vault([short])
    with pytest.raises(ValueError, match="no key"):
        Vault([])


def test_a_site_without_keys_gets_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "state" / "vault.key"

    made = read_or_make_key(path)

    assert read_or_make_key(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Vault([made])


def test_processes_that_start_together_read_one_whole_key(tmp_path: Path) -> None:
    """Threads stand for them: whoever is not first finds the key whole."""
    for number in range(100):
        path, together = tmp_path / str(number) / "vault.key", Barrier(8)

        def read(path: Path = path, together: Barrier = together) -> str:
            together.wait()
            return read_or_make_key(path)

        with ThreadPoolExecutor(8) as pool:
            keys = {future.result() for future in [pool.submit(read) for _ in range(8)]}

        assert len(keys) == 1
        assert [found.name for found in path.parent.iterdir()] == ["vault.key"]
