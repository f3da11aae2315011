"""Tenants' files: each for itself, reloaded when they change, the last good version kept."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from router.core.identities import TenantId
from router.core.problems import Problem, warning
from router.core.tenants import Tenant
from router.settings.folder_watch import watch_folder
from router.settings.tenant_files import Changes, TenantFiles

GOOD = 'country = "FR"\ndefault = { destination = "ivr", option = "main" }\n'
RULE = """
[[rules]]
name = "Sales"
default = {{ destination = "queue", option = "a" }}
lines = [{{ operator = "=", value = {value}, destination = "queue", option = "b" }}]
"""
OTHER = 'country = "FR"\ndefault = { destination = "queue", option = "gold" }\n'
ACME = TenantId("acme")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tenants").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str, *, age_seconds: float = 60.0) -> Path:
    """A file as an editor leaves it: written beside, then renamed. Old, unless told otherwise."""
    path = folder / "tenants" / f"{name}.toml"
    beside = path.with_name(f".{name}.swp")
    beside.write_text(text, encoding="utf-8")
    moment = time.time() - age_seconds
    os.utime(beside, (moment, moment))
    beside.rename(path)
    return path


def loaded(folder: Path) -> TenantFiles:
    files = TenantFiles(folder)
    files.load_all()
    return files


def option(files: TenantFiles) -> str | None:
    tenant = files.tenant(ACME)
    return tenant.default.option if tenant else None


def test_the_files_name_is_the_tenants_id(folder: Path) -> None:
    write(folder, "acme", GOOD)
    files = TenantFiles(folder)

    changes = files.load_all()

    assert [tenant.id for tenant in changes.added] == ["acme"]
    assert set(files.tenants()) == {"acme"}
    assert not files.problems()


@pytest.mark.parametrize("name", ["Acme", "a_b", "-a", "ä"])
def test_a_file_name_that_is_no_id_is_a_problem(folder: Path, name: str) -> None:
    write(folder, name, GOOD)

    files = loaded(folder)

    assert not files.tenants()
    assert "cannot be the id of a tenant" in str(files.problems()[0])


def test_an_id_that_contradicts_the_file_name_is_a_problem(folder: Path) -> None:
    write(folder, "acme", '\nid = "rival"\n' + GOOD)

    problem = str(loaded(folder).problems()[0])
    assert "acme.toml:2: error: id: the id differs from the file's name, `acme`. Leave the id out" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("country = ", "acme.toml:1: error: this is not TOML"),
        ("\n\n[[rules]\n", "acme.toml:3: error: this is not TOML"),
        ("", "`country` is missing"),
        ("x = " + "[" * 100_000, "acme.toml:1: error:"),
        (
            GOOD + 'zone = "Europe/Pariss"\n',
            "acme.toml:3: error: zone: there is no time zone `Europe/Pariss`",
        ),
        (GOOD + 'zone = "../../etc/passwd"\n', "there is no time zone"),
        (
            GOOD + "\nhold_seconds = " + "9" * 5_000,
            "acme.toml:4: error: this whole number is larger than 64 bits",
        ),
        (
            GOOD + RULE.format(value=10**30),
            "acme.toml:7: error: rules[1].lines[1].value: this whole number is larger than 64 bits",
        ),
        (GOOD.replace("FR", "fr"), "acme.toml:1: error: country: `fr` does not fit. It must be two capital"),
    ],
)
def test_a_broken_file_is_told_and_touches_no_other_tenant(folder: Path, text: str, words: str) -> None:
    write(folder, "acme", text)
    write(folder, "good", GOOD)

    files = loaded(folder)

    assert set(files.tenants()) == {"good"}
    assert words in str(files.problems()[0])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"# \xff\n", "acme.toml:1: error: there is a letter that is not UTF-8"),
        (b"\n\xe9 = 1", "acme.toml:2: "),
    ],
)
def test_a_file_that_is_no_text_is_told(folder: Path, raw: bytes, words: str) -> None:
    (folder / "tenants" / "acme.toml").write_bytes(raw)

    assert words in str(loaded(folder).problems()[0])


def test_a_folder_in_place_of_a_file_is_told(folder: Path) -> None:
    (folder / "tenants" / "acme.toml").mkdir()

    assert "the file cannot be read" in str(loaded(folder).problems()[0])


def test_the_last_good_version_stays_in_force(folder: Path) -> None:
    write(folder, "acme", GOOD)
    files = loaded(folder)

    write(folder, "acme", "country = ")
    broken = files.reload_changed()
    again = files.reload_changed()
    write(folder, "acme", OTHER)
    mended = files.reload_changed()

    assert not broken.changed
    assert len(broken.problems) == 1
    assert not again
    assert [tenant.default.option for tenant in mended.changed] == ["gold"]
    assert not files.problems()


def test_only_what_changed_is_told(folder: Path) -> None:
    for name in ("acme", "b", "c"):
        write(folder, name, GOOD)
    files = loaded(folder)

    write(folder, "acme", OTHER)
    write(folder, "b", "# a comment changes nothing\n" + GOOD)
    write(folder, "d", GOOD)
    (folder / "tenants" / "c.toml").unlink()
    changes = files.reload_changed()

    assert [tenant.id for tenant in changes.added] == ["d"]
    assert [tenant.id for tenant in changes.changed] == ["acme"]
    assert changes.removed == ("c",)
    assert files.tenant(TenantId("c")) is None


def test_a_change_of_the_same_size_and_time_is_seen_by_its_inode(folder: Path) -> None:
    path = write(folder, "acme", GOOD)
    moment = path.stat().st_mtime
    files = loaded(folder)

    write(folder, "acme", GOOD.replace("main", "mean"))
    os.utime(path, (moment, moment))

    assert [tenant.default.option for tenant in files.reload_changed().changed] == ["mean"]


def test_a_change_within_the_clocks_grain_is_seen(folder: Path) -> None:
    """A file that was just written is read again, whatever its time of change says."""
    path = write(folder, "acme", GOOD, age_seconds=0)
    files = loaded(folder)
    status = path.stat()

    with path.open("r+", encoding="utf-8") as file:
        file.write(GOOD.replace("main", "mean"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert [tenant.default.option for tenant in files.reload_changed().changed] == ["mean"]


def test_editors_own_files_are_no_tenants(folder: Path) -> None:
    write(folder, "acme", GOOD)
    for name in (".acme.toml", "acme.toml~", "acme.toml.bak", "4913", "#acme.toml#"):
        (folder / "tenants" / name).write_text("rubbish")

    files = loaded(folder)

    assert set(files.tenants()) == {"acme"}
    assert not files.problems()


def test_a_folder_that_goes_away_takes_no_tenant_with_it(folder: Path) -> None:
    write(folder, "acme", GOOD)
    files = loaded(folder)

    (folder / "tenants").rename(folder / "elsewhere")
    gone = files.reload_changed()
    (folder / "elsewhere").rename(folder / "tenants")
    back = files.reload_changed()

    assert not gone.removed
    assert "the tenants' folder cannot be read" in str(gone.problems[0])
    assert set(files.tenants()) == {"acme"}
    assert not back
    assert not files.problems()


def test_dates_of_toml_are_texts_of_rules(folder: Path) -> None:
    rule = """
    [[rules]]
    name = "since"
    field = "since"
    default = { destination = "ivr", option = "main" }
    lines = [ { operator = "<", value = 2026-03-31, destination = "queue", option = "gold" } ]
    """
    write(folder, "acme", GOOD + rule)

    tenant = loaded(folder).tenants()[ACME]

    assert tenant.rules[0].lines[0].value == "2026-03-31"


def test_the_check_is_told_with_lines_and_keeps_nothing_out(folder: Path) -> None:
    def check(tenant: Tenant) -> list[Problem]:
        return [warning(("default", "option"), f"{tenant.id} is odd", "Mend it.")]

    path = write(folder, "acme", GOOD)
    files = TenantFiles(folder, check)

    changes = files.load_all()

    assert len(changes.added) == 1
    assert str(changes.problems[0]) == f"{path}:2: warning: default.option: acme is odd. Mend it."


# Watching. Each test awaits the changes themselves.


class Watched:
    """A watch under way, and the changes it told of."""

    def __init__(self, files: TenantFiles) -> None:
        self.files = files
        self._told: asyncio.Queue[Changes] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None

    async def tell(self, changes: Changes) -> None:
        self._told.put_nowait(changes)

    async def next(self) -> Changes:
        async with asyncio.timeout(5):
            return await self._told.get()

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """Watches a folder that holds acme; has heard that the watch works."""
    write(folder, "acme", GOOD)
    watched = Watched(loaded(folder))
    watched.task = asyncio.create_task(watched.files.watch(watched.tell))
    yield watched
    await watched.stop()


async def hear_first(watched: Watched, folder: Path) -> None:
    """The first change that is heard proves that the watch has begun."""
    write(folder, "first", GOOD, age_seconds=0)
    assert [tenant.id for tenant in (await watched.next()).added] == ["first"]


async def test_an_edit_is_in_force_within_two_seconds(watched: Watched, folder: Path) -> None:
    await hear_first(watched, folder)
    began = time.monotonic()

    write(folder, "acme", OTHER, age_seconds=0)
    changes = await watched.next()

    assert [tenant.id for tenant in changes.changed] == ["acme"]
    assert option(watched.files) == "gold"
    assert time.monotonic() - began < 2


async def test_a_half_written_file_waits_until_it_is_whole(watched: Watched, folder: Path) -> None:
    await hear_first(watched, folder)

    with (folder / "tenants" / "acme.toml").open("w", encoding="utf-8") as file:
        file.write(OTHER[:30])
        file.flush()
        broken = await watched.next()
        assert option(watched.files) == "main"
        file.write(OTHER[30:])
    mended = await watched.next()

    assert len(broken.problems) == 1
    assert not broken.changed
    assert [tenant.default.option for tenant in mended.changed] == ["gold"]


async def test_a_removed_file_removes_the_tenant(watched: Watched, folder: Path) -> None:
    await hear_first(watched, folder)

    (folder / "tenants" / "acme.toml").unlink()

    assert (await watched.next()).removed == ("acme",)


async def test_a_rename_by_way_of_a_backup_never_removes_the_tenant(folder: Path) -> None:
    """As vim saves: the file is moved away, and a new one is written in its place a moment later."""
    path = write(folder, "acme", GOOD)
    files = loaded(folder)
    watched = Watched(files)
    gone = asyncio.Event()

    async def events(_: Path, __: float) -> AsyncIterator[set[str]]:
        path.rename(path.with_suffix(".bak"))
        gone.set()
        yield {"acme.toml"}
        await asyncio.Event().wait()

    watched.task = asyncio.create_task(files.watch(watched.tell, events=events))
    await gone.wait()
    write(folder, "acme", OTHER)
    changes = await watched.next()
    await watched.stop()

    assert not changes.removed
    assert [tenant.default.option for tenant in changes.changed] == ["gold"]


async def watch_nothing(folder: Path, _: float) -> AsyncIterator[set[str]]:
    if folder.name:
        raise OSError("inotify watch limit reached")
    yield set()


async def stay_silent(_: Path, __: float) -> AsyncIterator[set[str]]:
    """A file system that announces nothing, such as NFS."""
    while True:
        yield set()
        await asyncio.to_thread(os.getpid)


@pytest.mark.parametrize("events", [watch_nothing, stay_silent], ids=["cannot watch", "hears nothing"])
async def test_without_announcements_the_files_are_polled(folder: Path, events: Iterable[object]) -> None:
    write(folder, "acme", GOOD)
    watched = Watched(loaded(folder))
    task = watched.files.watch(watched.tell, events=events, poll_seconds=0.01)  # type: ignore[arg-type]
    watched.task = asyncio.create_task(task)

    write(folder, "acme", OTHER)
    first = await watched.next()
    write(folder, "b", GOOD)
    second = await watched.next()
    await watched.stop()

    assert [tenant.id for tenant in first.changed] == ["acme"]
    assert [tenant.id for tenant in second.added] == ["b"]


async def test_a_folder_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    watched = Watched(TenantFiles(tmp_path))
    watched.task = asyncio.create_task(watched.files.watch(watched.tell, poll_seconds=0.01))

    missing = await watched.next()
    (tmp_path / "tenants").mkdir()
    write(tmp_path, "acme", GOOD)
    found = await watched.next()
    await watched.stop()

    assert "cannot be read" in str(missing.problems[0])
    assert [tenant.id for tenant in found.added] == ["acme"]


async def test_a_link_that_is_switched_is_a_change(folder: Path) -> None:
    """As Kubernetes mounts a ConfigMap: the files are links into a folder that is itself a link."""
    tenants = folder / "tenants"
    for name, text in (("one", GOOD), ("two", OTHER)):
        (tenants / name).mkdir()
        (tenants / name / "acme.toml").write_text(text)
    (tenants / "..data").symlink_to("one")
    (tenants / "acme.toml").symlink_to("..data/acme.toml")
    watched = Watched(loaded(folder))
    watched.task = asyncio.create_task(watched.files.watch(watched.tell, events=watch_folder))
    await hear_first(watched, folder)

    (tenants / "..next").symlink_to("two")
    (tenants / "..next").rename(tenants / "..data")
    changes = await watched.next()
    await watched.stop()

    assert [tenant.default.option for tenant in changes.changed] == ["gold"]
