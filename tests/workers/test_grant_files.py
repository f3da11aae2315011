"""Grants in files: what is left of a rotating refresh token when the store is emptied."""

import stat
from pathlib import Path

import pytest

from router.store.memory import MemoryStore
from tests.workers.makers import ACME
from tests.workers.test_grants import NAME, TokenCrm, Worker
from workers.grant_files import GrantFiles


@pytest.fixture
def crm() -> TokenCrm:
    return TokenCrm()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def grants_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*.grant"))


async def test_the_store_is_emptied_and_the_file_has_it(
    crm: TokenCrm, store: MemoryStore, tmp_path: Path
) -> None:
    await Worker(store, crm, tmp_path).current()
    store.forget()

    held = await Worker(store, crm, tmp_path).current()

    assert held.grant.token.reveal() == "at-2"
    assert crm.reused == 0


async def test_an_older_file_does_not_win_over_the_store(
    crm: TokenCrm, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = Worker(store, crm, tmp_path / "a"), Worker(store, crm, tmp_path / "b")
    await first.current()
    await second.renewed(await second.current())

    renewed = await first.renewed(await first.renewed(await first.current()))

    assert (renewed.grant.token.reveal(), crm.reused) == ("at-3", 0)


async def test_a_file_is_for_its_owner_only_and_unreadable(tmp_path: Path) -> None:
    crm, store = TokenCrm(), MemoryStore()
    await Worker(store, crm, tmp_path).current()

    (kept,) = grants_in(tmp_path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert b"rt-" not in kept.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no number\nsealed", b"12", b"-1\nx"])
async def test_a_file_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    files = GrantFiles(tmp_path)
    await files.write(ACME, NAME.key, b"sealed", 7)
    (kept,) = grants_in(tmp_path)
    kept.write_bytes(content)

    assert await files.read(ACME, NAME.key) is None


async def test_a_folder_that_cannot_be_written_loses_no_sign_in(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")

    held = await Worker(store, TokenCrm(), tmp_path / "a-file").current()

    assert held.grant.token.reveal() == "at-1"
