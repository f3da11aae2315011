"""`crmroute admin`, as a process of its own."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from router.core.roles import Role
from router.records.accounts import Accounts
from router.records.audit import Actor
from router.records.database import open_database
from router.settings.vault import Vault
from tests.store.servers import free_ports

PROGRAM = "import sys; from router.cli import main; sys.exit(main(sys.argv[1:]))"
KEY = "a key of the tests, long enough to be one"
MAKER = Actor("tests", "127.0.0.1")


@pytest.fixture
def url(site: Path) -> str:
    """The address of the page and the API of this site."""
    (port,) = free_ports(1)
    local = site / "local.toml"
    local.write_text(
        local.read_text()
        + f'[records]\nurl = "sqlite:///{site}/records.db"\n'
        + f'[tenants]\nsource = "records"\n[vault]\nkeys = ["{KEY}"]\n'
        + f'[admin]\nport = {port}\nbase_url = "http://127.0.0.1:{port}"\n'
    )
    return f"http://127.0.0.1:{port}"


@contextmanager
def running(site: Path) -> Iterator["subprocess.Popen[str]"]:
    """It listens already."""
    command = [sys.executable, "-c", PROGRAM, "--config", str(site), "admin"]
    wide = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=wide)
    with process:
        try:
            yield process
        finally:
            process.kill()


def told_until(process: "subprocess.Popen[str]", text: str) -> str:
    """What it said, up to the line that has this text."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            break
    return "".join(said)


async def make_token(site: Path) -> str:
    database = await open_database(f"sqlite:///{site}/records.db")
    try:
        accounts = Accounts(database, time.time, Vault([KEY]))
        _, key = await accounts.create_token("ci", Role.PROVIDER, None, 3600.0, (Role.PROVIDER, MAKER))
    finally:
        await database.aclose()
    return key


def test_it_serves_whoever_has_a_token_and_stops_when_told(site: Path, url: str) -> None:
    with running(site) as process:
        said = told_until(process, "admin.started")
        stranger = httpx.get(f"{url}/api/v1/tenants")
        bearer = {"Authorization": f"Bearer {asyncio.run(make_token(site))}"}
        friend = httpx.get(f"{url}/api/v1/tenants", headers=bearer)
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)

    assert re.search(rf"{url}/set-up/\S{{30,}} \(once, within a day\)", said)
    assert stranger.status_code == 401
    assert (friend.status_code, friend.json()) == (200, [])
    assert code == 0


def test_a_taken_port_is_told_with_its_setting(site: Path, url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_server((host, int(port))), running(site) as process:
        said = told_until(process, "admin.port")
        code = process.wait(20)

    assert code == 2
    assert f"nothing can listen at {host}:{port} (admin.host, admin.port)" in said


def test_it_says_when_calls_are_decided_by_files(site: Path, url: str) -> None:
    local = site / "local.toml"
    local.write_text(local.read_text().replace('source = "records"', 'source = "files"'))
    with running(site) as process:
        said = told_until(process, "admin.started")

    assert "Calls are decided by the tenants' files" in said
