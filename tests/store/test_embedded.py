"""The embedded server: one for all processes of a machine, gone with the last."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from router.settings.model import RedisSettings
from router.store import embedded
from router.store.embedded import LOG_NAME, find_server, join_embedded
from router.store.errors import StoreMisconfigured
from router.store.keeper import SOCKET_NAME, answers
from router.store.redis_store import open_store
from tests.store.rigs import a_job, a_waiter
from tests.store.servers import settings_for


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: a socket's may have about a hundred bytes."""
    folder = Path(tempfile.mkdtemp(prefix="crmroute-"))
    yield folder
    wait_for(lambda: not answers(folder / SOCKET_NAME))
    shutil.rmtree(folder)


def wait_for(is_so: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def settings_in(home: Path) -> RedisSettings:
    return msgspec.structs.replace(settings_for(""), embedded_folder=str(home))


async def test_first_process_starts_it_and_others_join(home: Path) -> None:
    first = await open_store(settings_in(home))
    second = await open_store(settings_in(home))
    try:
        await first.lookups.ask(a_job(), a_waiter())
        health = await second.health()

        assert first.embedded is not None
        assert second.embedded is not None
        assert first.embedded.text.startswith("Started the embedded server")
        assert second.embedded.text.startswith("Joined the embedded server")
        assert health.mode == "embedded"
        assert health.appends_only
        assert health.memory_policy == "noeviction"
        assert len(await second.jobs.take(1)) == 1
    finally:
        await first.aclose()
        assert answers(home / SOCKET_NAME), "the second one still uses it"
        await second.aclose()
    wait_for(lambda: not answers(home / SOCKET_NAME))


async def test_what_it_held_outlives_a_restart_of_everything(home: Path) -> None:
    first = await open_store(settings_in(home))
    await first.lookups.ask(a_job(budget_seconds=60), a_waiter())
    await first.aclose()
    wait_for(lambda: not answers(home / SOCKET_NAME))

    second = await open_store(settings_in(home))
    try:
        assert len(await second.jobs.take(1)) == 1
    finally:
        await second.aclose()


def test_without_a_folder_it_is_shared_by_working_folder_and_leaves_no_data(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))

    first = join_embedded("")
    second = join_embedded("")
    place = Path(first.url.removeprefix("unix://")).parent
    assert second.url == first.url
    assert place.parent == home
    assert list(place.glob("*/appendonlydir"))
    first.leave()
    second.leave()

    wait_for(lambda: not list(place.glob("*/")))


def test_it_dies_with_its_last_user_even_when_that_one_is_killed(home: Path) -> None:
    script = (
        "import sys, time\nfrom router.store.embedded import join_embedded\n"
        "share = join_embedded(sys.argv[1])\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    ) as user:
        assert user.stdout is not None
        while user.stdout.readline().strip() != b"up":
            assert user.poll() is None
        assert answers(home / SOCKET_NAME)
        user.send_signal(signal.SIGKILL)

    wait_for(lambda: not answers(home / SOCKET_NAME))


def test_processes_that_start_together_share_one(home: Path) -> None:
    script = (
        "import sys\nfrom router.store.embedded import join_embedded\n"
        "share = join_embedded(sys.argv[1])\nprint(share.text, flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(home)]
    users = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": "."},
        )
        for _ in range(4)
    ]

    said = [first_line(user) for user in users]
    for user in users:
        user.communicate()

    assert sorted(line.split()[0] for line in said) == [b"Joined", b"Joined", b"Joined", b"Started"]


def first_line(user: "subprocess.Popen[bytes]") -> bytes:
    """What `join_embedded` told, past any log lines."""
    assert user.stdout is not None
    return next(line for line in iter(user.stdout.readline, b"") if line.startswith((b"Started", b"Joined")))


def test_server_that_dies_is_started_again(home: Path) -> None:
    share = join_embedded(home)
    try:
        os.kill(server_in(home), signal.SIGKILL)
        wait_for(lambda: not answers(home / SOCKET_NAME), 5)
        wait_for(lambda: answers(home / SOCKET_NAME))
    finally:
        share.leave()


def server_in(home: Path) -> int:
    """The server's process id, as it says itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(home / SOCKET_NAME))
        client.sendall(b"INFO server\r\n")
        said = client.recv(65_536).decode()
    return int(said.split("process_id:")[1].split()[0])


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(embedded, "_bundled", lambda: None)

    with pytest.raises(StoreMisconfigured, match="install redis-server or valkey-server"):
        find_server()


def test_server_on_the_path_is_preferred_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "redis-server" else None)
    program.write_text("#!/bin/sh\necho 'Redis server v=7.2.4 sha=0'\n")
    program.chmod(0o755)
    new = find_server()
    program.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n")

    bundled = find_server()

    assert (new.name, new.version) == ("redis", "7.2.4")
    assert bundled.name == "valkey"


def test_folder_that_cannot_be_used_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "below", tmp_path / ("long" * 40)):
        with pytest.raises(StoreMisconfigured, match=r"^redis\.embedded_folder: "):
            join_embedded(folder)


def test_server_that_does_not_start_points_to_its_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "server_arguments", lambda *_: ["/bin/false"])

    with pytest.raises(StoreMisconfigured, match=LOG_NAME):
        join_embedded(home)
